"""Bringing a system up, and proving that it works."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import dataclass, replace
from pathlib import Path

from rookery.apps.table import OBSTACLES
from rookery.design.change import Change, changes
from rookery.design.checks import Finding, Severity, check_design
from rookery.design.model import Design
from rookery.drivers.machine.process import CommandError, run
from rookery.errors import InputError, NotPossibleError, RookeryError
from rookery.plan.kubernetes import BOOTSTRAP
from rookery.plan.step import Step, plan_rest
from rookery.run.content import look_at_content
from rookery.run.engine import Progress, Timing, apply_steps
from rookery.run.homes import refuse_other_home
from rookery.run.lock import hold
from rookery.run.systems import find_system, require_machine
from rookery.run.verify.result import Result
from rookery.run.verify.table import verify
from rookery.run.workspace import (
    Workspace,
    note_system,
    open_running,
    running_names,
    saved_spec,
)
from rookery.systems.home import home
from rookery.systems.kubernetes.preflight import require_installer
from rookery.systems.lab.machine import read_machine
from rookery.systems.lab.paths import LabPaths
from rookery.systems.native.root import image_root
from rookery.systems.native.system import NativeSystem
from rookery.systems.protocol import System
from rookery.units import MIB, format_size

# Free bytes below which nothing more is begun: what is under way still has some room to end in.
_LEAST_FREE = 64 * MIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What `up` did: when each step ran, what verification saw, and how long all of it took, in seconds."""

    timings: tuple[Timing, ...]
    results: tuple[Result, ...]
    verify_seconds: float
    seconds: float


def findings_here(design: Design) -> tuple[Finding, ...]:
    """Return what the checks say of a design and of the folders that it publishes, on this machine where it
    is to run here."""
    content = look_at_content(design)
    if design.provider != "lab":
        return check_design(design, content=content)
    links = LabPaths(name=design.name).link_prefix
    machine = read_machine(labs=home(), without_links=links)
    folder = LabPaths(name=design.name).folder
    built = design.platform != "native" or image_root().is_dir()
    return check_design(design, replace(machine, disk_taken=_taken(folder), image_built=built), content)


def _taken(folder: Path) -> int:
    """Return the bytes that a lab takes already; its drives are sparse, and count as what was written."""
    if not folder.is_dir():
        return 0
    try:
        return int(run(("du", "-sx", "--block-size=1", str(folder))).split()[0])
    except CommandError:  # files go while they are counted
        return 0


def _disk_is_full() -> RookeryError | None:
    """Return the error for a disk that a lab has filled while it came up; None while there is room."""
    free = shutil.disk_usage(home()).free
    if free >= _LEAST_FREE:
        return None
    return NotPossibleError(
        f"{home()} is full: {format_size(free)} are left, and Ceph stops where it cannot write",
        hint="Free some disk, or take the lab down (`rookery down`) and set ROOKERY_HOME to a larger one.",
    )


def steps_left(system: System) -> tuple[Step, ...]:
    """Return the steps that are not done, looking at what runs."""
    return plan_rest(system.steps(), system.observe())


def bring_up(
    workspace: Workspace, progress: Progress, *, mirror: Path | None = None, mirror_url: str = ""
) -> Arrival:
    """Bring the system up from wherever it is, and verify it. The caller has shown the findings.

    Raises InputError for a design with errors, NotPossibleError for a machine that cannot run it.
    """
    began = time.monotonic()
    design = workspace.design
    system = find_system(design, mirror=mirror, mirror_url=mirror_url)
    require_machine(design, mirror=mirror)
    _refuse_errors(findings_here(design), system)
    with hold(design.name):
        refuse_other_home(design.name)
        _refuse_changes(workspace)
        if isinstance(system, NativeSystem):
            system.require_answers()
        left = steps_left(system)
        if any(step.id == BOOTSTRAP for step in left):
            require_installer(design)
        note_system(workspace, mirror=mirror, mirror_url=mirror_url)
        try:
            timings = apply_steps(
                left,
                system.apply,
                progress,
                hindrance=_disk_is_full if design.provider == "lab" else None,
            )
            looking = time.monotonic()
            results = verify(system, mark=new_mark())
            ended = time.monotonic()
        finally:
            system.close()
    return Arrival(timings=timings, results=results, verify_seconds=ended - looking, seconds=ended - began)


def new_mark() -> str:
    """Return a name for what a verification makes for a moment, which no other has."""
    return f"{int(time.time())}-{os.urandom(3).hex()}"


def _refuse_errors(findings: tuple[Finding, ...], system: System) -> None:
    """Refuse a design with errors. What the machine lacks right now does not count against servers that
    run already: they have it."""
    running = system.is_reachable()
    errors = [
        f for f in findings if f.severity is Severity.ERROR and not (running and f.code.startswith("RK6"))
    ]
    if errors and all(error.code.startswith("RK6") for error in errors):
        raise NotPossibleError(
            f"this machine cannot run {system.design.name}",
            details=tuple(str(finding) for finding in errors),
            hint="A design with fewer or smaller servers may fit; `rookery plan` shows what each costs.",
        )
    if errors:
        count = "an error" if len(errors) == 1 else f"{len(errors)} errors"
        raise InputError(
            f"the design has {count}",
            details=tuple(str(finding) for finding in errors),
            hint="`rookery plan` shows the design and all that the checks say of it.",
        )


def changes_to(workspace: Workspace) -> tuple[Change, ...]:
    """Return how a spec differs from what the system of its name was last asked to be."""
    name = workspace.design.name
    if name not in running_names() or saved_spec(name) is None:
        return ()
    return changes(open_running(name).design, workspace.design, OBSTACLES)


def _refuse_changes(workspace: Workspace) -> None:
    """Refuse a spec that a running system cannot become. Half applying it would leave one that is neither."""
    blocked = [change for change in changes_to(workspace) if change.obstacle]
    if blocked:
        name = workspace.design.name
        raise NotPossibleError(
            f"{name} runs, and not all of this can be changed in place",
            details=tuple(f"{change}: {change.obstacle}" for change in blocked),
            hint=f"Give the new spec another name, or run `rookery down {name}` first (its data goes too).",
        )
