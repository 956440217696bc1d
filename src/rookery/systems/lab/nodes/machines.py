"""The lab's servers as a provider would hand them out: systemd, sshd, a name, an address, data drives.

What the bootstrap does to them stays in them: they may be stopped and started as real ones.
"""

from __future__ import annotations

import socket
from dataclasses import dataclass
from importlib.resources import files as package_files
from pathlib import Path

from rookery.design.model import Design, Host, Role
from rookery.drivers.containers.machine_server import capabilities, machine_config
from rookery.drivers.containers.runc import Container, Runc
from rookery.drivers.machine import loop, network
from rookery.drivers.machine.loop import BlockDevice
from rookery.drivers.machine.process import run
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.files import File
from rookery.projections.kubernetes.balancer import render_balancer
from rookery.systems.lab.drives import ensure_drive
from rookery.systems.lab.networks import host_cables
from rookery.systems.lab.nodes.keys import Keys
from rookery.systems.lab.paths import LabPaths
from rookery.systems.lab.roots import digests, lay_root, note_laid, read_laid
from rookery.systems.protocol import Report
from rookery.units import KIB

# Where servers find the mirror, and images that are unpacked already.
MIRROR_PATH, IMAGES_PATH = "/srv/mirror", "/srv/images"
RUNTIME = "/usr/lib/rookery/runtime"

