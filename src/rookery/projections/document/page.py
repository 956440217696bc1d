"""Writes a document as one HTML page that needs nothing beside it, and no script.

The style sheet is `page.css`. Pictures are inline SVG with style sheets of their own; those are not confined
to them, so the page's own classes are none of theirs.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Iterator
from importlib.resources import files

from rookery.markup.glyphs import mark
from rookery.markup.html import Html, element, join
from rookery.projections.document.blocks import (
    Bar,
    Block,
    Bullets,
    Code,
    Document,
    Facts,
    Figures,
    Findings,
    Inline,
    Paragraph,
    Picture,
    Section,
    Strong,
    Table,
    Verdict,
    Words,
    parts_of,
)

_FONT = "fonts/rookery-twig.woff2"
_SVG_TAG = re.compile(r"<svg\b[^>]*>")
_SIZE = re.compile(r' (?:width|height|role|aria-labelledby)="[^"]*"')


def render_page(document: Document) -> str:
    """Return the whole page."""
    main = element(
        "main",
        _contents(document),
        element("div", join((_section(one, 2) for one in document.sections), "\n"), class_="sheet"),
        class_="frame",
    )
    body = element(
        "body",
        join((_skip(document), _cover(document), main, _foot(document)), "\n"),
    )
    return join((Html("<!doctype html>\n"), element("html", _head(document), "\n", body, lang="en"), "\n"))


def _head(document: Document) -> Html:
    parts = [
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{document.title}: {document.subject}"),
        element("meta", name="description", content=document.about),
        element("meta", name="color-scheme", content="light dark"),
        element("style", Html(_style_sheet())),
    ]
    return element("head", "\n", join(parts, "\n"), "\n")


def _style_sheet() -> str:
    """Return the style sheet with the site's typeface for headings in it."""
    font = files("rookery.apps.cdn.site").joinpath("static", _FONT).read_bytes()
    sheet = files("rookery.projections.document").joinpath("page.css").read_text(encoding="utf-8")
    return sheet.replace("FONT", f"data:font/woff2;base64,{base64.b64encode(font).decode()}", 1)


def _skip(document: Document) -> Html:
    first = document.sections[0].id
    return element("a", "Skip to the document", href=f"#{first}", class_="skip")


def _cover(document: Document) -> Html:
    title = element(
        "div",
        element("p", mark(), element("span", document.brand), class_="brand"),
        element("h1", document.title),
        *((element("p", _text(document.description), class_="lede"),) if document.description else ()),
        element("p", _text(document.subtitle), class_="stand"),
        class_="wrap",
    )
    figures = element("div", _figures(document.figures), class_="wrap")
    return element("header", title, element("div", figures, class_="band"), class_="cover")


def _figures(figures: Figures) -> Html:
    """Return the numbers; in the source each name comes before its value, as readers are told it."""
    items = (element("div", element("dt", words), element("dd", value)) for value, words in figures.pairs)
    return element("dl", join(items), class_="figures")


def _contents(document: Document) -> Html:
    entries = []
    for section in document.sections:
        inner = join(element("li", _link(each)) for each in section.sections)
        nested = element("ul", inner) if section.sections else ""
        entries.append(element("li", _link(section), nested))
    heading = element("h2", "Contents", id="contents")
    return element(
        "nav", heading, element("ol", join(entries, "\n")), class_="contents", aria_labelledby="contents"
    )


def _link(section: Section) -> Html:
    return element("a", section.title, href=f"#{section.id}")


def _foot(document: Document) -> Html:
    return element("footer", element("p", _inline(document.provenance), class_="wrap"))


def _section(section: Section, level: int) -> Html:
    parts = [element(f"h{level}", section.title, id=section.id)]
    parts += [_block(block) for block in section.blocks]
    parts += [_section(inner, level + 1) for inner in section.sections]
    name = "section" if level == 2 else "div"
    label = section.id if level == 2 else None
    return element(name, join(parts, "\n"), aria_labelledby=label, class_=None if level == 2 else "part")


def _block(block: Block) -> Html:  # noqa: PLR0911 - one for each kind
    match block:
        case Paragraph():
            return element("p", _inline(block.words), class_="lede" if block.lede else None)
        case Bullets():
            return element("ul", join((element("li", _inline(item)) for item in block.items), "\n"))
        case Facts():
            return _facts(block)
        case Figures():
            return _figures(block)
        case Table():
            return _table(block)
        case Picture():
            return _picture(block)
        case Bar():
            return _bar(block)
        case Findings():
            return _findings(block)


