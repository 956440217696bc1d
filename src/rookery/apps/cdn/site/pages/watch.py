"""The page for watching: films, music and the live channel, and how their segments arrive.

The page knows at its rendering only whether there is a catalogue and a channel. What there is to see it asks
for in the browser: titles are published after the site, and more of them may follow without a new site.
"""

# ruff: noqa: RUF001  the multiplication sign, dashes and apostrophes are meant

from __future__ import annotations

from rookery.apps.cdn.site.pages.facts import has_catalogue, has_channel
from rookery.apps.cdn.site.pages.layout import Urls, page
from rookery.design.model import Design
from rookery.markup.glyphs import tree
from rookery.markup.html import Html, code, element, join, section

SCRIPT = "player.js"
NEEDS = ("watch.css", "hls.min.js", "readout.js")

# Where the edges hand out what is watched, and the catalogue: paths of the site itself.
MEDIA = "/media/"
LIVE = "/live/live.m3u8"
CATALOGUE = "/api/"

# What the band under the picture shows: key, label, and whether it is for the live channel only.
_READINGS = (
    ("rendition", "rendition", False),
    ("bandwidth", "bandwidth, estimated", False),
    ("buffer", "ahead in the buffer", False),
    ("dropped", "frames dropped", False),
    ("segment", "the last segment", False),
    ("latency", "behind live", True),
)


def render_watch(design: Design, urls: Urls) -> Html:
    body = join(
        (
            _readout(channel=has_channel(design)),
            element("div", _tiles(design, urls), _words(live=has_channel(design)), class_="wrap"),
            _template(),
        )
    )
    whole = element(
        "div",
        _stage(design),
        class_="watch",
        data_watch=True,
        data_media=MEDIA,
        data_live=LIVE if has_channel(design) else None,
        data_catalogue=CATALOGUE if has_catalogue(design) else None,
    )
    return page(
        design,
        urls,
        here="/watch.html",
        title="Watch",
        hero=whole,
        body=body,
        script=SCRIPT,
        needs=NEEDS,
    )


def _stage(design: Design) -> Html:
    """Return the title, the screen and what stands beside it."""
    kinds = "Films, music and a live channel" if has_channel(design) else "Films and music"
    head = element(
        "div",
        element("h1", "Watch"),
        element("p", f"{kinds}, kept and sent by {design.name}.", class_="lede"),
        class_="bill",
    )
    return join((head, _without(design), element("div", _screen(), _beside(), class_="stage")))


def _without(design: Design) -> Html:
    """Return what is said where no script runs: other players can play all of it."""
    live = (" The live channel is ", code(LIVE), ".") if has_channel(design) else ()
    words = element(
        "p",
        "This page plays with JavaScript, which is off or was not loaded. Any player that speaks HLS can do "
        "without the page: ",
        code(f"{MEDIA}index.json"),
        " lists the titles and each one’s master playlist.",
        *live,
        class_="card",
    )
    return element("noscript", words)


def _screen() -> Html:
    triangle = element(
        "svg",
        element("path", d="M9 5.5 L27 16 L9 26.5 Z"),
        viewBox="0 0 32 32",
        aria_hidden="true",
        focusable="false",
    )
    start = element("button", triangle, type="button", class_="start", data_start=True, hidden=True)
    video = element("video", data_video=True, playsinline=True, preload="none", aria_label="Player")
    empty = element("div", tree(1), class_="empty", data_empty=True)
    return element("div", video, empty, start, class_="screen")


def _beside() -> Html:
    """Return the card beside the screen: what is chosen, its plays, its quality, and what goes wrong."""
    quality = element(
        "label", "Quality ", element("select", data_quality=True), data_menu=True, hidden=True, class_="menu"
    )
    return element(
        "div",
        element("p", element("span", "", data_kind=True, class_="kind", hidden=True), class_="badges"),
        element("h2", "Nothing is chosen", data_name=True),
        element("p", "", data_note=True, class_="note"),
        element("p", "", data_plays=True, class_="plays", hidden=True),
        quality,
        element("p", "", role="status", data_message=True, class_="message"),
        element("button", "Try again", type="button", class_="quiet", data_again=True, hidden=True),
        element("p", "", data_counts=True, class_="counts", hidden=True),
        class_="card beside",
    )


