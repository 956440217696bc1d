"""The design page: every host, pool, network and port, alike hosts grouped so that a thousand fit."""

# ruff: noqa: RUF001  the multiplication sign, dashes and apostrophes are meant

from __future__ import annotations

from collections import Counter

from rookery.apps.cdn.nginx import DOCUMENT
from rookery.apps.cdn.site.pages.facts import (
    Group,
    decimal_size,
    drive_summary,
    group_hosts,
    losses_kept,
    name_range,
    plural,
    scheme,
)
from rookery.apps.cdn.site.pages.layout import Urls, page
from rookery.design.model import Design, Frontend, Host, Role
from rookery.design.stored import Pool
from rookery.markup.glyphs import host_picture
from rookery.markup.html import Html, code, element, facts, join, section, table
from rookery.units import format_size

MOST_ROWS = 40  # hosts that a table lists one by one; more are listed by kind

_ROLES = {
    Role.CONTROL_PLANE: "control plane",
    Role.WORKER: "worker",
    Role.STORAGE: "storage",
    Role.LOAD_BALANCER: "load balancer",
}


_PLATFORMS = {"native": "Ceph’s daemons directly on the servers", "kubernetes": "Kubernetes with Rook"}


def render_blueprint(design: Design, urls: Urls) -> Html:
    servers = plural(len(design.servers), "server")
    lede = (
        f"{servers} on {design.traits.place}, as the design has them: what each one is for, what runs "
        f"on it, and where it is reached."
    )
    document = element(
        "p",
        element("a", "The whole design as one document", href=f"/{DOCUMENT}"),
        ": with its drawing, what it survives, and what it would cost.",
        class_="lede",
    )
    hero = join((element("h1", "The design"), element("p", lede, class_="lede"), document))
    parts = (_stand(design), _hosts(design), _pools(design), _networks(design), _ports(design))
    body = element("div", join(filter(None, parts), "\n"), class_="wrap")
    return page(design, urls, here="/design.html", title="Design", hero=hero, body=body)


def _stand(design: Design) -> Html:
    """Return one card for each kind of host."""
    cards = (_card(group) for group in group_hosts(design))
    lede = "Servers that differ only in name and address share a card."
    return section(
        "The stand", element("ul", join(cards, "\n"), class_="cards stand"), id_="stand", lede=lede
    )


def _card(group: Group) -> Html:
    host = group.one
    names = [host.name for host in group.hosts]
    pairs = [("Machine", machine(host))]
    if host.drives:
        pairs.append(("Data drives", drive_summary(host)))
    pairs.append(("Address" if len(names) == 1 else "Addresses", _addresses(group.hosts)))
    count = element("span", f"× {len(names):,}", class_="count") if len(names) > 1 else ""
    return element(
        "li",
        element("p", roles(host), count, class_="role"),
        element("h3", name_range(names, 3)),
        host_picture(host),
        _chips(host),
        facts(pairs),
        class_="card host" + (" many" if len(names) > 1 else ""),
    )


def roles(host: Host) -> str:
    return " + ".join(_ROLES[role] for role in host.roles)


def machine(host: Host) -> str:
    """Write a machine's size; a cloud's load balancer has none that would be ours to choose."""
    if not host.cpus:
        return "the provider’s"
    cpus = "1\u00a0CPU" if host.cpus == 1 else f"{host.cpus}\u00a0CPUs"
    memory = format_size(host.memory).replace(" ", "\u00a0")
    return f"{cpus}, {memory} memory, {decimal_size(host.disk)} disk"


def _addresses(hosts: tuple[Host, ...]) -> str:
    return name_range([host.address for host in hosts], 2)


def running(host: Host) -> list[tuple[str, str]]:
    """Return what runs on a host as (kind, label), alike daemons counted."""
    kinds = Counter(daemon.kind for daemon in host.daemons)
    found = [(str(kind), f"{kind} × {count}" if count > 1 else str(kind)) for kind, count in kinds.items()]
    return found + [("app", instance.name) for instance in host.instances]


