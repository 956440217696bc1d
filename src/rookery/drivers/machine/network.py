"""Linux networks of a lab: bridges, network namespaces, and the virtual cables between them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rookery.drivers.machine.process import run

_NAMESPACES = Path("/run/netns")
_UP = 1  # IFF_UP of <linux/if.h>
_BRIDGE_FILTER = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """A bridge of the machine; `address` (with prefix) is the machine's own on it, empty for none."""

    name: str
    address: str
    mtu: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Cable:
    """A veth pair from a bridge into a namespace. `inside` is the interface's name there."""

    outside: str
    inside: str
    bridge: str
    address: str
    mtu: int


def ensure_bridges(bridges: Iterable[Bridge]) -> None:
    """Make each bridge that is missing, and bring all of them up."""
    links = set(link_names())
    batch: list[str] = []
    for bridge in bridges:
        if bridge.name not in links:
            batch.append(f"link add {bridge.name} mtu {bridge.mtu} type bridge")
        if bridge.address:
            batch.append(f"address replace {bridge.address} dev {bridge.name}")
        batch.append(f"link set {bridge.name} up")
    _batch(batch)


def ensure_namespace(name: str, cables: Iterable[Cable]) -> None:
    """Make a network namespace with its cables.

    What an interrupted run left half made is made anew: a cable is one command or two, never trusted.
    """
    place = _NAMESPACES / name
    if place.exists() and not os.path.ismount(place):
        place.unlink()  # `ip` was killed between the file and the namespace that it puts there
    if not place.exists():
        run(("ip", "netns", "add", name))
    outside = set(link_names())
    before: list[str] = []
    after: list[str] = []
    inside: list[str] = ["link set lo up"]
    for cable in cables:
        if cable.outside in outside and is_plugged(cable.outside, cable.bridge):
            if not is_on(cable.outside):
                after.append(f"link set {cable.outside} up")
            continue
        if cable.outside in outside:
            before.append(f"link delete {cable.outside}")
        before.append(
            f"link add {cable.outside} mtu {cable.mtu} type veth"
            f" peer name {cable.inside} address {hardware_address(cable)} mtu {cable.mtu} netns {name}"
        )
        after.append(f"link set {cable.outside} master {cable.bridge} up")
        inside.append(f"address replace {cable.address} dev {cable.inside}")
        inside.append(f"link set {cable.inside} up")
    _batch(before)
    _batch(inside, namespace=name)
    # Plugged in last: a cable in its bridge is whole, which is what `is_plugged` tells of it.
    _batch(after)


def hardware_address(cable: Cable) -> str:
    """Return the inner end's hardware address (MAC): the same in each life of a server.

    With another one, whoever spoke with it before would send to the old for up to a minute.
    """
    digits = hashlib.sha256(cable.outside.encode()).hexdigest()
    return ":".join(("02", *(digits[at : at + 2] for at in range(0, 10, 2))))  # 02: administered locally


def renew_namespace(name: str, cables: Sequence[Cable]) -> None:
    """Make a namespace with its cables anew, without whatever its last life left in it."""
    outside = set(link_names())
    # First and by themselves: with their namespace they would go some time later.
    delete_links(cable.outside for cable in cables if cable.outside in outside)
    if name in namespace_names():
        delete_namespaces((name,))
    ensure_namespace(name, cables)


def is_plugged(link: str, bridge: str) -> bool:
    """Tell whether a link is a port of a bridge."""
    return (Path("/sys/class/net") / bridge / "brif" / link).exists()


def is_on(link: str) -> bool:
    """Tell whether a link is set up; one that is not carries nothing, as a cable that is out."""
    try:
        return bool(int((Path("/sys/class/net") / link / "flags").read_text(encoding="utf-8"), 16) & _UP)
    except OSError:
        return False


def delete_namespaces(names: Iterable[str]) -> None:
    """Delete namespaces, and with them the inner ends of their cables."""
    _batch([f"netns delete {name}" for name in names], one_by_one=True)


def delete_links(names: Iterable[str]) -> None:
    _batch([f"link delete {name}" for name in names], one_by_one=True)


def turn_on(names: Iterable[str], *, namespace: str = "") -> None:
    """Set links up, of this machine or of a namespace."""
    _batch([f"link set {name} up" for name in names], namespace=namespace, one_by_one=True)


def turn_off(names: Iterable[str]) -> None:
    """Set links of this machine down: at their other ends the carrier is lost."""
    _batch([f"link set {name} down" for name in names])


def link_names() -> tuple[str, ...]:
    """Return the names of the machine's network links."""
    return tuple(sorted(path.name for path in Path("/sys/class/net").iterdir()))


def namespace_names() -> tuple[str, ...]:
    return tuple(sorted(path.name for path in _NAMESPACES.iterdir())) if _NAMESPACES.is_dir() else ()


def routes() -> tuple[tuple[str, str], ...]:
    """Return the machine's IPv4 routes as (network, interface), the default route as 0.0.0.0/0."""
    found = json.loads(run(("ip", "-json", "-4", "route", "show", "table", "main")) or "[]")
    pairs = []
    for route in found:
        network = "0.0.0.0/0" if route["dst"] == "default" else route["dst"]
        pairs.append((network if "/" in network else f"{network}/32", route.get("dev", "")))
    return tuple(pairs)


def bridged_traffic_is_filtered() -> bool:
    """Tell whether the machine's packet filter sees frames between two ports of one bridge."""
    try:
        return _BRIDGE_FILTER.read_text(encoding="utf-8").strip() == "1"
    except OSError:
        return False


def _batch(lines: list[str], *, namespace: str = "", one_by_one: bool = False) -> None:
    """Run several `ip` commands in one process; `one_by_one` goes on past a line that fails."""
    if not lines:
        return
    argv = [
        "ip",
        *(("-n", namespace) if namespace else ()),
        *(("-force",) if one_by_one else ()),
        "-batch",
        "-",
    ]
    run(argv, stdin="\n".join(lines) + "\n")
