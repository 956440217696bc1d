"""How what is published is served: each file's Content-Type and Cache-Control, as rules over its path.

Rules are data, so that the lab asks them and a program inside Kubernetes reads them from a file. This module
lies beside that program in our image, hence it needs nothing but Python.
"""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

_FRESH_FOR_A_MINUTE = "public, max-age=60"
# One that no table of types knows, or that differs between machines' tables.
_TYPES = {".m4s": "video/iso.segment", ".woff2": "font/woff2"}


@dataclass(frozen=True, slots=True)
class Rule:
    """What holds for the paths that `pattern` matches; its `*` matches anything, slashes too."""

    pattern: str
    value: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """The rules of one bucket: the first that matches holds.

    Where none does, a file is fresh for a minute, and its type is what its ending says.
    """

    cache: tuple[Rule, ...] = ()
    types: tuple[Rule, ...] = ()

    def cache_control(self, path: str) -> str:
        """Return the Cache-Control header of a file, by its path in the bucket."""
        return _first(self.cache, path) or _FRESH_FOR_A_MINUTE

    def media_type(self, path: str) -> str:
        """Return the Content-Type of a file, by its path in the bucket."""
        found = _first(self.types, path)
        if found is not None:
            return found
        ending = path[path.rfind(".") :] if "." in path else ""
        return _TYPES.get(ending) or mimetypes.guess_type(path)[0] or "application/octet-stream"


def turn(path: str, media_type: str) -> int:
    """Return in which turn a file is published: none may name what is not there yet.

    What names nothing comes first, then playlists, then pages and indexes, at last those on top.
    """
    if path.startswith("index."):
        return 3
    if media_type.startswith(("text/html", "application/json")):
        return 2
    return 1 if path.endswith(".m3u8") else 0


def _first(rules: Iterable[Rule], path: str) -> str | None:
    return next((rule.value for rule in rules if fnmatchcase(path, rule.pattern)), None)


def render_rules(rules: Rules) -> str:
    """Return the rules as the text that `parse_rules` reads: lists of pattern and value."""
    told = {
        "cacheControl": [[rule.pattern, rule.value] for rule in rules.cache],
        "mediaTypes": [[rule.pattern, rule.value] for rule in rules.types],
    }
    return json.dumps(told, indent=1) + "\n"


def parse_rules(text: str) -> Rules:
    """Read rules; raises ValueError with what is wrong."""
    told = json.loads(text)
    if not isinstance(told, dict) or set(told) - {"cacheControl", "mediaTypes"}:
        raise ValueError("is not an object of cacheControl and mediaTypes")
    return Rules(cache=_rules(told, "cacheControl"), types=_rules(told, "mediaTypes"))


def _rules(told: dict[str, object], key: str) -> tuple[Rule, ...]:
    pairs = told.get(key, [])
    if not isinstance(pairs, list):
        raise ValueError(f"{key}: is no list")  # noqa: TRY004 - the text is wrong, not a type of ours
    for number, pair in enumerate(pairs):
        if not (isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, str) for one in pair)):
            raise ValueError(f"{key}[{number}]: is not a pattern and a value")
    return tuple(Rule(pattern, value) for pattern, value in pairs)
