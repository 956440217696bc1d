"""What is published of an application: the same files with the same headers on every platform."""

from __future__ import annotations

import os
from pathlib import Path

from rookery.apps.serving import NO_RULES, PUBLISHED_ALTHOUGH_HIDDEN, Rules, turn
from rookery.apps.streaming.guest.packing.folders import is_utf8, shown, walk
from rookery.apps.table import APPS
from rookery.design.model import AppDesign, Design
from rookery.drivers.clients.s3 import Upload
from rookery.errors import InputError
from rookery.files import File
from rookery.systems.protocol import Pages


def app_content(
    design: Design, app: AppDesign, pages: Pages, made: Path | None = None
) -> tuple[tuple[str, tuple[Upload, ...]], ...]:
    """Return what belongs into each bucket of an application; `made` is the folder of what a program made."""
    row = APPS[app.name]
    content = row.content
    if content is None:
        return ()
    own = None if content.making is not None else row.folder(app.settings)
    if own is not None:
        items = folder_items(Path(own), NO_RULES)
        return tuple((bucket.name, items) for bucket in app.buckets)
    if content.making is not None:
        assert made is not None
        return ((content.making(app).bucket, folder_items(made, content.rules)),)
    found = () if content.written is None else content.written(design, app)
    return tuple(
        (bucket, tuple(_written(file, content.rules) for file in (*files, *pages())))
        for bucket, files in found
    )


def _written(file: File, rules: Rules) -> Upload:
    return Upload(
        path=file.path,
        source=file.content,
        media_type=file.media_type,
        cache_control=rules.cache_control(file.path),
        turn=turn(file.path, file.media_type),
    )


def folder_items(folder: Path, rules: Rules) -> tuple[Upload, ...]:
    """Return the files of a folder, links followed and hidden ones left out.

    Raises InputError where there is no folder, and for names that S3 cannot have, which `plan` says before.
    """
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder} to publish", hint="Correct the path in the spec.")
    found = [one for one in walk(folder, kept=(PUBLISHED_ALTHOUGH_HIDDEN,)) if not one.hidden and not one.why]
    strange = tuple(
        f"{shown(str(one.path))}: its name is not UTF-8" for one in found if not is_utf8(one.name)
    )
    if strange:
        raise InputError(
            f"{shown(str(folder))} cannot be published", details=strange, hint="Rename these files."
        )
    return tuple(_folder_item(os.fsencode(one.name).decode(), one.path, rules) for one in found)


def _folder_item(name: str, path: Path, rules: Rules) -> Upload:
    media_type = rules.content_type(name, path)
    return Upload(
        path=name,
        source=path,
        media_type=media_type,
        cache_control=rules.cache_control(name),
        encoding=rules.content_encoding(name),
        turn=turn(name, media_type),
    )
