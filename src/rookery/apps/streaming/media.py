"""What the packing of films and music makes: its index as values, and how each of its files is served.

The titles themselves are described once, in guest/films.json; everything here is read from an index.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import Literal, cast

from rookery.apps.serving import Rule, Rules
from rookery.errors import InputError

INDEX = "index.json"

_MINUTE, _YEAR = "public, max-age=60", "public, max-age=31536000, immutable"

# A title's folder has a hash in its name, so what lies there never changes. Its playlists are short-lived all
# the same: whoever holds one goes on asking for its segments.
RULES = Rules(
    cache=(
        Rule(INDEX, "public, max-age=5"),
        Rule("*.m3u8", _MINUTE),
        Rule("*.json", _MINUTE),
        Rule("*", _YEAR),
    ),
    types=(
        Rule("*.aac", "audio/aac"),
        Rule("*.jpg", "image/jpeg"),
        Rule("*.json", "application/json"),
        Rule("*.m3u8", "application/vnd.apple.mpegurl"),
        Rule("*.m4s", "video/iso.segment"),
        Rule("*.mp4", "video/mp4"),
        Rule("*.png", "image/png"),
        Rule("*.ts", "video/mp2t"),
        Rule("*", "application/octet-stream"),
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Title:
    """One film or piece of music; `master` and `poster` are paths beside the index.

    `seconds` is its length to the nearest second, 1 at least.
    """

    id: str
    name: str
    kind: Literal["video", "audio"]
    seconds: int
    master: str
    poster: str
    note: str = ""


def parse_index(text: str) -> tuple[Title, ...]:
    """Return the titles that an index names; raises InputError with everything that is wrong with it."""
    try:
        told = json.loads(text)
    except ValueError as error:
        raise InputError(f"{INDEX}: is no JSON: {error}") from error
    entries = told.get("titles") if isinstance(told, dict) else None
    if not isinstance(entries, list):
        raise InputError(f"{INDEX}: has no list of titles")
    problems = [problem for number, entry in enumerate(entries) for problem in _problems(number, entry)]
    if not problems:
        ids = [entry["id"] for entry in entries]
        problems = [
            f"{INDEX}: titles: {one} is there twice" for one in sorted(set(ids)) if ids.count(one) > 1
        ]
    if problems:
        raise InputError(problems[0], details=tuple(problems[1:]))
    return tuple(_title(entry) for entry in entries)


def _title(entry: dict[str, object]) -> Title:
    return Title(
        id=str(entry["id"]),
        name=str(entry["name"]),
        kind=cast('Literal["video", "audio"]', entry["kind"]),
        seconds=max(1, round(cast("float", entry["seconds"]))),
        master=str(entry["master"]),
        poster=str(entry["poster"]),
        note=str(entry.get("note", "")),
    )


def _problems(number: int, entry: object) -> list[str]:
    """Return what is wrong with one title of an index."""
    where = f"{INDEX}: titles[{number}]"
    if not isinstance(entry, dict):
        return [f"{where}: is no title"]
    texts = ("id", "name", "master", "poster")
    found = [f"{where}.{key}: must be a text" for key in texts if not _is_text(entry.get(key))]
    if entry.get("kind") not in ("video", "audio"):
        found.append(f"{where}.kind: must be video or audio")
    seconds = entry.get("seconds")
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 < seconds < math.inf:
        found.append(f"{where}.seconds: must be a number above 0")
    if not isinstance(entry.get("note", ""), str):
        found.append(f"{where}.note: must be a text")
    found += [
        f"{where}.{key}: {entry[key]} leaves the folder of the index"
        for key in ("master", "poster")
        if _is_text(entry.get(key)) and _leaves(entry[key])
    ]
    return found


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value.strip())


def _leaves(path: str) -> bool:
    return path.startswith("/") or ".." in path.split("/")
