"""The CDN's website: pages about the very system that serves them, made from the design alone.

What never changes under its name is an asset: its name carries a hash of its content, so it may be cached for
a year, and a new content is a new name. Pages have names that people know, and are fresh for a minute.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from functools import cache
from importlib.resources import files

from rookery.apps.cdn.site.pages.blueprint import render_blueprint
from rookery.apps.cdn.site.pages.delivery import render_delivery, render_missing
from rookery.apps.cdn.site.pages.facts import streams
from rookery.apps.cdn.site.pages.home import render_home
from rookery.apps.cdn.site.pages.record import render_record
from rookery.apps.cdn.site.pages.storage import render_storage
from rookery.apps.cdn.site.pages.watch import render_watch
from rookery.apps.serving import Rule, Rules
from rookery.design.model import AppDesign, Design
from rookery.files import File

SITE_BUCKET = "site"
# Where our image keeps what never changes of the site, and what only its page for watching needs.
IMAGE_SITE, IMAGE_WATCH = "/usr/share/rookery/site", "/usr/share/rookery/watch"

ASSETS = "assets/"
_HASH_LENGTH = 8
_TEXTS = (("css", "css"), ("html", "html"), ("js", "javascript"), ("txt", "plain"))

# The packaged files that become assets, with their types. The style sheet comes last: it names the others.
_STATIC = (
    ("fonts", "rookery-twig.woff2", "font/woff2"),
    ("images", "dawn.png", "image/png"),
    ("images", "dusk.png", "image/png"),
    ("js", "delivery.js", "text/javascript; charset=utf-8"),
    ("css", "site.css", "text/css; charset=utf-8"),
)
# What only the page for watching uses: a site without it does not carry a library of 600 kB.
_WATCH_STATIC = (
    ("js", "hls.min.js", "text/javascript; charset=utf-8"),
    ("js", "readout.js", "text/javascript; charset=utf-8"),
    ("js", "player.js", "text/javascript; charset=utf-8"),
    ("css", "watch.css", "text/css; charset=utf-8"),
)
# Its files' names say all; the types are those that `render_site` gives them.
RULES = Rules(
    cache=(Rule(f"{ASSETS}*", "public, max-age=31536000, immutable"), Rule("*", "public, max-age=60")),
    types=(
        *(Rule(f"*.{ending}", f"text/{name}; charset=utf-8") for ending, name in _TEXTS),
        Rule("*.json", "application/json"),
        Rule("*.png", "image/png"),
        Rule("*.svg", "image/svg+xml"),
        Rule("*.woff2", "font/woff2"),
    ),
)
_REFERENCE = re.compile(rb"asset:([a-z0-9.-]+)")

_PAGES = (
    ("index.html", render_home),
    ("design.html", render_blueprint),
    ("storage.html", render_storage),
    ("about.html", render_delivery),
    ("404.html", render_missing),
)
_WATCH_PAGES = (("watch.html", render_watch),)
_ROBOTS = "User-agent: *\nDisallow: /\n"


def hashed_name(name: str, content: bytes) -> str:
    """Return an asset's path: `site.css` becomes `assets/site.3f2a9c1b.css`."""
    stem, _, ending = name.rpartition(".")
    return f"{ASSETS}{stem}.{hashlib.sha256(content).hexdigest()[:_HASH_LENGTH]}.{ending}"


def render_site(design: Design) -> tuple[File, ...]:
    """Return the site's files, sorted by path."""
    watched = streams(design)
    urls, assets = _assets(_STATIC + _WATCH_STATIC if watched else _STATIC)
    table = _PAGES + _WATCH_PAGES if watched else _PAGES
    pages = (_text(path, render(design, dict(urls)), "text/html; charset=utf-8") for path, render in table)
    others = (
        _text("design.json", render_record(design), "application/json"),
        _text("favicon.svg", _packaged("images", "favicon.svg").decode(), "image/svg+xml"),
        _text("robots.txt", _ROBOTS, "text/plain; charset=utf-8"),
    )
    return tuple(sorted((*assets, *pages, *others), key=lambda file: file.path))


def render_assets() -> tuple[tuple[File, ...], tuple[File, ...]]:
    """Return the assets that every site has, and those that only its page for watching uses."""
    always = _assets(_STATIC)[1]
    return always, tuple(file for file in _assets(_STATIC + _WATCH_STATIC)[1] if file not in always)


def _text(path: str, text: str, media_type: str) -> File:
    return File(path=path, content=text.encode(), media_type=media_type)


def _packaged(folder: str, name: str) -> bytes:
    return files("rookery.apps.cdn.site").joinpath("static", folder, name).read_bytes()


@cache
def _assets(
    static: tuple[tuple[str, str, str], ...],
) -> tuple[tuple[tuple[str, str], ...], tuple[File, ...]]:
    """Return the assets' addresses by their source names, and the assets."""
    urls: dict[str, str] = {}
    found = []
    for folder, name, media_type in static:
        content = _packaged(folder, name)
        if folder == "css":  # a script may have words that look like a reference
            content = _REFERENCE.sub(lambda match: urls[match[1].decode()].encode(), content)
        path = hashed_name(name, content)
        urls[name] = f"/{path}"
        found.append(File(path=path, content=content, media_type=media_type))
    return tuple(urls.items()), tuple(found)


def site_content(design: Design, _app: AppDesign) -> Iterator[tuple[str, tuple[File, ...]]]:
    """Yield the site's bucket with all of its files."""
    yield SITE_BUCKET, render_site(design)
