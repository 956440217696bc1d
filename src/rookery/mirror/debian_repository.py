"""Flat Debian repositories: the packages that are wanted, with the signed list that vouches for them.

What is kept is a repository again: its list as it was signed, and fewer packages than the list names. apt
takes the newest of each name, so that is what is kept.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from rookery.errors import RookeryError
from rookery.mirror.downloads import Digest

SIGNED = "InRelease"
KEY = "Release.key"
LISTS = ("Packages", "Packages.gz", "Packages.xz")
_PARTS = re.compile(r"(\D*)(\d*)")
_HASH = re.compile(r"^ ([0-9a-f]{64})\s+(\d+)\s+(\S+)$", re.MULTILINE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Package:
    """A package as a list names it; `path` is relative to the repository."""

    name: str
    version: str
    path: str
    digest: Digest
    depends: tuple[str, ...]

    @property
    def release(self) -> str:
        """The version of what is packaged: 1.36.5 of 1.36.5-1.1."""
        return self.version.rpartition(":")[2].rpartition("-")[0] or self.version


def parse_signed(text: str) -> dict[str, Digest]:
    """Return what an InRelease says of each file of its repository."""
    section = text.partition("\nSHA256:")[2]
    end = re.search(r"^\S", section, re.MULTILINE)
    lines = section[: end.start()] if end else section
    return {
        path.removeprefix("./"): Digest(sha256=sha256, size=int(size))
        for sha256, size, path in _HASH.findall(lines)
    }


def parse_packages(text: str, *, architecture: str) -> tuple[Package, ...]:
    """Return the packages of a list that fit a processor."""
    found = []
    for paragraph in text.split("\n\n"):
        fields = dict(_fields(paragraph))
        if fields.get("Package") and fields.get("Architecture") in (architecture, "all"):
            found.append(_package(fields))
    return tuple(found)


def _package(fields: Mapping[str, str]) -> Package:
    path = fields["Filename"].removeprefix("./")
    # It becomes a file's path here.
    if path.startswith("/") or ".." in path.split("/"):
        raise RookeryError(f"a list of packages names a file outside its repository: {path}")
    return Package(
        name=fields["Package"],
        version=fields["Version"],
        path=path,
        digest=Digest(sha256=fields["SHA256"], size=int(fields["Size"])),
        depends=tuple(_names(fields.get("Pre-Depends", ""), fields.get("Depends", ""))),
    )


def choose_packages(listed: Sequence[Package], wanted: Iterable[str], *, where: str) -> tuple[Package, ...]:
    """Return the newest package of each wanted name, and of what these need from the same list, by name.

    What the list does not have comes from the distribution. A wanted name that it lacks is an error, which
    says `where` it was looked for.
    """
    newest: dict[str, Package] = {}
    for package in listed:
        known = newest.get(package.name)
        if known is None or compare_versions(package.version, known.version) > 0:
            newest[package.name] = package
    missing = [name for name in wanted if name not in newest]
    if missing:
        raise RookeryError(
            f"{where} has no package {', '.join(missing)}", hint="Is it the right processor and version?"
        )
    chosen: dict[str, Package] = {}
    waiting = list(wanted)
    while waiting:
        name = waiting.pop()
        if name in newest and name not in chosen:
            chosen[name] = newest[name]
            waiting += newest[name].depends
    return tuple(chosen[name] for name in sorted(chosen))


def _fields(paragraph: str) -> Iterator[tuple[str, str]]:
    for line in paragraph.splitlines():
        name, colon, value = line.partition(":")
        if colon and not line.startswith((" ", "\t")):
            yield name, value.strip()


def _names(*fields: str) -> Iterator[str]:
    """Yield the names in fields such as `a (>= 1), b | c`."""
    for field in fields:
        for part in re.split(r"[,|]", field):
            name = part.strip().partition(" ")[0].partition(":")[0]
            if name:
                yield name


def compare_versions(left: str, right: str) -> int:
    """Return less than, equal to or more than 0 as dpkg orders two versions."""
    for one, other in zip_longest(_split(left), _split(right), fillvalue=""):
        order = _compare_part(one, other)
        if order:
            return order
    return 0


def _split(version: str) -> tuple[str, str, str]:
    """Return epoch, upstream version and revision."""
    epoch, colon, rest = version.partition(":")
    if not colon:
        epoch, rest = "0", version
    upstream, _, revision = rest.rpartition("-") if "-" in rest else (rest, "", "")
    return epoch, upstream, revision


def _compare_part(left: str, right: str) -> int:
    """Compare runs of other characters by their rank, and runs of digits by their value, one by one."""
    for (word, number), (other_word, other_number) in zip_longest(
        _PARTS.findall(left), _PARTS.findall(right), fillvalue=("", "")
    ):
        ranks = [(_rank(a), _rank(b)) for a, b in zip_longest(word, other_word, fillvalue="")]
        for a, b in ranks:
            if a != b:
                return a - b
        if int(number or 0) != int(other_number or 0):
            return int(number or 0) - int(other_number or 0)
    return 0


def _rank(character: str) -> int:
    """Return dpkg's order: a tilde before the end, the end before letters, letters before the rest."""
    if character == "~":
        return -1
    if not character:
        return 0
    return ord(character) if character.isalpha() else ord(character) + 256
