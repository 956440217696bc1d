"""Lists: filtered, sorted and in pages, as Hetzner gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rookery.clouds.hetzner.fake.errors import invalid

PAGE, LARGEST_PAGE = 25, 50


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of a list, and where it stands in the whole."""

    items: Sequence[Any]
    number: int
    size: int
    total: int

    @property
    def last(self) -> int:
        return max(1, -(-self.total // self.size))

    @property
    def before(self) -> int | None:
        return self.number - 1 if self.number > 1 else None

    @property
    def following(self) -> int | None:
        return self.number + 1 if self.number < self.last else None

    @property
    def meta(self) -> dict[str, Any]:
        """Return what the answer's body says of it."""
        return {
            "pagination": {
                "page": self.number,
                "per_page": self.size,
                "previous_page": self.before,
                "next_page": self.following,
                "last_page": self.last,
                "total_entries": self.total,
            }
        }


def cut_page(items: Sequence[Any], query: Mapping[str, list[str]]) -> Page:
    """Return the page that a query asks for; it is no larger than the largest, whatever was asked."""
    number, size = _number(query, "page", 1), _number(query, "per_page", PAGE)
    size = min(size, LARGEST_PAGE)
    begin = (number - 1) * size
    return Page(items=items[begin : begin + size], number=number, size=size, total=len(items))


def _number(query: Mapping[str, list[str]], name: str, unless: int) -> int:
    text = query.get(name, [str(unless)])[-1]
    if not text.isdecimal() or int(text) < 1:
        raise invalid((name, "must be a number from 1 on"))
    return int(text)


def sort_words(
    words: list[dict[str, Any]], query: Mapping[str, list[str]], fields: Sequence[str]
) -> list[dict[str, Any]]:
    """Return things in the order that a query asks for, by id where it asks for none."""
    if not fields:
        return words
    found = sorted(words, key=lambda one: int(one["id"]))
    for text in reversed(query.get("sort", [])):
        field, _, direction = text.partition(":")
        if field not in fields or direction not in ("", "asc", "desc"):
            raise invalid(("sort", f"'{text}' is not one of {', '.join(fields)}, with :asc or :desc"))
        found.sort(key=lambda one: _key(one[field]), reverse=direction == "desc")
    return found


def _key(value: Any) -> tuple[bool, Any]:
    return (value is not None, value if value is not None else 0)
