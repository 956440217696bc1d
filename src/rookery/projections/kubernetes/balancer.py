"""haproxy.cfg of the load balancer in front of the nodes: HAProxy 2.6 or later, as Debian and Ubuntu have it.

It does what a Gateway does inside a cluster that has one: looks at the name that a client asks for (SNI)
before TLS begins, and passes TLS through to the pods of that name. It keeps no key. API servers are behind
it where the cluster's endpoint is its address.
"""

from __future__ import annotations

from rookery.design.cluster import has_cilium
from rookery.design.model import Design, Frontend, Role
from rookery.projections.haproxy import render_head, render_listener
from rookery.projections.kubernetes.doors import Door, doors_of

_NOBODY = "127.0.0.1"

_CLEAR = """\
frontend clear
    mode http
    bind :80
    timeout client 10s
    http-request redirect scheme https code 301
"""


def needs_balancer(design: Design) -> bool:
    """Whether something of the user's own has to stand in front of the nodes: no Gateway, and no cloud's."""
    return not has_cilium(design) and design.traits.balancer != "cloud" and bool(doors_of(design))


def render_balancer(design: Design) -> str:
    """Return the load balancer's haproxy.cfg; where a Gateway is, that of the API servers alone."""
    balancer = design.load_balancer
    # Our own server shows its status to the network that it is in, others' to themselves.
    ours = balancer is not None and design.traits.balancer == "server"
    parts = [render_head(balancer.address if balancer is not None and ours else _NOBODY)]
    api = _api(design)
    if api is not None:
        parts.append(render_listener(api))
    doors = doors_of(design)
    if doors and not has_cilium(design):
        parts += [_CLEAR, _by_name(design, doors), *(_backend(design, door) for door in doors)]
    return "\n".join(parts)


def _api(design: Design) -> Frontend | None:
    """Return the API servers' port, where the cluster's endpoint is the load balancer."""
    cluster, balancer = design.kubernetes, design.load_balancer
    assert cluster is not None, "only a design on Kubernetes has this projection"
    if balancer is None or cluster.endpoint.rpartition(":")[0] != balancer.address:
        return None
    return next(front for front in design.frontends if front.name == "api")


def _by_name(design: Design, doors: tuple[Door, ...]) -> str:
    """Return the port that looks at the name that a client asks for, and refuses who asks for another."""
    assert design.kubernetes is not None
    hosts = {door.name: f"{door.name}.{design.kubernetes.domain}" for door in doors}
    lines = [
        "frontend by-name",
        "    bind :443",
        "    tcp-request inspect-delay 5s",
        f"    tcp-request content accept if {{ req.ssl_sni -i {' '.join(hosts.values())} }}",
        "    tcp-request content reject",
        *(f"    use_backend {name} if {{ req.ssl_sni -i {host} }}" for name, host in hosts.items()),
    ]
    return "\n".join(lines) + "\n"


def _backend(design: Design, door: Door) -> str:
    """Return the workers at the port of a door; any of them leads to its pods, wherever they are."""
    servers = [
        f"    server {host.name} {host.address}:{door.node_port} check"
        for host in design.with_role(Role.WORKER)
    ]
    return "\n".join([f"backend {door.name}", "    balance leastconn", *servers]) + "\n"
