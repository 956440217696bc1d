"""What a document consists of, before anyone writes it as Markdown or HTML.

A plain string is text and is escaped by whoever writes it, so a name from a spec stays text wherever it
lands. Words of several kinds stand together in a tuple.
"""

from __future__ import annotations

from dataclasses import dataclass

from rookery.design.checks import Finding


@dataclass(frozen=True, slots=True, kw_only=True)
class Code:
    """Something to be typed or found literally: an address, a pool's name, a command."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Strong:
    """Words that a reader should not miss."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """Whether something is well, in a word or two: the words say it, colour only repeats it."""

    well: bool
    text: str


Inline = str | Code | Strong | Verdict
Words = Inline | tuple[Inline, ...]


def parts_of(words: Words) -> tuple[Inline, ...]:
    """Return words as a tuple, also where they are of one kind."""
    return words if isinstance(words, tuple) else (words,)


def code(text: str) -> Code:
    return Code(text=text)


def codes(texts: tuple[str, ...]) -> Words:
    """Return several literal texts with commas between them; a dash where there are none."""
    found: list[Inline] = []
    for text in texts:
        found += [", ", Code(text=text)] if found else [Code(text=text)]
    return tuple(found) or "–"  # noqa: RUF001 - a dash for nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Paragraph:
    """A paragraph; a `lede` says what its section is about."""

    words: Words
    lede: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Bullets:
    """A list without an order."""

    items: tuple[Words, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Names with their values."""

    pairs: tuple[tuple[str, Words], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The few numbers that tell most, each with the words under it."""

    pairs: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Table:
    """A table whose first column names its rows; the columns in `right` hold numbers."""

    caption: str
    heads: tuple[str, ...]
    rows: tuple[tuple[Words, ...], ...]
    right: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """An SVG: inline in HTML, in Markdown an image that lies beside it at `path`.

    A `broad` one is wider than a column of text; small screens scroll it, paper turns it.
    """

    path: str
    svg: str
    alt: str
    caption: str = ""
    broad: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class BarPart:
    """A part of a whole: `share` is 0 to 1, `style` names its colour."""

    style: str
    title: str
    amount: str
    share: float
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """A whole and its parts, side by side."""

    label: str
    parts: tuple[BarPart, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Findings:
    """What the checks found, the worst first."""

    findings: tuple[Finding, ...]


Block = Paragraph | Bullets | Facts | Figures | Table | Picture | Bar | Findings


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """A heading with what stands under it; `id` is unique in the document."""

    id: str
    title: str
    blocks: tuple[Block, ...] = ()
    sections: tuple[Section, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """The whole: a title, what the system is for, the figures that tell most, sections, provenance.

    `brand` says on the cover what kind of document it is, `subject` in a window's title, `about` in a
    sentence for who lists pages.
    """

    title: str
    description: str
    subtitle: str
    figures: Figures
    sections: tuple[Section, ...]
    provenance: Words
    brand: str = "Design document"
    subject: str = "design"
    about: str = ""