def _readout(*, channel: bool) -> Html:
    """Return the band of figures: those of the picture on the screen, while it plays."""
    items = (
        element(
            "div",
            element("dt", label),
            element("dd", "–", data_read=key),
            element("dd", "\u00a0", data_detail=key, class_="detail"),
            data_only="live" if live else None,
            hidden=live,
        )
        for key, label, live in _READINGS
        if channel or not live
    )
    clutch = element(
        "figure",
        element("div", class_="eggs", data_eggs=True, aria_hidden="true"),
        element("figcaption", "Each segment that arrives lays an egg here.", data_clutch=True),
        class_="wrap clutch",
    )
    return element(
        "section",
        element("h2", "How it arrives", id="arrives", class_="unseen"),
        element("dl", join(items), class_="wrap"),
        clutch,
        class_="numbers readout",
        aria_labelledby="arrives",
        data_readout=True,
    )


def _tiles(design: Design, urls: Urls) -> Html:
    """Return the shelves; each shows itself when there is something on it."""
    shelves = [_shelf("Films", "video"), _shelf("Music", "audio")]
    if has_channel(design):
        picture = element(
            "picture",
            element("source", srcset=urls["dusk.png"], media="(prefers-color-scheme: dark)"),
            element("img", src=urls["dawn.png"], alt="", width=1500, height=750),
        )
        note = (
            "One picture for everybody, seconds old. When its encoder’s server is lost, it goes on by itself."
        )
        tile = element(
            "button",
            element("span", picture, element("span", "Live", class_="badge on"), class_="pic"),
            element(
                "span",
                element("strong", "The live channel"),
                element("span", note, class_="note"),
                class_="words",
            ),
            type="button",
            class_="tile broad",
            data_tune=True,
        )
        shelves.insert(0, section("On now", element("ul", element("li", tile), class_="shelf"), id_="live"))
    return join(shelves)


def _shelf(heading: str, kind: str) -> Html:
    shelf = element("ul", class_="shelf", data_list=kind)
    return element(
        "section", element("h2", heading, id=kind), shelf, aria_labelledby=kind, data_shelf=kind, hidden=True
    )


def _template() -> Html:
    """Return the markup of one tile, which the script fills for each title."""
    picture = element(
        "span",
        element("img", alt="", loading="lazy", width=640, height=360, data_slot="poster"),
        element("span", "", class_="badge", data_slot="length"),
        class_="pic",
    )
    words = element(
        "span",
        element("strong", "", data_slot="name"),
        element("span", "", class_="note", data_slot="note"),
        element("span", "", class_="plays", data_slot="plays", hidden=True),
        class_="words",
    )
    button = element("button", picture, words, type="button", class_="tile")
    return element("template", element("li", button), data_tile=True)


def _words(*, live: bool) -> Html:
    arrival = (
        "Which edge sent it, and whether it had it (",
        code("HIT"),
        ") or read it from behind (",
        code("MISS"),
        "), by the headers ",
        code("X-Served-By"),
        " and ",
        code("X-Cache"),
        ". An egg is green where the edge had it.",
    )
    items = (
        element("div", element("dt", element("strong", name)), element("dd", meaning))
        for name, meaning in (*_MEANINGS, ("The last segment", join(arrival)), *((_BEHIND,) if live else ()))
    )
    return section(
        "Reading the figures",
        element("dl", join(items), class_="legend meanings"),
        element("p", element("a", "What the words of X-Cache mean", href="/about.html")),
        id_="figures",
    )


_MEANINGS = (
    (
        "Rendition",
        (
            "Each film is kept in several sizes. The player changes between them as the network allows, or "
            "stays with the one you choose."
        ),
    ),
    (
        "Bandwidth",
        (
            "A moving mean over the segments so far. What the browser has in its own cache counts too, so it "
            "may be far above what the network gives."
        ),
    ),
    (
        "Buffer",
        (
            "How long the picture goes on if nothing arrives from now on. A lost server has that long to be "
            "replaced before anybody sees it."
        ),
    ),
    (
        "Frames dropped",
        "Pictures that were decoded too late to be shown: this machine’s doing, not the storage’s.",
    ),
)
_BEHIND = (
    "Behind live",
    "How old the picture is: segments are whole before they are sent, and some are kept in the buffer.",
)
