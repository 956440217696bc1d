"""The one place where a spec is read from disk, and where patterns are looked up."""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path

from rookery.errors import InputError
from rookery.spec.model import Spec
from rookery.spec.parse import Judge, SettingsTable, parse_spec

_LIBRARY = files("rookery.spec") / "patterns"


def pattern_names() -> tuple[str, ...]:
    """Return the names of the library's patterns, in alphabetical order."""
    names = (entry.name for entry in _LIBRARY.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def read_pattern(name: str, *, relative_to: Path) -> tuple[str, str]:
    """Return file name and text of a pattern: one of the library, or a spec at a path.

    Raises InputError where there is none.
    """
    if name in pattern_names():
        return f"pattern:{name}", (_LIBRARY / f"{name}.yaml").read_text(encoding="utf-8")
    path = relative_to / name
    looks_like_path = "/" in name or name.endswith((".yaml", ".yml"))
    if looks_like_path:
        return str(path), _read(path)
    near = _meant(name)
    raise InputError(
        f"there is no pattern {name!r}",
        hint=f"Did you mean {near}?"
        if near
        else f"Known: {', '.join(pattern_names())}, or the path of a spec",
    )


def _meant(name: str) -> str:
    """Return the pattern whose name is nearly this, or nothing."""
    return next(iter(difflib.get_close_matches(name, pattern_names(), n=1)), "")


def load_spec(path: Path, *, settings: SettingsTable, judge: Judge = lambda _data: ()) -> Spec:
    """Read and parse the spec at `path`; raises InputError with every problem found, `judge`'s included."""
    return parse_spec(
        _read(path),
        file=str(path),
        settings=settings,
        read_pattern=lambda name: read_pattern(name, relative_to=path.parent),
        judge=judge,
    )


def load_pattern(name: str, *, settings: SettingsTable) -> Spec:
    """Parse a pattern of the library as the spec that it is."""
    file, text = read_pattern(name, relative_to=Path())
    return parse_spec(
        text, file=file, settings=settings, read_pattern=lambda n: read_pattern(n, relative_to=Path())
    )


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        near = _meant(str(path))
        raise InputError(
            f"there is no file {path}",
            hint=f"Did you mean the pattern {near}?"
            if near
            else "`rookery init` writes a spec to start from.",
        ) from None
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text", hint="Save it as UTF-8.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