_INIT = "/usr/lib/rookery/init"
_GUEST = package_files("rookery.systems.lab.nodes") / "guest"
_NAMES = "etc/hosts"
_MODULES = "/usr/lib/modules"
_WAKE_LIMIT = 120.0  # seconds; seven servers start at once on whatever machine there is
_SSH, _STATUS = 22, 9000
OWN_FOLDERS = (
    *("var/lib/containers", "var/lib/crio", "var/lib/etcd", "var/lib/kubelet", "var/lib/rook"),
    *("var/log/crio", "var/log/pods"),
)
"""Folders of a server that are the machine's own.

No overlay may lie on an overlay, so what containers stand on is a folder of the machine itself; so is what is
written all the time, and kubelet's folder, below which volumes are mounted.
"""
# What kubelet sets for a whole machine, and what it expects to read there; nobody's machine is changed for a
# lab. From Kubernetes' pkg/util/sysctl.
_KERNEL = {
    "sys/vm/overcommit_memory": "1",
    "sys/vm/panic_on_oom": "0",
    "sys/kernel/panic": "10",
    "sys/kernel/panic_on_oops": "1",
    "sys/kernel/keys/root_maxkeys": "1000000",
    "sys/kernel/keys/root_maxbytes": "25000000",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerParts:
    """What servers are made of: their root image, the mirror's folder, the store of images, their keys."""

    image: Path
    mirror: Path
    store: Path
    keys: Keys


def limits_can_be_raised() -> bool:
    """Whether a runtime here may do what pods' specs ask for."""
    return "SYS_RESOURCE" in capabilities()


def start_machine(
    design: Design, host: Host, paths: LabPaths, *, parts: ServerParts, runc: Runc, report: Report
) -> None:
    """Start one server, on what it kept of an earlier life where there was one."""
    place = paths.server(host.name)
    runc.delete(paths.container(host.name))
    place.laid.unlink(missing_ok=True)
    drives = {}
    for drive in host.drives:
        ensure_drive(place.drives / drive.name, drive.size, (0, 0))
        drives[drive.name] = loop.ensure_attached(place.drives / drive.name)
    laid = machine_files(design, host, parts.keys, drives)
    lay_root(place, laid, image=parts.image)
    for name in OWN_FOLDERS:
        (place.folder / "own" / name).mkdir(parents=True, exist_ok=True)
    # A server that lost power has lost its packet filter, its routes, and its pods' interfaces as well.
    network.renew_namespace(paths.namespace(host.name), host_cables(design, paths, host))
    container = _container(design, host, paths, parts)
    config = None if _is_balancer(host) else machine_config(container, drives.values())
    runc.start(container, bundle=place.folder, console=place.console, config=config)
    _wait_awake(host, report)
    for device in drives.values():
        trigger = ("udevadm", "trigger", "--settle", "--action=add", f"/sys/block/{Path(device.path).name}")
        run(runc.exec_argv(paths.container(host.name), trigger), timeout=_WAKE_LIMIT)
    note_laid(place, digests(_lasting(laid)))


def is_as_designed(design: Design, host: Host, paths: LabPaths, keys: Keys) -> bool:
    """Tell whether a server that runs has the files that the design says; its drives' numbers count too."""
    place = paths.server(host.name)
    attached = {Path(loop.backing_file(one)).name: one for one in loop.devices_of(place.drives)}
    if {drive.name for drive in host.drives} != set(attached):
        return False
    drives = {name: BlockDevice(path=path, number=0) for name, path in attached.items()}
    return read_laid(place) == digests(_lasting(machine_files(design, host, keys, drives)))


def _lasting(laid: tuple[File, ...]) -> tuple[File, ...]:
    """Return the files for whose change a server is started again.

    The names of others are none: the playbooks write those of new servers.
    """
    return tuple(file for file in laid if file.path != _NAMES)


def machine_files(design: Design, host: Host, keys: Keys, drives: dict[str, BlockDevice]) -> tuple[File, ...]:
    """Return what is laid into a server's root before it starts."""
    if _is_balancer(host):
        return (File.text("etc/haproxy/haproxy.cfg", render_balancer(design)),)
    rules = "".join(
        f'KERNEL=="{Path(device.path).name}", SYMLINK+="disk/by-id/lab-{name}"\n'
        for name, device in drives.items()
    )
    names = "".join(f"{one.address} {one.name}\n" for one in design.servers)
    found = [
        File.text("etc/hostname", f"{host.name}\n"),
        File.text(_NAMES, f"127.0.0.1 localhost\n{names}"),
        # Nobody answers there, but resolvers want one; names of the cluster are CoreDNS' own.
        File.text("etc/resolv.conf", f"nameserver {design.network.gateway}\n"),
        File.text("root/.ssh/authorized_keys", keys.public("login"), mode=0o600),
        File.text("etc/ssh/ssh_host_ed25519_key", keys.private(host.name), mode=0o600),
        File.text("etc/ssh/ssh_host_ed25519_key.pub", keys.public(host.name)),
        File.text("etc/udev/rules.d/60-lab-drives.rules", rules),
        File.text(_INIT.lstrip("/"), (_GUEST / "init").read_text(encoding="utf-8"), mode=0o755),
        *proc_files(host.memory),
    ]
    if not limits_can_be_raised():
        found.append(
            File.text(RUNTIME.lstrip("/"), (_GUEST / "runtime").read_text(encoding="utf-8"), mode=0o755)
        )
    return tuple(found)


def proc_files(memory_size: int) -> tuple[File, ...]:
    """Return what a server finds in /proc in place of its machine's: its memory in bytes, no swap, and what
    kubelet wishes."""
    size = memory_size // KIB
    memory = {"MemTotal": size, "MemFree": size, "MemAvailable": size, "SwapTotal": 0, "SwapFree": 0}
    texts = {
        "meminfo": "".join(f"{name + ':':<16}{kib:>8} kB\n" for name, kib in memory.items()),
        "swaps": "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n",
        **{path: f"{value}\n" for path, value in _KERNEL.items() if (Path("/proc") / path).exists()},
    }
    return tuple(File.text(f"usr/lib/rookery/proc/{path}", text) for path, text in texts.items())


def _container(design: Design, host: Host, paths: LabPaths, parts: ServerParts) -> Container:
    place = paths.server(host.name)
    balancer = _is_balancer(host)
    own = tuple((f"/{name}", str(place.folder / "own" / name)) for name in OWN_FOLDERS)
    shared = ((MIRROR_PATH, str(parts.mirror)), (IMAGES_PATH, str(parts.store)), *_modules())
    balancing = ("/usr/sbin/haproxy", "-W", "-f", "/etc/haproxy/haproxy.cfg")
    return Container(
        id=paths.container(host.name),
        hostname=host.name,
        root=place.root,
        namespace=paths.namespace(host.name),
        argv=balancing if balancer else (_INIT, design.network.gateway),
        cgroup=paths.cgroup(host.name),
        memory=host.memory,
        cpus=host.cpus,
        binds=() if balancer else own,
        shared=() if balancer else shared,
        fuse=Path("/dev/fuse").exists(),
    )


def _modules() -> tuple[tuple[str, str], ...]:
    """Return the machine's modules where it has some: CSI's pods ask for theirs, which are loaded already."""
    return ((_MODULES, _MODULES),) if Path(_MODULES).is_dir() else ()


def _is_balancer(host: Host) -> bool:
    return Role.LOAD_BALANCER in host.roles


def _wait_awake(host: Host, report: Report) -> None:
    port = _STATUS if _is_balancer(host) else _SSH

    def look() -> Look[bool]:
        try:
            socket.create_connection((host.address, port), timeout=2).close()
        except OSError as error:
            return Look(seen=error.strerror or "silent")
        return Look(seen="listens", value=True)

    wait_for(f"port {port} of {host.name}", look, limit=_WAKE_LIMIT, report=report)
