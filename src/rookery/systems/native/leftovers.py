"""Taking a lab down, and looking again for everything that bringing one up can make.

The look is the proof: it asks the machine by name and by use, not the program's own memory, and so also
finds what an `up` that was killed half way left.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from rookery.drivers import mounts, network
from rookery.drivers.files import remove_tree
from rookery.drivers.process import CommandError, run
from rookery.drivers.runc import Runc
from rookery.systems.native.paths import CGROUP_ROOT, LabPaths

_DEATH_LIMIT = 10.0  # seconds for killed processes to be gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """One thing of a lab that is still there."""

    kind: str
    name: str


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
    yield from (Leftover(kind="loop device", name=name) for name in loop_devices(paths.folder))
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
            inside = mark in (entry / "cgroup").read_text()
            if inside or str((entry / "root").readlink()).startswith(f"{paths.folder}/"):
                name = (entry / "comm").read_text().strip()
                found.append((int(entry.name), name))
    return tuple(sorted(found))


def loop_devices(folder: Path) -> tuple[str, ...]:
    """Return the loop devices that stand on a file below `folder`. Asked one by one in /sys: `losetup -a`
    hangs where one device's file is on a dead FUSE server."""
    found = []
    for device in Path("/sys/block").glob("loop*"):
        with contextlib.suppress(OSError):
            backing = (device / "loop" / "backing_file").read_text().strip()
            if backing.startswith(f"{folder}/"):
                found.append(f"/dev/{device.name}")
    return tuple(sorted(found))


def take_down(paths: LabPaths) -> None:
    """Remove everything of a lab; what is gone already is fine. The order is that of a power cut: servers
    first, then what they stood on."""
    _end_servers(paths)
    _end_processes(paths)
    for device in loop_devices(paths.folder):
        run(("losetup", "--detach", device))
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
    runc = Runc(paths.runc_state)
    # Killing the first process of a server's pid namespace ends all others in it; done for all servers
    # before any is cleaned up, so that no daemon sees its peers go one by one.
    for pid in runc.running().values():
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    names = [path.name for path in paths.runc_state.iterdir()] if paths.runc_state.is_dir() else []
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda name: _delete(runc, name), names))


def _delete(runc: Runc, name: str) -> None:
    try:
        runc.delete(name)
    except CommandError:
        # A container whose making was interrupted has a folder without a state: runc cannot read it.
        remove_tree(runc.state / name)


def _end_processes(paths: LabPaths) -> None:
    """End what is left of the lab's processes, and wait until they are gone."""
    deadline = time.monotonic() + _DEATH_LIMIT
    while (left := lab_processes(paths)) and time.monotonic() < deadline:
        for pid, _ in left:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        time.sleep(0.02)


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
