"""How a running system differs from its design, as marks for its drawing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rookery.design.model import DaemonKind, Design
from rookery.projections.drawing.picture import Mark, MarkKind
from rookery.run.up import find_system
from rookery.run.workspace import Workspace
from rookery.systems.protocol import HostStatus


def live_marks(workspace: Workspace) -> Mapping[str, Mark]:
    """Look at the system of a workspace now, and return what differs; nothing where all is as designed."""
    system = find_system(workspace.design)
    try:
        ceph = system.ceph_or_none()
        osds = None if ceph is None else ceph.mon("osd dump")["osds"]
        return marks_of(workspace.design, system.hosts(), osds)
    finally:
        system.close()


def marks_of(
    design: Design, hosts: Sequence[HostStatus], osds: Sequence[Mapping[str, Any]] | None
) -> Mapping[str, Mark]:
    """Return the marks for what the hosts' supervisors and the monitors say.

    `osds` are those of `osd dump`, None where the cluster does not answer. What a host that is off takes with
    it is not said again.
    """
    marks: dict[str, Mark] = {}
    for status in hosts:
        if not status.running:
            marks[status.name] = Mark(kind=MarkKind.DOWN, note="the server is off")
        for program in status.programs:
            if not program.running:
                marks[_element(design, status.name, program.name)] = Mark(
                    kind=MarkKind.DOWN, note=program.detail
                )
    if osds is not None:
        off = {status.name for status in hosts if not status.running}
        marks |= _osd_marks(design, off, {f"osd.{osd['osd']}": osd for osd in osds}, seen=set(marks))
    return marks


def _element(design: Design, host: str, program: str) -> str:
    """Return a program's id in the drawing: a daemon has Ceph's name, all else is named after its host."""
    daemons = {daemon.name for daemon in design.host(host).daemons}
    return program if program in daemons else f"{host}/{program}"


def _osd_marks(
    design: Design, off: set[str], there: Mapping[str, Mapping[str, Any]], *, seen: set[str]
) -> dict[str, Mark]:
    marks: dict[str, Mark] = {}
    designed = {osd.name: host.name for host, osd in design.with_daemon(DaemonKind.OSD)}
    for name, host in designed.items():
        if host in off or name in seen:
            continue
        if name not in there:
            marks[name] = Mark(kind=MarkKind.MISSING, note="the monitors do not know it")
        elif not there[name]["up"]:
            marks[name] = Mark(kind=MarkKind.DOWN, note="the monitors hear nothing of it")
        elif not there[name]["in"]:
            marks[name] = Mark(kind=MarkKind.DIFFERENT, note="it is out: data is kept off it")
    marks |= {name: Mark(kind=MarkKind.EXTRA) for name in there if name not in designed}
    return marks
