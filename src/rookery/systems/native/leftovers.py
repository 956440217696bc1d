"""Taking a lab down, and looking again for everything that bringing one up can make.

The look is the proof: it asks the machine by name and by use, not the program's own memory, and so also
finds what an `up` that was killed half way left.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rookery.drivers import krbd, loop, mounts, network
from rookery.drivers.files import remove_tree
from rookery.drivers.process import CommandError
from rookery.drivers.runc import Runc
from rookery.systems.native.identity import load_identity
from rookery.systems.native.paths import CGROUP_ROOT, LabPaths
from rookery.systems.protocol import Leftover

_DEATH_LIMIT = 10.0  # seconds for killed processes to be gone


def find_leftovers(paths: LabPaths, *, networks: tuple[str, ...] = ()) -> tuple[Leftover, ...]:
    """Return all that the machine has of the lab; `networks` are its CIDRs, where known."""
    return tuple(_find(paths, networks))


def _find(paths: LabPaths, networks: tuple[str, ...]) -> Iterator[Leftover]:
    if paths.runc_state.is_dir():
        yield from (Leftover(kind="container", name=p.name) for p in sorted(paths.runc_state.iterdir()))
    yield from (Leftover(kind="process", name=f"{pid} {name}") for pid, name in lab_processes(paths))
    for name in network.namespace_names():
        if name.startswith(paths.namespace_prefix):
            yield Leftover(kind="network namespace", name=name)
    for name in network.link_names():
        if name.startswith(paths.link_prefix):
            yield Leftover(kind="network link", name=name)
    for cidr, interface in network.routes() if networks else ():
        if cidr in networks:
            yield Leftover(kind="route", name=f"{cidr} on {interface}")
    yield from (Leftover(kind="mount", name=str(p)) for p in mounts.mount_points(paths.folder))
    yield from (Leftover(kind="loop device", name=name) for name in loop.devices_of(paths.folder))
    yield from (Leftover(kind="RBD device", name=mapping.path) for mapping in _mappings(paths))
    yield from (Leftover(kind="cgroup", name=str(p)) for p in _cgroups(paths))
    if paths.folder.exists():
        yield Leftover(kind="folder", name=str(paths.folder))


def lab_processes(paths: LabPaths) -> tuple[tuple[int, str], ...]:
    """Return pid and name of each process of the lab: in its cgroups, or rooted in its folder."""
    mark = f"/rookery/{paths.name}/"
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        with contextlib.suppress(OSError):
            inside = mark in (entry / "cgroup").read_text(encoding="utf-8")
            if inside or str((entry / "root").readlink()).startswith(f"{paths.folder}/"):
                name = (entry / "comm").read_text(encoding="utf-8").strip()
                found.append((int(entry.name), name))
    return tuple(sorted(found))


def _mappings(paths: LabPaths) -> tuple[krbd.Mapping, ...]:
    """Return the RBD images of the lab's cluster that this machine's kernel has mapped."""
    fsid = load_identity(paths.secrets).table.get("fsid", "")
    return krbd.mappings(fsid) if fsid else ()


def take_down(paths: LabPaths) -> None:
    """Remove everything of a lab; what is gone already is fine. The order is that of a power cut: servers
    first, then what they stood on."""
    _end_servers(paths)
    _end_processes(paths)
    for device in loop.devices_of(paths.folder):
        loop.detach(device)
    _until(lambda: not loop.devices_of(paths.folder))
    for mapping in _mappings(paths):
        krbd.unmap(mapping, force=True)
    names = [name for name in network.namespace_names() if name.startswith(paths.namespace_prefix)]
    with contextlib.suppress(CommandError):
        network.delete_namespaces(names)
    links = [name for name in network.link_names() if name.startswith(paths.link_prefix)]
    # Links whose other end was in a namespace go with it; `ip` says so of each, and goes on.
    with contextlib.suppress(CommandError):
        network.delete_links(sorted(links, key=lambda name: "-" not in name))
    for point in mounts.mount_points(paths.folder):
        mounts.unmount(point)
    # The folder that all labs share goes with the last of them; while there are others it is not empty.
    for cgroup in (*_cgroups(paths), *(root / "rookery" for root in _hierarchies())):
        with contextlib.suppress(OSError):
            cgroup.rmdir()
    remove_tree(paths.runc_state)
    remove_tree(paths.folder)


def _end_servers(paths: LabPaths) -> None:
    """End every container. Where the kernel has mapped volumes, those that use them go first: what their
    file systems still write needs the cluster, and a device in use cannot be unmapped. A storage daemon can
    go at any time, and goes last, with nobody left to serve."""
    runc = Runc(paths.runc_state)
    running = runc.running()
    daemons = {name: pid for name, pid in running.items() if name.startswith(paths.volume_container(""))}
    servers = {name: pid for name, pid in running.items() if name not in daemons}
    if _mappings(paths):
        _kill(pid for pid in servers.values() if _uses_volumes(pid))
        _until(lambda: _let_go(paths))
    # Killing the first process of a server's pid namespace ends all others in it; done for all servers
    # before any is cleaned up, so that no daemon sees its peers go one by one.
    _kill(servers.values())
    _kill(daemons.values())
    names = [path.name for path in paths.runc_state.iterdir()] if paths.runc_state.is_dir() else []
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda name: _delete(runc, name), names))


def _uses_volumes(pid: int) -> bool:
    try:
        return " /dev/rbd/" in Path(f"/proc/{pid}/mountinfo").read_text(encoding="utf-8")
    except OSError:
        return False


def _let_go(paths: LabPaths) -> bool:
    """Unmap the volumes that are not mounted any more; tell whether all are gone."""
    for mapping in _mappings(paths):
        with contextlib.suppress(OSError):  # busy while it is mounted
            krbd.unmap(mapping, force=False)
    return not _mappings(paths)


def _kill(pids: Iterable[int]) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)


def _until(done: Callable[[], bool]) -> None:
    """Wait for what follows from a kill, but not for ever: the look for leftovers has the last word."""
    deadline = time.monotonic() + _DEATH_LIMIT
    while not done() and time.monotonic() < deadline:
        time.sleep(0.02)


def _delete(runc: Runc, name: str) -> None:
    try:
        runc.delete(name)
    except CommandError:
        # A container whose making was interrupted has a folder without a state: runc cannot read it.
        remove_tree(runc.state / name)


def _end_processes(paths: LabPaths) -> None:
    """End what is left of the lab's processes, and wait until they are gone."""

    def gone() -> bool:
        left = lab_processes(paths)
        _kill(pid for pid, _ in left)
        return not left

    _until(gone)


def _cgroups(paths: LabPaths) -> tuple[Path, ...]:
    """Return the lab's cgroups in every hierarchy, the deepest first."""
    tops = (root / "rookery" / paths.name for root in _hierarchies())
    found = [Path(folder) for top in tops for folder, _, _ in os.walk(top)]
    return tuple(sorted(found, key=lambda path: len(path.parts), reverse=True))


def _hierarchies() -> tuple[Path, ...]:
    """Return the roots of the cgroup hierarchies: one on cgroup v2, one for each controller on v1."""
    if not CGROUP_ROOT.is_dir():
        return ()
    roots = {path.resolve() for path in CGROUP_ROOT.iterdir() if path.is_dir()}
    return (CGROUP_ROOT, *sorted(roots))
