"""Chains: a volume's content is a first difference, from nothing, and those that follow, each from the one
before.

A part of a set names the whole chain that its volume is made of, so it can be restored, and what it needs is
known, though the sets in between are gone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .kind import Part, Problem

FOLDER = "block/"
# Links of a chain at most: a week of sets at the default of one each six hours. Whoever restores reads all of
# them, and what one of them loses is lost for all that follow.
LONGEST = 28

Link = dict[str, Any]
"""A difference that is stored, as JSON: its `key`, the snapshots it leads `from` (empty: nothing) and `to`,
the volume's `size` there, `data`: the bytes of content in it; `bytes` and `sha256` of the difference, and
`stored` and `digest`: the same of the object, which is compressed."""


def new_key(image: str, label: str) -> str:
    """Return the object of a volume's difference."""
    return f"{FOLDER}{image}/{label}.diff.zst"


def links_of(part: Part, image: str) -> list[Link]:
    """Return the chain of a volume, the first link first."""
    links: list[Link] = part["images"][image]["links"]
    return links


def all_links(parts: Mapping[str, Part]) -> dict[str, Link]:
    """Return all links that some parts need, by their keys."""
    return {link["key"]: link for part in parts.values() for link in _every(part)}


def base_of(
    last: Part | None, image: str, moments: Mapping[str, str], there: Mapping[str, int]
) -> list[Link]:
    """Return the chain that the next link of a volume can go on, empty where it must start from nothing.

    `moments` has the identities of the volume's snapshots by their labels, `there` the bytes of what is
    stored. A chain starts anew where the volume is another one, or the snapshot is gone that the chain ends
    with, or a link is gone from the store; and where it has its length, or all that changed since its first
    link is as much as that one.
    """
    known = last["images"].get(image) if last else None
    if known is None or moments.get(known["snapshot"]) != known["identity"]:
        return []
    links: list[Link] = known["links"]
    later = sum(link["stored"] for link in links[1:])
    is_whole = all(there.get(link["key"]) == link["stored"] for link in links)
    return links if is_whole and len(links) < LONGEST and later <= links[0]["stored"] else []


def find_breaks(label: str, image: str, links: list[Link], there: Mapping[str, int]) -> Iterator[Problem]:
    """Yield what is wrong with a chain by what lists say: links that are gone, cut, or do not follow."""
    before = ""
    for link in links:
        key = link["key"]
        if key not in there:
            yield f"{key} is missing: a link of {image} that set {label} needs"
        elif there[key] != link["stored"]:
            yield f"{key} has {there[key]} bytes, {link['stored']} were written"
        if link["from"] != before:
            yield (
                f"{key} starts from {link['from'] or 'nothing'}, the link before it in set {label}"
                f" ends with {before or 'nothing'}"
            )
        before = link["to"]
    if before != label:
        yield f"the chain of {image} in set {label} ends with {before or 'nothing'}"


def _every(part: Part) -> Iterator[Link]:
    for image in part["images"]:
        yield from links_of(part, image)
