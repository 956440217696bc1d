"""Markup as values: what is `Html` is markup already, any other text is escaped when it becomes part of it.

So escaping cannot be forgotten: a name from a spec is a plain string, and stays text wherever it lands.
"""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

# Elements that have no content and no end tag in HTML. All others get one, those of SVG too.
VOID = frozenset({"br", "hr", "img", "input", "link", "meta", "source"})

Attribute = str | int | float | bool | None


class Html(str):
    """A piece of markup that is safe to put into a page as it is."""

    __slots__ = ()


def text(value: str) -> Html:
    """Return `value` as markup: unchanged if it is markup, else escaped."""
    return value if isinstance(value, Html) else Html(escape(value))


def join(parts: Iterable[str], separator: str = "") -> Html:
    """Return the parts one after the other."""
    return Html(separator.join(text(part) for part in parts))


def element(name: str, /, *children: str, **attributes: Attribute) -> Html:
    """Return an element.

    Attributes: `class_` is class, `data_url` is data-url; None and False leave one out, True gives its bare
    name. Numbers are written without trailing zeros, so that pictures stay short and equal.
    """
    start = f"<{name}{''.join(_attribute(key, value) for key, value in attributes.items())}>"
    if name in VOID:
        return Html(start)
    return Html(f"{start}{join(children)}</{name}>")


def _attribute(key: str, value: Attribute) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is None or value is False:
        return ""
    if value is True:
        return f" {name}"
    shown = f"{value:.2f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)
    return f' {name}="{escape(shown)}"'


def table(caption: str, heads: Iterable[str], rows: Iterable[Iterable[str]]) -> Html:
    """Return a table whose first column names its rows, in a frame that scrolls where space is short."""
    head = element("tr", *(element("th", cell, scope="col") for cell in heads))
    body = []
    for row in rows:
        first, *rest = row
        cells = (element("td", cell) for cell in rest)
        body.append(element("tr", element("th", first, scope="row"), *cells))
    whole = element(
        "table", element("caption", caption), element("thead", head), element("tbody", join(body, "\n"))
    )
    return element("div", whole, class_="scroll", role="region", aria_label=caption, tabindex=0)


def facts(pairs: Iterable[tuple[str, str]], class_: str = "facts") -> Html:
    """Return names and values as a description list."""
    items = (element("div", element("dt", name), element("dd", value)) for name, value in pairs)
    return element("dl", join(items, "\n"), class_=class_)


def code(value: str) -> Html:
    return element("code", value)


def section(heading: str, *children: str, id_: str, lede: str = "") -> Html:
    """Return a section of a page with its heading and, where given, the sentence under it."""
    return element(
        "section",
        element("h2", heading, id=id_),
        *((element("p", lede, class_="lede"),) if lede else ()),
        *children,
        aria_labelledby=id_,
    )
