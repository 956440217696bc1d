"""Which program listens at which port, and how each port is protected.

The numbers are the design's. How an application's port is protected, its row says, beside the constant that
the program's configuration uses; how Ceph's are, is said here.
"""

from __future__ import annotations

from collections.abc import Iterator

from rookery.apps.table import APPS
from rookery.design.model import DaemonKind, Design, Frontend, Instance
from rookery.design.placement import DASHBOARD_PORT, MON_PORTS, RGW_PORT
from rookery.projections.document.blocks import Table, Words, code
from rookery.projections.document.source import names

BALANCER_STATUS_PORT = 9000
"""That of `projections/haproxy.py`; a test compares them."""

Row = tuple[str, str, tuple[str, ...], str]
"""Program, port, the hosts where it listens, how it is protected."""


def ports_table(design: Design) -> Table | None:
    """Return the ports of the load balancer; None where the design has none."""
    if not design.frontends:
        return None
    rows = tuple(
        (front.name, str(front.port), f"port {front.backend_port}", _checked(front))
        for front in design.frontends
    )
    heads = ("Service", "Port", "Passed to", "Health is asked")
    return Table(caption="Ports of the load balancer", heads=heads, rows=rows, right=(1,))


def _checked(front: Frontend) -> Words:
    port = front.check_port or front.backend_port
    how = "HTTP" if front.check_clear else "HTTPS"
    return (f"{how}, port {port}, ", code(front.check))


def listeners_table(design: Design) -> Table:
    """Return what listens on the servers of the native platform."""
    found = (*_ceph(design), *_dashboard(design), *_instances(design), *_balancer(design))
    rows: tuple[tuple[Words, ...], ...] = tuple(
        (program, port, names(hosts), protection) for program, port, hosts, protection in found
    )
    heads = ("Program", "Port", "On", "Protected by")
    return Table(caption="Ports of the servers", heads=heads, rows=rows, right=(1,))


def _ceph(design: Design) -> Iterator[Row]:
    msgr2, msgr1 = MON_PORTS
    secure = design.network.encryption
    mode = "cephx; encrypted (msgr2)" if secure else "cephx; not encrypted (msgr2 in crc mode, msgr1)"
    mons = _hosts(design, DaemonKind.MON)
    yield "mon", str(msgr2) if secure else f"{msgr2}, {msgr1}", mons, mode
    others = (DaemonKind.MGR, DaemonKind.OSD, DaemonKind.MDS)
    kinds = [kind for kind in others if design.with_daemon(kind)]
    hosts = [host.name for host in design.hosts if any(host.daemons_of(kind) for kind in kinds)]
    yield ", ".join(kinds), "from 6800", tuple(hosts), mode
    if gateways := _hosts(design, DaemonKind.RGW):
        yield "rgw", str(RGW_PORT), gateways, "TLS; S3 signatures"


def _hosts(design: Design, kind: DaemonKind) -> tuple[str, ...]:
    return tuple(dict.fromkeys(host.name for host, _ in design.with_daemon(kind)))


def _dashboard(design: Design) -> Iterator[Row]:
    if design.dashboard:
        hosts = _hosts(design, DaemonKind.MGR)
        yield "dashboard", str(DASHBOARD_PORT), hosts, "TLS 1.2 or newer; user and password"


def _instances(design: Design) -> Iterator[Row]:
    """Yield each port of each component once, with all hosts that run it."""
    for app in design.apps:
        row = APPS[app.name].on_servers
        ports = row.ports if row is not None else ()
        protected = {(port.component, port.number): port.protected for port in ports}
        found: dict[tuple[Instance, int], list[str]] = {}
        for host, instance in app.placements:
            for port in instance.ports:
                found.setdefault((instance, port), []).append(host)
        for (instance, port), hosts in found.items():
            yield instance.name, str(port), tuple(hosts), protected[instance.component, port]


def _balancer(design: Design) -> Iterator[Row]:
    balancer = design.load_balancer
    if balancer is not None:
        words = "in clear: its status page and figures"
        yield "load balancer", str(BALANCER_STATUS_PORT), (balancer.name,), words
