"""Taking a lab down, and looking again for everything that bringing one up can make.

The look is the proof: it asks the machine by name and by use, not the program's own memory, and so also
finds what an `up` that was killed half way left.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rookery.drivers.containers.runc import Runc
from rookery.drivers.machine import krbd, loop, mounts, network
from rookery.drivers.machine.files import remove_tree
from rookery.drivers.machine.process import CommandError
from rookery.systems.lab.last_word import pools_removed
from rookery.systems.lab.letting_go import LettingGo, end, mounts_of
from rookery.systems.lab.paths import CGROUP_ROOT, LabPaths
from rookery.systems.protocol import Leftover, Report

_DEATH_LIMIT = 10.0  # seconds for killed processes to be gone
# Seconds. The kernel looks for monitors that answer every 3 s at first, every 30 s in the end.
_LAST_LIMIT = 45.0


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
    """Return the RBD images of the lab's cluster that this machine's kernel has mapped.

    Whose they are the cluster's id says. Where Rook made the cluster it is that of the images which the lab's
    servers have mounted.
    """
    every = tuple(krbd.all_mappings())
    if not every:
        return ()
    numbers = {krbd.device_number(mapping): mapping.image.fsid for mapping in every}
    pids = tuple(pid for pid, _ in lab_processes(paths))
    ours = {numbers[mount.number] for mount in mounts_of(set(numbers), pids)}
    ours.add(_fsid(paths))
    return tuple(mapping for mapping in every if mapping.image.fsid in ours)


def _fsid(paths: LabPaths) -> str:
    """Return the id of the lab's own cluster as its secrets have it, empty where there are none."""
    with contextlib.suppress(FileNotFoundError):
        return str(json.loads(paths.secrets.read_text(encoding="utf-8")).get("fsid", ""))
    return ""


def take_down(paths: LabPaths, report: Report = lambda _: None) -> None:
    """Remove everything of a lab; what is gone already is fine. The order is that of a power cut: servers
    first, then what they stood on. What the kernel has of their cluster goes before them."""
    gone = _let_go(paths, report)
    _end_servers(paths)
    _end_processes(paths)
    if not gone:
        return  # the network and the monitors' stores are the only way to it, for whoever tries again
    for device in loop.devices_of(paths.folder):
        loop.detach(device)
    _until(lambda: not loop.devices_of(paths.folder))
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


def _let_go(paths: LabPaths, report: Report) -> bool:
    """Let the kernel let go of the lab's images, while their cluster lives or in spite of its death; tell
    whether it has."""
    clusters = {mapping.image.fsid for mapping in _mappings(paths)}
    if not clusters:
        return True
    going = LettingGo(
        left=lambda: tuple(one for one in krbd.all_mappings() if one.image.fsid in clusters),
        pids=lambda: tuple(pid for pid, _ in lab_processes(paths)),
    )
    if {"ceph-mon", "ceph-osd"} <= _programs(paths) and going.wait(report):
        return True
    # Who waits for a dead cluster dies only when that is over; monitors die at once, and their stores are
    # free.
    end(pid for pid, _ in lab_processes(paths))
    _until(lambda: "ceph-mon" not in _programs(paths))
    with pools_removed(paths, report) as removed:
        return going.wait(report, limit=_LAST_LIMIT if removed else _DEATH_LIMIT)


def _programs(paths: LabPaths) -> set[str]:
    return {name for _, name in lab_processes(paths)}


def _end_servers(paths: LabPaths) -> None:
    """End every container. A storage daemon of a volume can go at any time, and goes last, with nobody left
    to serve."""
    runc = Runc(paths.runc_state)
    running = runc.running()
    daemons = {name: pid for name, pid in running.items() if name.startswith(paths.volume_container(""))}
    servers = {name: pid for name, pid in running.items() if name not in daemons}
    # Killing the first process of a server's pid namespace ends all others in it; done for all servers
    # before any is cleaned up, so that no daemon sees its peers go one by one.
    end(servers.values())
    end(daemons.values())
    names = [path.name for path in paths.runc_state.iterdir()] if paths.runc_state.is_dir() else []
    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(lambda name: _delete(runc, name), names))


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
        end(pid for pid, _ in left)
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
