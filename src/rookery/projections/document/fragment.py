"""Reads what other projections contribute: the part of Markdown that they write.

Headings, paragraphs, lists and tables, and in them code between backticks: no more is written by ours, and
what is not recognised stays a paragraph, which loses looks and no words.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import groupby

from rookery.projections.document.blocks import Block, Bullets, Code, Inline, Paragraph, Section, Table, Words

_HEADING = re.compile(r"^(#+) (.+)$")
_CODE = re.compile(r"`([^`]+)`")


def parse_fragment(text: str, *, id: str) -> Section:  # noqa: A002 - what HTML calls it
    """Return the section that a text with a heading is; those below it are its sections.

    Their ids begin with `id`. Only one level is kept below the first; what is deeper joins it.
    """
    top, *others = _split(text)
    return Section(
        id=id,
        title=top[0],
        blocks=_blocks(top[1]),
        sections=tuple(
            Section(id=f"{id}-{number}-{_slug(title)}", title=title, blocks=_blocks(lines))
            for number, (title, lines) in enumerate(others, 1)
        ),
    )


def _slug(title: str) -> str:
    return re.sub(r"[^a-z0-9]+", "-", title.lower()).strip("-")


def _split(text: str) -> list[tuple[str, list[str]]]:
    """Return each heading with the lines under it."""
    found: list[tuple[str, list[str]]] = []
    for line in text.splitlines():
        if heading := _HEADING.match(line):
            found.append((heading[2], []))
        elif found:
            found[-1][1].append(line)
    return found


def _blocks(lines: Sequence[str]) -> tuple[Block, ...]:
    found: list[Block] = []
    for kind, group in groupby(lines, key=_kind):
        if kind == "table":
            found.append(_table(list(group)))
        elif kind == "list":
            found.append(Bullets(items=tuple(_words(line[2:]) for line in group)))
        elif kind == "text":
            found.append(Paragraph(words=_words(" ".join(group))))
    return tuple(found)


def _kind(line: str) -> str:
    if not line.strip():
        return ""
    return "table" if line.startswith("|") else "list" if line.startswith("- ") else "text"


def _table(lines: Sequence[str]) -> Table:
    head, rule, *body = (_cells(line) for line in lines)
    return Table(
        caption="",
        heads=tuple(head),
        rows=tuple(tuple(_words(cell) for cell in row) for row in body),
        right=tuple(number for number, cell in enumerate(rule) if cell.endswith(":")),
    )


def _cells(line: str) -> list[str]:
    return [cell.strip().replace("\\|", "|") for cell in re.split(r"(?<!\\)\|", line.strip()[1:-1])]


def _words(text: str) -> Words:
    parts: list[Inline] = []
    for number, part in enumerate(_CODE.split(text)):
        if part:
            parts.append(Code(text=part) if number % 2 else part)
    return tuple(parts)
