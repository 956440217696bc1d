"""The servers of a stand-in on this machine: containers with systemd, sshd and cloud-init, on own bridges.

All that it makes has `NAME` in its name, and is found and removed by that.
"""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from rookery.clouds.hetzner.fake.machines import Card, Disk, Machine, Sending
from rookery.drivers.containers.machine_server import machine_config
from rookery.drivers.containers.runc import Container, Runc
from rookery.drivers.machine import loop, mounts, network
from rookery.drivers.machine.files import remove_tree
from rookery.drivers.machine.loop import BlockDevice
from rookery.drivers.machine.network import Bridge, Cable
from rookery.drivers.machine.process import run
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.files import File
from rookery.systems.home import home, runtime_folder
from rookery.systems.lab.cloud.balancer import ask_health, balancer_config, require_services
from rookery.systems.lab.cloud.root import ensure_server_root
from rookery.systems.lab.cloud.seed import INIT, RULES, disk_name, disk_rules, server_files
from rookery.systems.lab.drives import ensure_drive
from rookery.systems.lab.leftovers import find_leftovers, take_down
from rookery.systems.lab.nodes.machines import OWN_FOLDERS
from rookery.systems.lab.paths import LabPaths, ServerPaths
from rookery.systems.lab.power import cut_power
from rookery.systems.lab.preflight import require_device, require_lab
from rookery.systems.lab.roots import lay_root
from rookery.systems.preflight import BUILD_TOOLS
from rookery.systems.protocol import Leftover, Report
from rookery.units import GB, MIB

NAME = "cloud-hetzner"
# The block for benchmarks, in which nothing else is: where the stand-in's public addresses come from.
GATEWAY, PUBLIC_PREFIX = "198.18.0.1", 15
_PUBLIC_MTU, _PRIVATE_MTU = 1500, 1450  # as at Hetzner
_SSH = 22
_WAKE_LIMIT = 180.0  # seconds; seven servers start at once on whatever machine there is
_BALANCER_MEMORY = 256 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudPaths(LabPaths):
    """The places and names of a stand-in's servers: not among labs, which are systems."""

    @property
    def folder(self) -> Path:
        return home() / "clouds" / self.name

    @property
    def runc_state(self) -> Path:
        return runtime_folder() / "clouds" / self.name

    @property
    def namespace_prefix(self) -> str:
        return f"rookery-cloud.{self.name}."


