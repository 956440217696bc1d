"""Actions that do something: what each means for the machines that stand behind an account.

What is to be done is read from the account when the action begins, and carried out beside it; the action does
not end before.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from rookery.clouds.hetzner.fake.account import Account
from rookery.clouds.hetzner.fake.effects import server_of
from rookery.clouds.hetzner.fake.machines import Card, Disk, Machine, Machines, Sending
from rookery.clouds.hetzner.fake.selectors import parse_selector
from rookery.clouds.hetzner.fake.things import Action, Link, LoadBalancer, Server, Volume
from rookery.units import GIB

Deed = Callable[[], None]
Work = Callable[[Account, Machines, Action], Deed | None]

_AT_ONCE = 16
_FRESH = 1.0  # seconds that a load balancer's word of its targets counts


class Hands:
    """Carries out what actions mean, several at a time."""

    def __init__(self, machines: Machines, lock: threading.RLock) -> None:
        self._machines = machines
        self._lock = lock
        self._pool = ThreadPoolExecutor(_AT_ONCE, thread_name_prefix="hetzner-machines")
        self._health: dict[int, tuple[float, Mapping[tuple[int, int], str]]] = {}

    def begin(self, account: Account, action: Action) -> None:
        """Begin what an action means; the account hears when it is done."""
        work = WORK.get(action.command)
        deed = work(account, self._machines, action) if work else None
        if deed is not None:
            account.busy.add(action.id)
            self._pool.submit(self._carry_out, account, action, deed)

    def _carry_out(self, account: Account, action: Action, deed: Deed) -> None:
        broke = ""
        try:
            deed()
        except Exception as error:  # noqa: BLE001 - whatever it is, the action says it
            broke = f"{type(error).__name__}: {error}"
        with self._lock:
            account.busy.discard(action.id)
            action.about |= {"until": account.clock.now(), "broke": broke}
            account.settle()

    def forget(self, kind: str, number: int) -> None:
        """Take away what is deleted without an action."""
        if kind == "volumes":
            self._pool.submit(self._machines.remove_disk, number)
        elif kind == "load_balancers":
            self._pool.submit(self._machines.stop_balancing, number)
        elif kind == "networks":
            self._pool.submit(self._machines.remove_network, number)

    def health(self, balancer: int, server: int, port: int) -> str:
        """Return what a load balancer found of a server, as it was at most a second ago."""
        when, found = self._health.get(balancer, (0.0, {}))
        if time.monotonic() - when > _FRESH:
            found = self._machines.health(balancer)
            self._health[balancer] = (time.monotonic(), found)
        return found.get((port, server), "unknown")

    def close(self) -> None:
        """Wait for what is under way."""
        self._pool.shutdown(cancel_futures=True)


def machine_of(account: Account, server: Server) -> Machine:
    """Return a server as the machine that it is to be."""
    kind = account.catalogue.types[server.server_type]
    return Machine(
        id=server.id,
        name=server.name,
        cpus=kind.cpus,
        memory=int(kind.memory_gib * GIB),
        address=address_of(account, server),
        keys=tuple(server.keys),
        user_data=server.user_data,
    )


def address_of(account: Account, server: Server) -> str:
    """Return a server's public IPv4 address, empty without one."""
    found = account.holdings.primary_ips.values()
    return next((one.ip for one in found if one.server == server.id and one.type == "ipv4"), "")


def card_of(account: Account, link: Link) -> Card:
    """Return a link as the card that it is to be."""
    network = account.holdings.networks[link.network]
    return Card(network=link.network, ip=link.ip, ip_range=network.ip_range)


def sending_of(account: Account, balancer: LoadBalancer) -> Sending:
    """Return what a load balancer is to do, with the servers that its selectors find now."""
    targets: dict[int, str] = {}
    ours = {link.network for link in balancer.links}
    for target in balancer.targets:
        found = list(account.selected(parse_selector(target.selector))) if target.selector else []
        if target.server is not None:
            found = [account.holdings.servers[target.server]]
        for server in found:
            inside = next((link.ip for link in server.links if link.network in ours), "")
            targets[server.id] = inside if target.private else address_of(account, server)
    return Sending(
        id=balancer.id,
        address=balancer.ipv4 if balancer.public else "",
        cards=tuple(card_of(account, link) for link in balancer.links),
        algorithm=balancer.algorithm,
        services=tuple(dict(one) for one in balancer.services),
        targets={number: address for number, address in targets.items() if address},
    )


