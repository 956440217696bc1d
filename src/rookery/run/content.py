"""A look at the folders that a spec names: are they there, and can what is in them be published."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from importlib.resources import as_file, files
from pathlib import Path
from typing import Any

from rookery.apps.serving import PUBLISHED_ALTHOUGH_HIDDEN
from rookery.apps.streaming.guest.packing.folders import is_utf8, shown, walk
from rookery.apps.table import APPS
from rookery.design.content import Content
from rookery.design.model import Design
from rookery.drivers.media import films

_LONGEST_KEY = 1024  # bytes of an object's key in S3


def folder_problems(data: Mapping[str, Any], base: Path) -> Iterator[tuple[tuple[str, ...], str]]:
    """Yield what is wrong with the folders that a spec's data name, relative to `base`: path and message."""
    chosen = data.get("apps")
    for name, app in APPS.items():
        settings = chosen.get(name) if isinstance(chosen, dict) else None
        key = app.content.folder_key if app.content is not None else ""
        given = settings.get(key) if isinstance(settings, dict) else None
        if isinstance(given, str) and (problem := _problem(given, base / given)):
            yield ("apps", name, key), problem


def _problem(given: str, folder: Path) -> str:
    """Return why a folder cannot be published, empty where it can."""
    if not given.strip():
        return "names no folder"
    text = shown(str(folder))
    try:
        next(folder.iterdir(), None)
    except FileNotFoundError:
        return f"there is no folder {text}; a path is relative to the spec"
    except NotADirectoryError:
        return f"{text} is no folder"
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        return f"the folder {text} cannot be read: {why}"
    if not is_utf8(str(folder)):
        return f"the path of the folder {text} is not UTF-8; rename what is not, or put the folder elsewhere"
    return ""


def look_at_content(design: Design) -> tuple[Content, ...]:
    """Return what is seen of each folder that a design's applications publish, or make something of."""
    found = []
    for app in design.apps:
        row = APPS[app.name]
        folder = row.folder(app.settings)
        if folder is not None and row.content is not None:
            look = _films if row.content.making is not None else _site
            found.append(look(app.name, row.content.folder_key, Path(folder)))
    return tuple(found)


def _site(app: str, key: str, folder: Path) -> Content:
    """Look at the names of a site: each is an object's key, and is published as it is."""
    names: list[str] = []
    problems: list[str] = []
    dead: list[str] = []
    hidden: list[str] = []
    for one in walk(folder, kept=(PUBLISHED_ALTHOUGH_HIDDEN,)):
        if one.hidden:
            hidden.append(shown(one.name))
        elif one.why:
            (dead if one.dead else problems).append(f"{shown(one.name)}: {one.why}")
        elif why := _unfit(one.name):
            problems.append(f"{shown(one.name)}: {why}")
        else:
            names.append(one.name)
    if not names and not problems:
        problems.append("there is no file in it")
    return Content(
        app=app,
        key=key,
        folder=str(folder),
        names=tuple(names),
        problems=tuple(problems),
        dead=tuple(dead),
        hidden=tuple(hidden),
    )


def _unfit(name: str) -> str:
    """Return why a name cannot be an object's key, empty where it can."""
    if not is_utf8(name):
        return "its name is not UTF-8, which the key of an object is; rename it"
    size = len(name.encode())
    return f"its path has {size} bytes, an object's key {_LONGEST_KEY} at most" if size > _LONGEST_KEY else ""


def _films(app: str, key: str, folder: Path) -> Content:
    """Look at films and music: by ffmpeg where this machine has it, at their names and sizes where not."""
    things = [one for one in walk(folder) if not one.hidden]
    names = tuple(one.name for one in things if not one.why)
    if films.can_look():
        states = tuple((one.name, one.path.stat().st_mtime_ns) for one in things if not one.why)
        problems, remarks = _played(folder, states, tuple(one.name for one in things))
        return Content(app=app, key=key, folder=str(folder), names=names, problems=problems, remarks=remarks)
    said = ((one.name, one.why or ("" if one.path.stat().st_size else "is empty")) for one in things)
    problems = tuple(f"{shown(name)}: {why}" for name, why in said if why)
    if not things:
        problems = ("there is no film and no piece of music in it",)
    return Content(app=app, key=key, folder=str(folder), names=names, problems=problems, unlooked=bool(names))


@lru_cache(maxsize=8)
def _played(
    folder: Path, _states: tuple[tuple[str, int], ...], _names: tuple[str, ...]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the problems and remarks of a look at films; a new one where a file changed."""
    with as_file(files("rookery.apps.streaming") / "guest" / "packing") as guest:
        told = films.look(guest / "pack_media.py", folder)
    top = f"{shown(str(folder))}/"
    problems, remarks = (tuple(line.removeprefix(top) for line in lines) for lines in told)
    return problems, remarks