@dataclass(slots=True)
class _Kept:
    """What one server or load balancer was given, and the lock under which that changes."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    cards: dict[int, Card] = field(default_factory=dict)
    disks: dict[int, BlockDevice] = field(default_factory=dict)


class LabMachines:
    """Makes them. Begins by removing what an earlier one left, and ends by removing all of its own."""

    def __init__(self, report: Report, *, name: str = NAME) -> None:
        self._report = report
        self._paths = CloudPaths(name=name)
        self._runc = Runc(self._paths.runc_state)
        self._lock = threading.Lock()
        self._kept: dict[int, _Kept] = {}
        self._addresses: dict[int, str] = {}
        self._image = Path()

    def require(self) -> None:
        """Raise NotPossibleError where this machine cannot make them."""
        require_lab(tools=BUILD_TOOLS)
        require_device(Path("/dev/loop-control"), "loop", "volumes are loop devices")

    def open(self) -> None:
        """Remove what was left, and make the image and the bridge of public addresses."""
        take_down(self._paths, self._report)
        self._image = ensure_server_root(self._report)
        public = Bridge(
            name=self._paths.bridge("public"), address=f"{GATEWAY}/{PUBLIC_PREFIX}", mtu=_PUBLIC_MTU
        )
        network.ensure_bridges((public,))

    def close(self) -> None:
        """Remove everything."""
        take_down(self._paths, self._report)

    def leftovers(self) -> tuple[Leftover, ...]:
        """Look for everything that is there of it."""
        return find_leftovers(self._paths)

    # Servers.

    def make(self, machine: Machine) -> None:
        with self._of(machine.id):
            place = self._place(machine.id)
            self._runc.delete(self._name(machine.id))
            _unmount(place)
            remove_tree(place.upper)
            remove_tree(place.folder / "own")
            lay_root(place, server_files(machine), image=self._image)

    def start(self, machine: Machine) -> None:
        with self._of(machine.id) as kept:
            name, place = self._name(machine.id), self._place(machine.id)
            if name in self._runc.running():
                return
            devices = {number: device.path for number, device in kept.disks.items()}
            lay_root(place, (File.text(RULES, disk_rules(devices)),), image=self._image)
            own = tuple((f"/{one}", place.folder / "own" / one) for one in OWN_FOLDERS)
            for _, folder in own:
                folder.mkdir(parents=True, exist_ok=True)
            cables = self._cables(machine.id, machine.address, kept)
            network.renew_namespace(self._namespace(machine.id), cables)
            container = Container(
                id=name,
                hostname=machine.name,
                root=place.root,
                namespace=self._namespace(machine.id),
                argv=(INIT, GATEWAY),
                cgroup=self._paths.cgroup(str(machine.id)),
                memory=machine.memory,
                cpus=machine.cpus,
                binds=tuple((inside, str(folder)) for inside, folder in own),
                fuse=Path("/dev/fuse").exists(),
            )
            config = machine_config(container, kept.disks.values())
            self._runc.start(container, bundle=place.folder, console=place.console, config=config)
            self._wait_awake(machine)
            for device in kept.disks.values():
                self._trigger(machine.id, device.path, "add")

    def stop(self, machine: Machine) -> None:
        with self._of(machine.id):
            cut_power(self._runc, self._name(machine.id))
            self._runc.delete(self._name(machine.id))

    def remove(self, machine: Machine) -> None:
        self._remove(machine.id)

    def plug(self, machine: Machine, card: Card) -> None:
        with self._of(machine.id) as kept:
            kept.cards[card.network] = card
            network.ensure_bridges((self._private_bridge(card.network),))
            if self._name(machine.id) in self._runc.running():
                cables = self._cables(machine.id, machine.address, kept)
                network.ensure_namespace(self._namespace(machine.id), cables)

    def unplug(self, machine: Machine, card: Card) -> None:
        with self._of(machine.id) as kept:
            kept.cards.pop(card.network, None)
            self._unplug_cable(machine.id, card.network)

    def remove_network(self, number: int) -> None:
        with self._lock:
            every = list(self._kept.items())
        for one, kept in every:
            with kept.lock:
                if kept.cards.pop(number, None):
                    self._unplug_cable(one, number)
        bridge = self._private_bridge(number).name
        if bridge in network.link_names():
            network.delete_links((bridge,))

    # Volumes.

    def make_disk(self, disk: Disk) -> None:
        path = self._disk_path(disk.id)
        new = not path.exists()
        ensure_drive(path, disk.size * GB, (0, 0))
        if new and disk.format:
            run((f"mkfs.{disk.format}", "-q", str(path)), timeout=60)
        for device in loop.devices_of(path.parent):
            if loop.backing_file(device) == str(path):
                loop.adopt_size(device)

    def remove_disk(self, number: int) -> None:
        path = self._disk_path(number)
        for device in loop.devices_of(path.parent):
            if loop.backing_file(device) == str(path):
                loop.detach(device)
        path.unlink(missing_ok=True)

    def attach(self, machine: Machine, disk: Disk) -> None:
        with self._of(machine.id) as kept:
            device = loop.ensure_attached(self._disk_path(disk.id))
            kept.disks[disk.id] = device
            if self._name(machine.id) in self._runc.running():
                number = Path(device.path).stat().st_rdev
                major, minor = number >> 8 & 0xFFF, (number & 0xFF) | (number >> 12 & 0xFFF00)
                self._inside(machine.id, "mknod", "-m", "0660", device.path, "b", str(major), str(minor))
                self._write_rules(machine.id, kept)
                self._trigger(machine.id, device.path, "add")

    def detach(self, machine: Machine, disk: Disk) -> None:
        with self._of(machine.id) as kept:
            device = kept.disks.pop(disk.id, None)
            if device is None:
                return
            if self._name(machine.id) in self._runc.running():
                self._write_rules(machine.id, kept)
                self._inside(machine.id, "rm", "-f", device.path, f"/dev/disk/by-id/{disk_name(disk.id)}")
            loop.detach(device.path)

    # Load balancers.

    def balance(self, sending: Sending) -> None:
        require_services(sending)
        with self._of(sending.id) as kept:
            for card in sending.cards:
                network.ensure_bridges((self._private_bridge(card.network),))
            place, name = self._place(sending.id), self._name(sending.id)
            text, address = balancer_config(sending), sending.address
            cards = {card.network: card for card in sending.cards}
            there = name in self._runc.running() and kept.cards == cards
            kept.cards, self._addresses[sending.id] = cards, address
            if there:
                (place.root / "etc/haproxy/haproxy.cfg").write_text(text, encoding="utf-8")
                self._runc.kill(name, "USR2")  # its master reads the file again
                return
            self._runc.delete(name)
            lay_root(place, (File.text("etc/haproxy/haproxy.cfg", text),), image=self._image)
            network.renew_namespace(self._namespace(sending.id), self._cables(sending.id, address, kept))
            container = Container(
                id=name,
                hostname=f"balancer-{sending.id}",
                root=place.root,
                namespace=self._namespace(sending.id),
                argv=("/usr/sbin/haproxy", "-W", "-f", "/etc/haproxy/haproxy.cfg"),
                cgroup=self._paths.cgroup(str(sending.id)),
                memory=_BALANCER_MEMORY,
                cpus=1,
                binds=(),
                fuse=False,
            )
            self._runc.start(container, bundle=place.folder, console=place.console)

    def stop_balancing(self, number: int) -> None:
        self._addresses.pop(number, None)
        self._remove(number)

    def health(self, number: int) -> Mapping[tuple[int, int], str]:
        address = self._addresses.get(number)
        return ask_health(address) if address else {}

    # What they stand on.

    @contextmanager
    def _of(self, number: int) -> Iterator[_Kept]:
        """Hold what is kept of one."""
        with self._lock:
            kept = self._kept.setdefault(number, _Kept())
        with kept.lock:
            yield kept

    def _remove(self, number: int) -> None:
        with self._of(number) as kept:
            cut_power(self._runc, self._name(number))
            self._runc.delete(self._name(number))
            for device in kept.disks.values():
                loop.detach(device.path)
            outside = [self._cable_name(number, one) for one in (0, *kept.cards)]
            network.delete_links(name for name in outside if name in network.link_names())
            if self._namespace(number) in network.namespace_names():
                network.delete_namespaces((self._namespace(number),))
            place = self._place(number)
            if place.folder.exists():
                _unmount(place)
                remove_tree(place.folder)
        with self._lock:
            self._kept.pop(number, None)

    def _cables(self, number: int, address: str, kept: _Kept) -> tuple[Cable, ...]:
        """Return a server's cables: that of the public address first, then one for each network."""
        public = Cable(
            outside=self._cable_name(number, 0),
            inside="eth0",
            bridge=self._paths.bridge("public"),
            address=f"{address}/{PUBLIC_PREFIX}",
            mtu=_PUBLIC_MTU,
        )
        private = (
            Cable(
                outside=self._cable_name(number, card.network),
                inside=f"eth{place}",
                bridge=self._private_bridge(card.network).name,
                address=f"{card.ip}/{card.ip_range.partition('/')[2]}",
                mtu=_PRIVATE_MTU,
            )
            for place, card in enumerate(kept.cards.values(), 1)
        )
        return (*((public,) if address else ()), *private)

    def _unplug_cable(self, number: int, of: int) -> None:
        outside = self._cable_name(number, of)
        if outside in network.link_names():
            network.delete_links((outside,))

    def _private_bridge(self, number: int) -> Bridge:
        return Bridge(name=f"{self._paths.link_prefix}n{number}", address="", mtu=_PRIVATE_MTU)

    def _cable_name(self, number: int, of: int) -> str:
        """Return the outer end of a cable; a link's name has 15 characters."""
        return f"{self._paths.link_prefix}{number:x}{'p' if of == 0 else f'.{of % 4096:x}'}"

    def _write_rules(self, number: int, kept: _Kept) -> None:
        rules = disk_rules({disk: device.path for disk, device in kept.disks.items()})
        (self._place(number).root / RULES).write_text(rules, encoding="utf-8")
        self._inside(number, "udevadm", "control", "--reload")

    def _trigger(self, number: int, device: str, action: str) -> None:
        block = f"/sys/block/{Path(device).name}"
        self._inside(number, "udevadm", "trigger", "--settle", f"--action={action}", block)

    def _inside(self, number: int, *argv: str) -> None:
        run(self._runc.exec_argv(self._name(number), argv), timeout=_WAKE_LIMIT)

    def _wait_awake(self, machine: Machine) -> None:
        """Wait for sshd, which comes after cloud-init has laid keys; without an address it just runs."""
        if not machine.address:
            return

        def look() -> Look[bool]:
            try:
                socket.create_connection((machine.address, _SSH), timeout=2).close()
            except OSError as error:
                return Look(seen=error.strerror or "silent")
            return Look(seen="listens", value=True)

        wait_for(f"port {_SSH} of {machine.name}", look, limit=_WAKE_LIMIT, report=lambda _: None)

    def _place(self, number: int) -> ServerPaths:
        return self._paths.server(str(number))

    def _disk_path(self, number: int) -> Path:
        return self._paths.folder / "disks" / str(number)

    def _name(self, number: int) -> str:
        return self._paths.container(str(number))

    def _namespace(self, number: int) -> str:
        return self._paths.namespace(str(number))


def _unmount(place: ServerPaths) -> None:
    for point in mounts.mount_points(place.root):
        mounts.unmount(point)
