"""Writes a document as Markdown for GitHub and for terminals.

Lines are wrapped, and tables padded, so that the text reads without being rendered. What a spec says is
escaped: it can begin no heading, no list, no markup.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator

from rookery.projections.document.blocks import (
    Bar,
    Block,
    Bullets,
    Code,
    Document,
    Facts,
    Figures,
    Findings,
    Paragraph,
    Picture,
    Section,
    Strong,
    Table,
    Verdict,
    Words,
    parts_of,
)

_WIDTH = 100
_WIDEST_COLUMN = 48  # characters that a table's column is padded to; longer cells stick out
_KEPT_SPACE = "\0"  # a space in code while lines are wrapped: code is not broken over two
# Characters that mean something anywhere, and an underscore or an ampersand where it would.
_SPECIAL = re.compile(
    r"[\\`*\[\]<>|~$]|(?<![^\W_])_|_(?![^\W_])|&(?=#?\w+;)|:(?=//)|(?<=www)\.", re.IGNORECASE
)
_LINE_START = re.compile(r"(?P<number>\d+(?=[.)](\s|$)))|[-+=#>](?=[-+=#>\s]|$)")


def render_markdown(document: Document) -> str:
    """Return the document as Markdown."""
    parts = [
        f"# {escape(document.title)}",
        *([_paragraph(document.description)] if document.description else []),
        _paragraph(document.subtitle),
        _figures(document.figures),
        *(part for section in document.sections for part in _section(section, 2)),
        "---",
        _paragraph(document.provenance),
    ]
    return "\n\n".join(part for part in parts if part).replace(_KEPT_SPACE, " ") + "\n"


def escape(text: str) -> str:
    """Return text as Markdown that shows it as it is, on one line."""
    return _SPECIAL.sub(lambda found: f"\\{found[0]}", _one_line(text))


def _one_line(text: str) -> str:
    return re.sub(" +", " ", "".join(each if each.isprintable() else " " for each in text))


def _section(section: Section, level: int) -> Iterator[str]:
    yield f"{'#' * level} {escape(section.title)}"
    for block in section.blocks:
        yield _block(block)
    for inner in section.sections:
        yield from _section(inner, level + 1)


def _block(block: Block) -> str:  # noqa: PLR0911 - one for each kind
    match block:
        case Paragraph():
            return _paragraph(block.words)
        case Bullets():
            return _bullets(block.items)
        case Facts():
            return _bullets(tuple((f"{name}: ", *parts_of(value)) for name, value in block.pairs))
        case Figures():
            return _figures(block)
        case Table():
            return _table(block)
        case Picture():
            return f"![{escape(block.alt)}]({block.path})"
        case Bar():
            return _bar(block)
        case Findings():
            return _findings(block)


def _bar(bar: Bar) -> str:
    return _bullets(
        tuple((Strong(text=f"{part.title}, {part.amount}"), f": {part.words}") for part in bar.parts)
    )


def _inline(words: Words) -> str:
    return "".join(_part(part) for part in parts_of(words))


def _part(part: str | Code | Strong | Verdict) -> str:
    match part:
        case Code():
            return _code(part.text)
        case Strong():
            return f"**{escape(part.text)}**"
        case Verdict():
            return escape(part.text) if part.well else f"**{escape(part.text)}**"
        case str():
            return escape(part)


def _code(text: str) -> str:
    """Return a code span, none for no text; its fence is longer than any run of backticks in it."""
    plain = _one_line(text)
    if not plain:
        return ""
    longest = max((len(run) for run in re.findall("`+", plain)), default=0)
    fence, space = "`" * (longest + 1), " " if longest else ""
    return f"{fence}{space}{plain}{space}{fence}".replace(" ", _KEPT_SPACE)


def _paragraph(words: Words) -> str:
    return "\n".join(_wrapped(_inline(words)))


def _wrapped(text: str, indent: str = "") -> list[str]:
    """Return the lines of a paragraph; none of them begins a list, a heading or a quotation."""
    lines = textwrap.wrap(
        text, _WIDTH - len(indent), break_long_words=False, break_on_hyphens=False, drop_whitespace=True
    )
    return [indent + _guarded(line) for line in lines]


def _guarded(line: str) -> str:
    """Escape what would begin a block: of `1.` the dot, of all else the character itself."""
    found = _LINE_START.match(line)
    if found is None:
        return line
    return f"{found[0]}\\{line[found.end() :]}" if found["number"] else f"\\{line}"


def _bullets(items: tuple[Words, ...]) -> str:
    lines = []
    for item in items:
        first, *rest = _wrapped(_inline(item), "  ") or [""]
        lines += [f"- {first[2:]}", *rest]
    return "\n".join(lines)


def _figures(figures: Figures) -> str:
    return _bullets(tuple((Strong(text=value), f" {words}") for value, words in figures.pairs))


def _table(table: Table) -> str:
    """Return a table whose columns stand below each other, but for cells that are very long."""
    rows = [tuple(_cell(cell) for cell in row) for row in ((*table.heads,), *table.rows)]
    widths = [
        max((len(row[column]) for row in rows if len(row[column]) <= _WIDEST_COLUMN), default=3)
        for column in range(len(table.heads))
    ]
    widths = [max(width, 3) for width in widths]
    widths[-1] = 3  # nothing follows that would have to stand below anything
    rule = [f"{'-' * (width - 1)}:" if n in table.right else "-" * width for n, width in enumerate(widths)]
    lines = [_row(rows[0], widths, table.right), f"| {' | '.join(rule)} |"]
    return "\n".join([*lines, *(_row(row, widths, table.right) for row in rows[1:])])


def _row(cells: tuple[str, ...], widths: list[int], right: tuple[int, ...]) -> str:
    padded = (
        cell.rjust(width) if number in right else cell.ljust(width)
        for number, (cell, width) in enumerate(zip(cells, widths, strict=True))
    )
    return f"| {' | '.join(padded)} |"


def _cell(words: Words) -> str:
    """Return a cell; a bar would end it, in code too."""
    return "".join(
        _code(part.text).replace("|", "\\|") if isinstance(part, Code) else _part(part)
        for part in parts_of(words)
    )


def _findings(block: Findings) -> str:
    lines = []
    for finding in block.findings:
        head = f"**{finding.code} {finding.severity}** {_code(finding.path)}"
        lines += [f"- {head}  ", *_wrapped(escape(finding.message), "  ")]
        lines += _wrapped(f"To do: {escape(finding.hint)}", "  ") if finding.hint else []
    return "\n".join(lines)
