"""The storage page: what each way to store is for, where CRUSH puts the copies, how much fits."""

# ruff: noqa: RUF001  the multiplication sign, dashes and apostrophes are meant

from __future__ import annotations

from rookery.apps.cdn.site.pages.facts import (
    NEARFULL,
    Capacity,
    Service,
    capacity,
    decimal_size,
    heals_a_host,
    losses_kept,
    losses_served,
    name_range,
    number,
    plural,
    scheme,
    services,
    storage_hosts,
)
from rookery.apps.cdn.site.pages.layout import Urls, page
from rookery.design.model import DaemonKind, Design, Host
from rookery.design.stored import Pool
from rookery.markup.glyphs import MOST_NESTS, tree
from rookery.markup.html import Html, code, element, facts, join, section, table

_PARTS = (
    ("usable", "Usable", "what users can store"),
    ("redundancy", "Redundancy", "further copies, or coding chunks"),
    ("slack", "Headroom", f"above {NEARFULL:.0%} full Ceph warns; plan to stay below"),
    ("reserve", "Room to heal", "as much as one server holds, so that its loss can be made good"),
)


def render_storage(design: Design, urls: Urls) -> Html:
    lede = (
        "Three ways to store, one flock of drives under them all, and a rule that says where each copy goes."
    )
    hero = join((element("h1", "Storage"), element("p", lede, class_="lede")))
    parts = (_ways(design), *_placements(design), _losses(design), _room(design))
    body = element("div", join(filter(None, parts), "\n"), class_="wrap")
    return page(design, urls, here="/storage.html", title="Storage", hero=hero, body=body)


def _ways(design: Design) -> Html:
    found = {service.name: service for service in services(design)}
    cards = (_way(design, name, found.get(name)) for name in ("Block", "File", "Object"))
    return section("Block, file, object", element("ul", join(cards), class_="cards"), id_="ways")


def _way(design: Design, name: str, service: Service | None) -> Html:
    if service is None:
        words = element("p", "This design does without it.")
        return element("li", element("h3", name), words, class_="card off")
    use, pairs = {"Block": _block, "File": _file, "Object": _object}[name](design)
    pools = join((code(pool.name) for pool in service.pools if pool.share), " ")
    pairs = [("Kept as", scheme(service.data)), *pairs, ("Pools", pools)]
    title = element("h3", name, " ", element("small", service.kind))
    return element("li", title, element("p", use), facts(pairs), class_="card")


def _block(_design: Design) -> tuple[str, list[tuple[str, str]]]:
    words = (
        "Volumes for what wants a disk of its own, databases above all: one instance mounts one volume, "
        "and on another server finds it as it was."
    )
    return words, [("Reached", "by librbd or the kernel, straight at the OSDs")]


def _file(design: Design) -> tuple[str, list[tuple[str, str]]]:
    words = (
        "A file system that many servers share. Names and directories are the metadata servers’ "
        "business; the bytes of a file go straight to the OSDs."
    )
    system, daemons = design.file_system, len(design.with_daemon(DaemonKind.MDS))
    active = system.active_mds if system else 0
    return words, [("Metadata servers", f"{active} active, {max(daemons - active, 0)} standing by")]


def _object(design: Design) -> tuple[str, list[tuple[str, str]]]:
    words = (
        "Buckets over HTTPS, by the S3 protocol. This site is one of them: its pages are objects that "
        "the CDN’s edges fetch and keep."
    )
    pairs = [("Gateways", f"{len(design.with_daemon(DaemonKind.RGW)):,}, all alike")]
    buckets = [bucket.name for bucket in design.buckets]
    if buckets:
        pairs.append(("Buckets", name_range(buckets)))
    return words, pairs


def _placements(design: Design) -> tuple[Html, ...]:
    """Return a picture for each scheme that the data pools use: all copies, or data and coding chunks."""
    seen: dict[str, Service] = {}
    for service in services(design):
        seen[scheme(service.data)] = service
    first = True
    found = []
    for service in seen.values():
        found.append(_placement(design, service.data, first=first))
        first = False
    return tuple(found)


def _placement(design: Design, pool: Pool, *, first: bool) -> Html:
    hosts = storage_hosts(design)
    eggs = _eggs(pool)
    shown = hosts[: min(len(hosts), max(len(eggs) + 1, 4), 12)]
    trees = (
        _tree(host, pool, eggs[index] if index < len(eggs) else None, index)
        for index, host in enumerate(shown)
    )
    left_out = len(hosts) - len(shown)
    rest = f" {plural(left_out, 'further server')} could have been chosen as well." if left_out else ""
    short = (
        f" There are {len(hosts)} storage servers for {len(eggs)} parts: some have no place yet."
        if len(hosts) < len(eggs)
        else ""
    )
    caption = (
        f"For example: an object of pool {pool.name}, {scheme(pool)}, each part in another tree.{rest}{short}"
    )
    title = "Where the copies go" if pool.erasure_code is None else "Where the chunks go"
    return section(
        title,
        _rule(pool) if first else Html(""),
        element(
            "figure",
            element("ul", join(trees), class_="grove"),
            element("figcaption", caption),
        ),
        id_=f"placement-{'copies' if pool.erasure_code is None else 'chunks'}-{pool.size}",
        lede=_scheme_words(pool),
    )