def _inline(words: Words) -> Html:
    return join(_part(part) for part in parts_of(words))


def _part(part: Inline) -> Html:
    match part:
        case Code():
            return element("code", _text(part.text))
        case Strong():
            return element("strong", _text(part.text))
        case Verdict():
            return element("span", _text(part.text), class_="verdict well" if part.well else "verdict ill")
        case str():
            return join([_text(part)])


def _text(text: str) -> str:
    """Return text without characters that HTML forbids or that turn lines around."""
    return "".join(each if each.isprintable() or each == "\u00a0" else " " for each in text)


def _facts(block: Facts) -> Html:
    items = (
        element("div", element("dt", name), element("dd", _inline(value))) for name, value in block.pairs
    )
    return element("dl", join(items, "\n"), class_="facts")


def _table(table: Table) -> Html:
    def style(column: int) -> str | None:
        return "number" if column in table.right else None

    head = (element("th", _text(name), scope="col", class_=style(n)) for n, name in enumerate(table.heads))
    rows = []
    for first, *rest in table.rows:
        cells = (element("td", _inline(cell), class_=style(n)) for n, cell in enumerate(rest, 1))
        rows.append(element("tr", element("th", _inline(first), scope="row"), *cells))
    whole = element(
        "table",
        element("caption", _text(table.caption)) if table.caption else "",
        element("thead", element("tr", *head)),
        element("tbody", join(rows, "\n")),
    )
    label = _text(table.caption) or "Table"
    return element("div", whole, class_="scroll", role="region", aria_label=label, tabindex=0)


def _picture(picture: Picture) -> Html:
    """Return an SVG that grows and shrinks with the page, its words for who cannot see it on the figure."""
    tag = _SVG_TAG.search(picture.svg)
    assert tag is not None, picture.path
    start = f'{_SIZE.sub("", tag[0])[:-1]} aria-hidden="true" focusable="false">'
    svg = Html(_without_names(picture.svg[tag.end() :]))
    frame = element("div", Html(start), svg, role="img", aria_label=_text(picture.alt), class_="canvas")
    caption = element("figcaption", _text(picture.caption)) if picture.caption else ""
    scrolled = element("div", frame, class_="pan", role="region", aria_label="Drawing", tabindex=0)
    return element("figure", scrolled, caption, class_="picture broad" if picture.broad else "picture")


def _without_names(svg: str) -> str:
    """Return the inside of an SVG without ids: two pictures of one page could have the same."""
    return re.sub(r' id="[^"]*"', "", "\n".join(_text(line) for line in svg.split("\n")).rstrip())


def _bar(bar: Bar) -> Html:
    rects, x = [], 0.0
    for part in bar.parts:
        width = 1000 * part.share
        rects.append(element("rect", x=x, y=0, width=width, height=36, class_=f"bar-{part.style}"))
        x += width
    picture = element(
        "svg",
        join(rects),
        viewBox="0 0 1000 36",
        preserveAspectRatio="none",
        role="img",
        aria_label=bar.label,
        class_="bar",
    )
    return element("figure", picture, element("dl", join(_legend(bar)), class_="legend"))


def _legend(bar: Bar) -> Iterator[Html]:
    for part in bar.parts:
        square = element("rect", width=12, height=12, rx=3, class_=f"bar-{part.style}")
        key = element("svg", square, viewBox="0 0 12 12", aria_hidden="true")
        amount = element("strong", part.amount)
        yield element("div", element("dt", key, part.title), element("dd", amount, " ", part.words))


def _findings(block: Findings) -> Html:
    items = []
    for finding in block.findings:
        head = element(
            "p",
            element("span", f"{finding.code} {finding.severity}", class_="severity"),
            " ",
            element("code", _text(finding.path)),
        )
        hint = element("p", _text(finding.hint), class_="hint") if finding.hint else ""
        message = element("p", _text(finding.message))
        items.append(element("li", head, message, hint, class_=f"finding {finding.severity}"))
    return element("ul", join(items, "\n"), class_="findings")
