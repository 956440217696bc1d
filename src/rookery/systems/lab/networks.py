"""A lab's networks: bridges, and for each server a namespace with its cables."""

from __future__ import annotations

import ipaddress

from rookery.design.model import Design, Host
from rookery.drivers.machine.network import Bridge, Cable, ensure_bridges, ensure_namespace
from rookery.systems.lab.paths import LabPaths


def ensure_network(design: Design, paths: LabPaths) -> None:
    """Make the bridges and give each server its namespace, address and cable."""
    ensure_bridges(_bridges(design, paths))
    for host in design.hosts:
        ensure_namespace(paths.namespace(host.name), host_cables(design, paths, host))


def _bridges(design: Design, paths: LabPaths) -> tuple[Bridge, ...]:
    network = design.network
    prefix = network.public.partition("/")[2]
    public = Bridge(name=paths.bridge("public"), address=f"{network.gateway}/{prefix}", mtu=network.mtu)
    if not network.cluster:
        return (public,)
    return (public, Bridge(name=paths.bridge("cluster"), address="", mtu=network.mtu))


def host_cables(design: Design, paths: LabPaths, host: Host) -> tuple[Cable, ...]:
    """Return the cables of a host, numbered as its address is: a new host moves nobody else's."""
    network = design.network
    base = ipaddress.IPv4Network(network.public).network_address
    number = int(ipaddress.IPv4Address(host.address)) - int(base)
    wanted = [("public", "eth0", host.address, network.public)]
    if host.cluster_address:
        wanted.append(("cluster", "eth1", host.cluster_address, network.cluster))
    return tuple(
        Cable(
            outside=paths.cable(number, name),
            inside=inside,
            bridge=paths.bridge(name),
            address=f"{address}/{cidr.partition('/')[2]}",
            mtu=network.mtu,
        )
        for name, inside, address, cidr in wanted
    )
