"""A server that runs is brought to a changed design: drives, files, programs, without a restart of its own.

What a server runs by is noted when it is laid, at the end of each refresh; a refresh that was killed is done
again from the same note.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

from rookery.apps.table import APPS
from rookery.design.model import DaemonKind, Design, Drive, Host
from rookery.drivers.containers.supervisor import Supervisor
from rookery.drivers.machine.attach import attach_file
from rookery.drivers.machine.files import read_users, write_files
from rookery.files import NOT_TOLD
from rookery.projections.native.server import server_parts, server_programs
from rookery.systems.lab.drives import ensure_drive
from rookery.systems.lab.paths import ServerPaths
from rookery.systems.lab.roots import digests, note_laid, read_laid
from rookery.systems.native.identity import Identity
from rookery.systems.native.root import image_root
from rookery.systems.native.servers import server_files, wait_awake
from rookery.systems.protocol import Report

Execute = Callable[[Sequence[str]], str]
"""Run a command on the server."""

_CEPH_CONF = "etc/ceph/ceph.conf"


def is_as_designed(design: Design, host: Host, place: ServerPaths, identity: Identity, pid: int) -> bool:
    """Tell whether a running server has the drives of the design and runs by its files."""
    return not _missing_drives(host, pid) and read_laid(place) == digests(
        server_files(design, host, identity)
    )


def refresh_server(
    design: Design,
    host: Host,
    place: ServerPaths,
    *,
    identity: Identity,
    pid: int,
    execute: Execute,
    report: Report,
) -> None:
    """Attach what is missing, lay what changed, and let the programs know; others go on undisturbed."""
    files = server_files(design, host, identity)
    before, after = read_laid(place), digests(files)
    changed = {path for path, digest in after.items() if before.get(path) != digest}
    users = read_users(image_root(design.ceph))
    for drive in _missing_drives(host, pid):
        report(f"{drive.name} attached")
        file = place.drives / drive.name
        ensure_drive(file, drive.size, users["ceph"])
        attach_file(file, pid, f"/dev/{drive.name}")
    write_files(place.root, (file for file in files if file.path in changed), users=users)
    for path in before.keys() - after.keys():
        (place.root / path).unlink(missing_ok=True)
    _remove_late_files(host, place.root)
    wait_awake(host.name, pid, report)  # whoever started it may have been killed before it was
    supervisor = Supervisor(pid)
    started = set(supervisor.adopt())
    kept = kept_running(design, host)
    for state in supervisor.programs():
        if state.was_stopped and state.name in kept:
            report(f"{state.name}, which was stopped")
            supervisor.start(state.name)
    for part in server_parts(design, host, fsid=identity["fsid"]):
        if any(file.path in changed for file in part.files):
            for program in part.programs:
                if program.told != NOT_TOLD and program.name not in started:
                    supervisor.tell(program.name, program.told)
    if _CEPH_CONF in changed:
        _set_memory(host, supervisor, execute)
    note_laid(place, after)


def _remove_late_files(host: Host, root: Path) -> None:
    """Remove what is secret of applications that have no instance on a host any more."""
    there = {instance.app for instance in host.instances}
    for app in APPS.values():
        if app.on_servers is None or app.name in there:
            continue
        for path in app.on_servers.late_paths:
            late = root / path
            if late.is_dir():
                shutil.rmtree(late)
            else:
                late.unlink(missing_ok=True)


def kept_running(design: Design, host: Host) -> frozenset[str]:
    """Return the programs that run for as long as their server does; others wait for storage first."""
    return frozenset(program.name for program in server_programs(design, host) if not program.gated)


def _missing_drives(host: Host, pid: int) -> tuple[Drive, ...]:
    """Return the drives that are not attached; an empty file of its name is left of an attempt."""
    dev = Path(f"/proc/{pid}/root/dev")

    def is_attached(drive: Drive) -> bool:
        path = dev / drive.name
        return path.exists() and path.stat().st_size > 0

    return tuple(drive for drive in host.drives if not is_attached(drive))


def _set_memory(host: Host, supervisor: Supervisor, execute: Execute) -> None:
    """Give the OSDs that run their part of the memory as it is now; they read it only when they start."""
    running = {state.name for state in supervisor.programs() if state.state == "RUNNING"}
    for daemon in host.daemons_of(DaemonKind.OSD):
        if daemon.name in running:
            execute(("ceph", "daemon", daemon.name, "config", "set", "osd_memory_target", str(daemon.memory)))