def _scheme_words(pool: Pool) -> str:
    ec = pool.erasure_code
    if ec is None:
        return (
            "The whole object lies in each of its places; the first of them takes reads and writes and "
            "passes writes on."
        )
    return (
        f"The object is cut into {number(ec.k)} data chunks, and {number(ec.m)} coding chunks are "
        f"computed from them: any {number(ec.k)} of the {number(ec.k + ec.m)} bring it back."
    )


def _rule(pool: Pool) -> Html:
    crush = (
        "From the group’s number and the map of servers and drives, CRUSH computes the places: first "
        "different servers, then a drive in each."
    )
    steps = (
        ("Name", "An object’s name is hashed."),
        ("Group", f"The hash picks one of the pool’s placement groups, {pool.pg_num:,} in {pool.name}."),
        ("CRUSH", crush),
        ("Anyone", "Every client computes the same answer. There is no table to ask, and none to lose."),
    )
    items = (element("li", element("strong", name), " ", words) for name, words in steps)
    return element("ol", join(items), class_="steps")


def _eggs(pool: Pool) -> list[tuple[str, str]]:
    """Return the class and the words of each part of an object."""
    ec = pool.erasure_code
    if ec is None:
        return [("copy", "first copy" if index == 0 else f"copy {index + 1}") for index in range(pool.size)]
    data = [("copy", f"data {index + 1}") for index in range(ec.k)]
    return data + [("coding", f"coding {index + 1}") for index in range(ec.m)]


def _tree(host: Host, pool: Pool, egg: tuple[str, str] | None, index: int) -> Html:
    """Return a host as a tree with the drives that the pool may use, and its part of the object."""
    fitting = {drive.name for drive in host.drives if pool.device_class in {"", drive.device_class}}
    osds = [daemon for daemon in host.daemons_of(DaemonKind.OSD) if daemon.drive in fitting]
    nests = min(len(osds), MOST_NESTS)
    place = (index * 2 + 1) % nests if nests else 0
    place = (place + index // 2) % nests if nests else 0
    eggs = [egg[0] if egg and number == place else "" for number in range(nests)]
    words = f"{egg[1]} in {osds[place].name}" if egg and nests else "no part of it"
    return element(
        "li",
        tree(nests, eggs),
        element("strong", host.name),
        element("span", words),
        class_="" if egg else "bare",
    )


def _losses(design: Design) -> Html:
    rows, hosts = [], len(storage_hosts(design))
    for service in services(design):
        pool = service.data
        counts = _count(losses_served(pool, hosts)), _count(losses_kept(pool, hosts))
        rows.append([service.name, scheme(pool), *counts])
    words = (
        "A lost server’s copies are made again on the servers that are left: there are more of them than "
        "an object has parts, so the system heals by itself, without waiting for the server to come back."
        if heals_a_host(design)
        else "An object has as many parts as there are storage servers, or more: while one is lost, the "
        "others serve its data, and wait for it before they are complete again. One server more would "
        "let them heal."
    )
    heads = ("Way", "Kept as", "Servers lost, still serving", "Servers lost, data kept")
    return section(
        "When a tree falls", table("What each way to store survives", heads, rows), id_="losses", lede=words
    )


def _count(losses: int) -> str:
    return "none" if losses == 0 else f"up to {losses}" if losses > 1 else "1"


def _room(design: Design) -> Html:
    """Return where the raw bytes go, as a bar and its legend, and what one service could hold alone."""
    room = capacity(design)
    lede = (
        f"{decimal_size(room.raw)} of drives hold {decimal_size(room.usable)} of users’ data with a "
        f"clear conscience, if the pools fill in the proportions that the design expects."
    )
    available = room.raw - room.reserve - room.slack
    rows = [
        [
            service.name,
            scheme(service.data),
            f"× {service.data.overhead:.3g}",
            decimal_size(available / service.data.overhead),
        ]
        for service in services(design)
    ]
    return section(
        "How much fits",
        _bar(room),
        table("If one way to store took everything", ("Way", "Kept as", "Raw per byte", "Would hold"), rows),
        id_="room",
        lede=lede,
    )


def _bar(room: Capacity) -> Html:
    rects, entries, x = [], [], 0.0
    for name, title, words in _PARTS:
        size = getattr(room, name)
        if not size:
            continue
        width = 1000 * size / room.raw
        rects.append(element("rect", x=x, y=0, width=width, height=36, class_=name))
        x += width
        key = element(
            "svg",
            element("rect", width=12, height=12, rx=3, class_=name),
            viewBox="0 0 12 12",
            aria_hidden="true",
        )
        entries.append(
            element(
                "div",
                element("dt", key, title),
                element("dd", element("strong", decimal_size(size)), " ", words),
            )
        )
    label = f"Of {decimal_size(room.raw)} raw, {decimal_size(room.usable)} are usable."
    picture = element(
        "svg",
        join(rects),
        viewBox="0 0 1000 36",
        preserveAspectRatio="none",
        role="img",
        aria_label=label,
        class_="bar",
    )
    return element("figure", picture, element("dl", join(entries), class_="legend"), class_="room")
