"""The first page: what this system is, in its own numbers."""

# ruff: noqa: RUF001  the multiplication sign, dashes and apostrophes are meant

from __future__ import annotations

from rookery.apps.cdn.site.pages.facts import (
    Service,
    capacity,
    decimal_size,
    edges,
    losses_served,
    number,
    object_pool,
    plural,
    scheme,
    services,
    storage_hosts,
    streams,
    survives_a_host,
)
from rookery.apps.cdn.site.pages.layout import Urls, page
from rookery.apps.cdn.site.pages.route import route_pictures
from rookery.design.model import DaemonKind, Design
from rookery.markup.glyphs import tree
from rookery.markup.html import Html, element, join, section


def render_home(design: Design, urls: Urls) -> Html:
    body = join(
        (_numbers(design), element("div", _way(design), _reading(design), _offers(design), class_="wrap"))
    )
    return page(design, urls, here="/", title="Overview", hero=_hero(design), body=body)


def _hero(design: Design) -> Html:
    claim = "Lose a tree. Keep the colony." if survives_a_host(design) else "Many nests, high in the trees."
    kinds = [service.name.lower() for service in services(design)]
    listed = " and ".join(filter(None, (", ".join(kinds[:-1]), kinds[-1]))) if kinds else "no"
    servers = plural(len(design.servers), "server")
    where = design.traits.place
    lede = (
        f"{design.name} is a complete {listed} storage system on Ceph: {servers} on {where}, with the "
        f"applications that use them. You are reading it through its own CDN."
    )
    own = (element("p", design.description, class_="own"),) if design.description else ()
    watch = (element("a", "Watch a film", href="/watch.html", class_="button"),) if streams(design) else ()
    return element(
        "div",
        element("h1", claim),
        element("p", lede, class_="lede"),
        *own,
        element(
            "p",
            *watch,
            element("a", "See the design", href="/design.html", class_="button quiet" if watch else "button"),
            element("a", "Watch it deliver", href="/about.html", class_="button quiet"),
            class_="actions",
        ),
        class_="claim",
    )


def _numbers(design: Design) -> Html:
    """Return the band of figures under the skyline."""
    room, pool = capacity(design), object_pool(design)
    daemons = sum(len(host.daemons) for host in design.hosts)
    pairs = [
        (f"{len(design.servers):,}", "server" if len(design.servers) == 1 else "servers"),
        (f"{daemons:,}", "Ceph daemons"),
        (f"{len(design.with_daemon(DaemonKind.OSD)):,}", "drives, an OSD on each"),
        (decimal_size(room.raw), "raw capacity"),
        (decimal_size(room.usable), "usable, with room to spare"),
        (f"{len(edges(design)):,}", "edge" if len(edges(design)) == 1 else "edges"),
    ]
    if pool is not None:
        code = pool.erasure_code
        shown = f"{code.k}+{code.m}" if code else f"×{pool.size}"
        pairs.insert(5, (shown, "chunks of each object" if code else "copies of each object"))
    items = (element("div", element("dt", label), element("dd", value)) for value, label in pairs)
    return element("div", element("dl", join(items), class_="wrap"), class_="numbers")


def _way(design: Design) -> Html:
    lede = "From the window you are looking through down to the drives, and back."
    return section("The way of a request", route_pictures(design), id_="way", lede=lede)


def _reading(design: Design) -> Html:
    """Return the legend: the picture language that all pages share."""
    pool = object_pool(design)
    kept = scheme(pool) if pool else "several copies"
    items = (
        (
            tree(0),
            "A tree is a server",
            "It can fall: power, network, board. So no two copies stand on the same one.",
        ),
        (
            tree(2),
            "A nest is an OSD",
            "One daemon of Ceph on one drive of its own, which it fills and guards.",
        ),
        (
            tree(2, ("copy", "")),
            "An egg is a copy",
            f"Each object here is kept as {kept}, every part of it in another tree.",
        ),
    )
    cards = (
        element("li", picture, element("h3", title), element("p", words), class_="card")
        for picture, title, words in items
    )
    return section(
        "How to read the pictures", element("ul", join(cards), class_="cards reading"), id_="reading"
    )


_USES = {
    "Block": "Disks over the network. One instance at a time mounts one, and takes it along when it moves.",
    "File": "One directory tree that many servers mount at once, with a metadata server to keep the order.",
    "Object": "Buckets over S3: web sites, backups and media, through gateways that keep no state.",
}


def _offers(design: Design) -> Html:
    hosts = len(storage_hosts(design))
    cards = [_offer(service, losses_served(service.data, hosts)) for service in services(design)]
    return section(
        "What it keeps, and how",
        element("ul", join(cards), class_="cards"),
        element("p", element("a", "More on storage", href="/storage.html")),
        id_="offers",
    )


def _offer(service: Service, losses: int) -> Html:
    kept = scheme(service.data)
    servers = "server" if losses == 1 else "servers"
    goes_on = (
        f"Reads and writes go on with {number(losses)} {servers} lost."
        if losses
        else "Reads and writes stop when a server is lost."
    )
    return element(
        "li",
        element("h3", service.name, " ", element("small", service.kind)),
        element("p", _USES[service.name]),
        element("p", element("strong", kept[0].upper() + kept[1:]), ". ", goes_on),
        class_="card",
    )
