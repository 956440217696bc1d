"""The container image of our pods: built where it is missing, and handed out as a file."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from rookery.apps.pod_image import image_reference
from rookery.errors import InputError
from rookery.systems.pod_image import ensure_archive
from rookery.systems.protocol import Report


@dataclass(frozen=True, slots=True, kw_only=True)
class BuiltImage:
    """An image that is there: what pods name it by, its archive, and that file's size in bytes."""

    reference: str
    archive: Path
    size: int


def build_image(*, to: Path | None, report: Report) -> BuiltImage:
    """Build the image unless it is there, and copy its archive where `to` says.

    Raises NotPossibleError where this machine cannot build it, InputError where `to` cannot be written.
    """
    archive = ensure_archive(report)
    if to is not None:
        _copy(archive, to)
        archive = to
    return BuiltImage(reference=image_reference(), archive=archive, size=archive.stat().st_size)


def _copy(archive: Path, to: Path) -> None:
    unfinished = to.with_name(f".{to.name}.new")
    try:
        shutil.copyfile(archive, unfinished)
        unfinished.replace(to)
    except OSError as error:
        unfinished.unlink(missing_ok=True)
        raise InputError(
            f"{to} cannot be written: {error.strerror}", hint="Name a file in a folder that is there."
        ) from None