def _chips(host: Host) -> Html:
    items = [element("li", label, class_=f"chip {kind}") for kind, label in running(host)]
    if not items and Role.CONTROL_PLANE in host.roles:
        items = [element("li", "administration", class_="chip")]
    return element("ul", join(items), class_="chips", aria_label="What runs here") if items else Html("")


def _hosts(design: Design) -> Html:
    """Return the table of hosts, one by one while they are few."""
    if len(design.hosts) <= MOST_ROWS:
        groups = tuple(Group(hosts=(host,)) for host in design.hosts)
    else:
        groups = group_hosts(design)
    cluster = any(host.cluster_address for host in design.hosts)
    heads = [
        "Host",
        "Role",
        "Address",
        *(["Replication address"] if cluster else []),
        "Machine",
        "Data drives",
        "Runs",
    ]
    rows = []
    for group in groups:
        host = group.one
        extra = [
            code(name_range([each.cluster_address for each in group.hosts], 2))
            if host.cluster_address
            else "–"
        ]
        runs = ", ".join(name for name in _everything(host, grouped=len(group.hosts) > 1)) or "–"
        rows.append(
            [
                _name(group),
                roles(host),
                code(_addresses(group.hosts)),
                *(extra if cluster else []),
                machine(host),
                drive_summary(host) or "–",
                runs,
            ]
        )
    return section("Every host", table("Hosts of the system", heads, rows), id_="hosts")


def _name(group: Group) -> str:
    names = name_range([host.name for host in group.hosts], 3)
    return f"{names} ({len(group.hosts):,})" if len(group.hosts) > 1 else names


def _everything(host: Host, *, grouped: bool) -> list[str]:
    """Return what runs on a host, with the daemons' own names where a row is about one host."""
    if grouped:
        return [label for _, label in running(host)]
    return [*(daemon.name for daemon in host.daemons), *(instance.name for instance in host.instances)]


def _pools(design: Design) -> Html:
    heads = ("Pool", "For", "Kept as", "Works with", "Data survives", "PGs", "Overhead")
    rows = [_pool_row(pool, len(design.with_role(Role.STORAGE))) for pool in design.pools]
    lede = (
        "A pool decides how data is kept. It reads and writes while at least its minimum of copies or "
        "chunks is there; its data survives the loss of as many servers as the table says."
    )
    return section("Pools", table("Ceph pools", heads, rows), id_="pools", lede=lede)


def _pool_row(pool: Pool, hosts: int) -> list[str]:
    lost = losses_kept(pool, hosts)
    return [
        code(pool.name),
        pool.application,
        scheme(pool),
        f"{pool.min_size} of {pool.size}",
        "no loss" if not lost else "1 loss" if lost == 1 else f"{lost} losses",
        f"{pool.pg_num:,}",
        f"× {pool.overhead:.3g}",
    ]


def _networks(design: Design) -> Html:
    network = design.network
    pairs = [
        ("Public network", code(network.public)),
        ("Way out", code(network.gateway)),
        ("Replication", code(network.cluster) if network.cluster else "over the public network"),
        ("Largest packet", f"{network.mtu:,} bytes"),
        (
            "Between daemons",
            "encrypted (msgr2 secure mode)"
            if network.encryption
            else "checked, not encrypted (msgr2 crc mode)",
        ),
        ("Platform", _PLATFORMS.get(design.platform, design.platform)),
    ]
    return section("Networks", facts(pairs, "facts wide"), id_="networks")


def _ports(design: Design) -> Html:
    if not design.frontends:
        return Html("")
    heads = ("Service", "Port", "Passed to", "Health check")
    rows = [_port_row(front) for front in design.frontends]
    lede = (
        "The load balancer passes TCP through and ends no TLS: whoever answers proves itself to the browser. "
        "It asks each backend whether it is well, and leaves out those that are not."
    )
    return section("Doors", table("Ports of the load balancer", heads, rows), id_="ports", lede=lede)


def _port_row(front: Frontend) -> list[str]:
    names = [name for name, _ in front.backends]
    shown = name_range(names) + (f" ({len(names):,})" if len(names) > 4 else "")
    check = join((code(front.check), f" answers {front.check_status}"))
    return [front.name, str(front.port), f"{shown}, port {front.backend_port}", check]