def _disk(volume: Volume) -> Disk:
    return Disk(id=volume.id, size=volume.size, format=volume.format or "")


def _of_server(name: str) -> Work:
    """Return the work that is one method of the machines, on the action's server."""

    def work(account: Account, machines: Machines, action: Action) -> Deed:
        machine = machine_of(account, server_of(account, action))
        method: Callable[[Machine], None] = getattr(machines, name)
        return lambda: method(machine)

    return work


def _again(account: Account, machines: Machines, action: Action) -> Deed:
    machine = machine_of(account, server_of(account, action))

    def deed() -> None:
        machines.stop(machine)
        machines.start(machine)

    return deed


def _anew(account: Account, machines: Machines, action: Action) -> Deed:
    machine = machine_of(account, server_of(account, action))

    def deed() -> None:
        machines.stop(machine)
        machines.make(machine)
        machines.start(machine)

    return deed


def _of_volume(name: str) -> Work:
    def work(account: Account, machines: Machines, action: Action) -> Deed:
        machine = machine_of(account, server_of(account, action))
        number = next(number for kind, number in action.resources if kind == "volume")
        disk = _disk(account.holdings.volumes[number])
        method: Callable[[Machine, Disk], None] = getattr(machines, name)
        return lambda: method(machine, disk)

    return work


def _disk_made(account: Account, machines: Machines, action: Action) -> Deed:
    volume = account.holdings.volumes[action.resources[0][1]]
    size = action.about.get("size", volume.size)
    disk = Disk(id=volume.id, size=size, format=volume.format or "")
    return lambda: machines.make_disk(disk)


def _plugged(account: Account, machines: Machines, action: Action) -> Deed | None:
    if action.resources[0][0] == "load_balancer":
        return _balanced(account, machines, action)
    machine = machine_of(account, server_of(account, action))
    card = card_of(account, Link(**action.about["link"]))
    return lambda: machines.plug(machine, card)


def _unplugged(account: Account, machines: Machines, action: Action) -> Deed | None:
    if action.resources[0][0] == "load_balancer":
        return _balanced(account, machines, action)
    server = server_of(account, action)
    machine = machine_of(account, server)
    card = next(card_of(account, one) for one in server.links if one.network == action.about["network"])
    return lambda: machines.unplug(machine, card)


def _balanced(account: Account, machines: Machines, action: Action) -> Deed:
    balancer = account.holdings.load_balancers[action.resources[0][1]]
    sending = sending_of(account, balancer)
    if "link" in action.about:
        # It is the load balancer's once the action has ended, which this is a part of.
        card = card_of(account, Link(**action.about["link"]))
        sending = Sending(
            id=sending.id,
            address=sending.address,
            cards=(card,),
            algorithm=sending.algorithm,
            services=sending.services,
            targets=sending.targets,
        )
    return lambda: machines.balance(sending)


WORK: Mapping[str, Work] = {
    "create_server": _of_server("make"),
    "start_server": _of_server("start"),
    "stop_server": _of_server("stop"),
    "shutdown_server": _of_server("stop"),
    "reboot_server": _again,
    "reset_server": _again,
    "rebuild_server": _anew,
    "delete_server": _of_server("remove"),
    "attach_volume": _of_volume("attach"),
    "detach_volume": _of_volume("detach"),
    "create_volume": _disk_made,
    "resize_volume": _disk_made,
    "attach_to_network": _plugged,
    "detach_from_network": _unplugged,
    **dict.fromkeys(
        (
            *("create_load_balancer", "add_service", "update_service", "delete_service", "add_target"),
            *("remove_target", "change_algorithm", "enable_public_interface", "disable_public_interface"),
        ),
        _balanced,
    ),
}
