"""Which program listens at which port, and how each port is protected.

The numbers are the design's. What a port is for and how it is protected, the program that opens it decides;
it is said here beside the constant that the program's configuration uses.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rookery.apps.catalogue.config import API_PORT as CATALOGUE_PORT
from rookery.apps.cdn.nginx import DIRECT_PORT, HEALTH_PORT, HTTPS_PORT
from rookery.apps.database import etcd, patroni
from rookery.apps.streaming.origin import ORIGIN_PORT
from rookery.design.model import DaemonKind, Design, Frontend
from rookery.design.placement import DASHBOARD_PORT, MON_PORTS, RGW_PORT
from rookery.projections.document.blocks import Table, Words, code
from rookery.projections.document.source import names

BALANCER_STATUS_PORT = 9000
"""That of `projections/haproxy.py`; a test compares them."""

Row = tuple[str, str, tuple[str, ...], str]
"""Program, port, the hosts where it listens, how it is protected."""

_TLS = "TLS"
_INSTANCE_PORTS: Mapping[tuple[str, int], str] = {
    ("cdn-edge", HTTPS_PORT): "TLS 1.2 or 1.3; behind the load balancer",
    ("cdn-edge", DIRECT_PORT): "TLS 1.2 or 1.3; one edge by itself",
    ("cdn-edge", HEALTH_PORT): "in clear: says that it is well, nothing else",
    ("database-postgres", patroni.POSTGRES_PORT): "TLS 1.2 or newer, scram-sha-256",
    ("database-postgres", patroni.API_PORT): "TLS; changes need a password",
    ("database-etcd", etcd.CLIENT_PORT): "TLS, with a client's certificate of etcd's authority",
    ("database-etcd", etcd.PEER_PORT): "TLS, with a member's certificate of etcd's authority",
    ("catalogue-api", CATALOGUE_PORT): _TLS,
    ("streaming-origin", ORIGIN_PORT): "TLS 1.2 or 1.3",
}


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
        yield "rgw", str(RGW_PORT), gateways, f"{_TLS}; S3 signatures"


def _hosts(design: Design, kind: DaemonKind) -> tuple[str, ...]:
    return tuple(dict.fromkeys(host.name for host, _ in design.with_daemon(kind)))


def _dashboard(design: Design) -> Iterator[Row]:
    if design.dashboard:
        hosts = _hosts(design, DaemonKind.MGR)
        yield "dashboard", str(DASHBOARD_PORT), hosts, "TLS 1.2 or newer; user and password"


def _instances(design: Design) -> Iterator[Row]:
    """Yield each port of each component once, with all hosts that run it."""
    found: dict[tuple[str, int], list[str]] = {}
    for app in design.apps:
        for host, instance in app.placements:
            for port in instance.ports:
                found.setdefault((instance.name, port), []).append(host)
    for (name, port), hosts in found.items():
        yield name, str(port), tuple(hosts), _INSTANCE_PORTS.get((name, port), "as the application does it")


def _balancer(design: Design) -> Iterator[Row]:
    balancer = design.load_balancer
    if balancer is not None:
        words = "in clear: its status page and figures"
        yield "load balancer", str(BALANCER_STATUS_PORT), (balancer.name,), words
