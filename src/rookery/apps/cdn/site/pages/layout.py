"""The frame of every page: head, navigation, the skyline behind the title, foot.

Links and assets are absolute from the site's root, because the page for what is missing is sent in answer to
any path, however deep.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rookery.apps.cdn.site.pages.facts import streams
from rookery.design.model import Design
from rookery.markup.glyphs import mark
from rookery.markup.html import Html, element, join

NAVIGATION = (
    ("/", "Overview"),
    ("/design.html", "Design"),
    ("/storage.html", "Storage"),
    ("/about.html", "Delivery"),
)

WATCH = ("/watch.html", "Watch")  # second, where there is something to watch

Urls = Mapping[str, str]  # the name of an asset as it stands in the sources, to its path on the site


def page(
    design: Design,
    urls: Urls,
    *,
    here: str,
    title: str,
    hero: Html,
    body: Html,
    script: str = "",
    needs: Sequence[str] = (),
) -> Html:
    """Return a whole page; `here` is its own address, `hero` what stands before the skyline.

    `needs` are the assets that only this page uses besides its script, which comes after them.
    """
    main = element("main", _hero(urls, hero, home=here == "/"), body, id="main")
    content = (_skip(), _header(design, here), main, _footer(design))
    return join(
        (
            Html("<!doctype html>\n"),
            element(
                "html",
                _head(design, urls, title, (*needs, script) if script else needs),
                "\n",
                element("body", join(content, "\n"), class_="home" if here == "/" else None),
                lang="en",
            ),
            "\n",
        )
    )


def _head(design: Design, urls: Urls, title: str, assets: Sequence[str]) -> Html:
    about = f"{design.name}: a complete storage system on Ceph, described by itself."
    parts = [
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", f"{title} · {design.name}"),
        element("meta", name="description", content=about),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="theme-color", content="#ecebe6", media="(prefers-color-scheme: light)"),
        element("meta", name="theme-color", content="#161925", media="(prefers-color-scheme: dark)"),
        element("link", rel="icon", href="/favicon.svg", type="image/svg+xml"),
        element(
            "link",
            rel="preload",
            href=urls["rookery-twig.woff2"],
            as_="font",
            type="font/woff2",
            crossorigin=True,
        ),
        element("link", rel="stylesheet", href=urls["site.css"]),
    ]
    for asset in assets:
        if asset.endswith(".css"):
            parts.append(element("link", rel="stylesheet", href=urls[asset]))
        else:
            parts.append(element("script", src=urls[asset], defer=True))
    return element("head", "\n", join(parts, "\n"), "\n")


def _skip() -> Html:
    return element("a", "Skip to the content", href="#main", class_="skip")


def _header(design: Design, here: str) -> Html:
    brand = element(
        "a",
        mark(),
        element("span", design.name),
        href="/",
        class_="brand",
        aria_label=f"{design.name}, overview",
    )
    first, *others = NAVIGATION
    entries = (first, *((WATCH,) if streams(design) else ()), *others)
    links = (
        element("li", element("a", label, href=address, aria_current="page" if address == here else None))
        for address, label in entries
    )
    nav = element("nav", element("ul", join(links)), aria_label="Pages")
    return element("header", element("div", brand, nav, class_="wrap"), class_="top")


def _hero(urls: Urls, content: Html, *, home: bool) -> Html:
    picture = element(
        "picture",
        element("source", srcset=urls["dusk.png"], media="(prefers-color-scheme: dark)"),
        element("img", src=urls["dawn.png"], alt="", width=1500, height=750),
    )
    return element(
        "div", picture, element("div", content, class_="wrap"), class_="hero tall" if home else "hero"
    )


def _footer(design: Design) -> Html:
    words = (
        "All numbers, names and drawings here are computed from the design of the system that serves them."
    )
    facts = element("a", "The same facts as JSON", href="/design.json")
    line = element("p", words, " ", facts, ".")
    brand = element("p", mark(), element("span", design.name), class_="brand")
    return element("footer", element("div", brand, line, class_="wrap"), class_="bottom")
