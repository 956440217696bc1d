"""The delivery page: how the CDN works, with a panel that asks an edge and shows its answer."""

# ruff: noqa: RUF001  the multiplication sign, dashes and apostrophes are meant

from __future__ import annotations

from rookery.apps.cdn.site.pages.facts import decimal_size, edge_cache, edges, name_range, number, plural
from rookery.apps.cdn.site.pages.layout import Urls, page
from rookery.design.model import DaemonKind, Design
from rookery.markup.html import Html, code, element, join, section, table

SCRIPT = "delivery.js"

# What the panel shows of each answer, in this order.
HEADERS = ("X-Cache", "X-Served-By", "Age", "Cache-Control", "ETag", "Content-Type", "Content-Range")


def render_delivery(design: Design, urls: Urls) -> Html:
    lede = "A site in a bucket, edges before it, and an answer even when the bucket cannot be reached."
    hero = join((element("h1", "Delivery"), element("p", lede, class_="lede")))
    parts = (_panel(urls), _words(), _how(design), _safe())
    body = element("div", join(parts, "\n"), class_="wrap")
    return page(design, urls, here="/about.html", title="Delivery", hero=hero, body=body, script=SCRIPT)


def _panel(urls: Urls) -> Html:
    """Return the panel. It is hidden until its script runs, so nobody meets buttons that do nothing."""
    targets = (
        (urls["site.css"], "the style sheet"),
        (urls["dusk.png"], "a picture"),
        ("/design.json", "the design’s facts"),
    )
    options = (element("option", label, value=path) for path, label in targets)
    controls = element(
        "div",
        element("label", "Ask for ", element("select", join(options), name="target")),
        element("button", "Fetch", type="button", data_ask="plain"),
        element("button", "Only the first 100 bytes", type="button", data_ask="range", class_="quiet"),
        element("button", "Only if it has changed", type="button", data_ask="changed", class_="quiet"),
        class_="controls",
    )
    rows = (
        element("div", element("dt", name), element("dd", "–", data_header=name.lower())) for name in HEADERS
    )
    answer = element(
        "div",
        element("p", "Nothing asked yet.", class_="verdict", role="status", data_verdict=True),
        element("dl", join(rows), class_="facts headers"),
        class_="answer",
    )
    log = element(
        "div",
        element("h3", "Milliseconds, latest last"),
        element("ol", data_log=True, class_="log"),
        class_="past",
    )
    probe = element("div", controls, answer, log, class_="probe", data_probe=True, hidden=True)
    without = element(
        "noscript", element("p", "The panel needs JavaScript; the rest of the page does not.", class_="card")
    )
    lede = (
        "The panel asks for a file past your browser’s own cache, and shows what the edge says of its answer."
    )
    return section("Ask an edge", without, probe, id_="ask", lede=lede)


def _words() -> Html:
    rows = (
        (code("HIT"), "The edge had it, and it was fresh. Nothing behind the edge was asked."),
        (
            code("MISS"),
            "The edge did not have it: a gateway read it from the pool, and the edge kept a copy.",
        ),
        (code("EXPIRED"), "The copy was too old; the gateway sent a new one."),
        (code("REVALIDATED"), "The copy was too old, the gateway said by its ETag that it is still right."),
        (
            code("UPDATING"),
            "You got the old copy at once, while the edge fetches a new one behind your back.",
        ),
        (code("STALE"), "The gateways did not answer, so the edge gave what it had."),
    )
    return section(
        "The words of X-Cache", table("Values of X-Cache", ("Value", "Meaning"), rows), id_="words"
    )


def _how(design: Design) -> Html:
    """Return what an edge does, one card for each thing."""
    found, gateways = edges(design), len(design.with_daemon(DaemonKind.RGW))
    names = name_range([host.name for host in found])
    size = decimal_size(edge_cache(design))
    first = (
        f"{plural(len(found), 'edge')} ({names}), each with up to {size} of its server’s disk. Pages are "
        f"fresh for a minute; files whose name carries a hash of their content, for a year."
    )
    failure = (
        f"An edge knows {_gateways(gateways)} and tries the next when one fails. When none answers, it "
        f"gives out what it has, however old: late news is better than none."
    )
    cards = (("Cache", first), *_HABITS, ("Failure", failure), _LOSS)
    items = (
        element("li", element("h3", title), element("p", words), class_="card") for title, words in cards
    )
    return section("What an edge does", element("ul", join(items), class_="cards"), id_="how")


_HABITS = (
    (
        "ETag",
        (
            "Every file has one. A browser that still has the file asks only whether it has changed, and a "
            "copy that has grown old in an edge is confirmed in the same way, without being sent again."
        ),
    ),
    ("Ranges", "Part of a file is answered from the cache too: that is how a film is wound forward."),
    (
        "Crowds",
        (
            "When many ask at once for what an edge does not have, one request goes to the gateways and the "
            "others wait for its answer."
        ),
    ),
)
_LOSS = (
    "Loss of an edge",
    "The load balancer asks every edge whether it is well, and sends nobody to one that does not say so.",
)


def _gateways(count: int) -> str:
    return "the one gateway" if count == 1 else f"all {number(count)} gateways"


def _safe() -> Html:
    words = (
        "The bucket is open to the edges alone, by their addresses, and for reading. The edges speak TLS "
        "to both sides and check the gateways’ certificates. This page runs no script, style, font or "
        "picture from anywhere but here: its content security policy allows nothing else."
    )
    return section("Who may do what", element("p", words), id_="safe")


def render_missing(design: Design, urls: Urls) -> Html:
    """Return the page for what is not there."""
    hero = join(
        (
            element("p", "404", class_="figure"),
            element("h1", "This nest is empty"),
            element("p", "There is no object of that name in the bucket. It may have flown.", class_="lede"),
            element("p", element("a", "Back to the overview", href="/", class_="button"), class_="actions"),
        )
    )
    return page(design, urls, here="/404.html", title="Not found", hero=hero, body=Html(""))
