"""Bringing a system up, and proving that it works."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from rookery.apps.table import APPS
from rookery.design.change import changed_parts, only_grows, shrunk_volumes
from rookery.design.checks import Finding, Severity, check_design
from rookery.design.model import Design
from rookery.drivers.files import write_whole
from rookery.drivers.machine import read_machine
from rookery.errors import InputError, NotPossibleError
from rookery.plan.step import Step, plan_rest
from rookery.run.engine import Progress, Timing, apply_steps
from rookery.run.lock import hold
from rookery.run.preflight import require_lab_machine
from rookery.run.verify.result import Result
from rookery.run.verify.table import verify
from rookery.run.workspace import Workspace, open_running, running_names
from rookery.systems.native.lab import NativeSystem
from rookery.systems.native.paths import LabPaths, home
from rookery.systems.protocol import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """What `up` did: when each step ran, what verification saw, and how long all of it took, in seconds."""

    timings: tuple[Timing, ...]
    results: tuple[Result, ...]
    verify_seconds: float
    seconds: float


def find_system(design: Design) -> NativeSystem:
    """Return the system of a design; raises NotPossibleError where this version cannot run it."""
    if (design.provider, design.platform) != ("lab", "native"):
        raise NotPossibleError(
            f"platform {design.platform} on provider {design.provider} cannot be brought up by this version",
            hint="It can be designed and checked (`rookery plan`); what runs today is the native lab.",
        )
    return NativeSystem(design)


def findings_here(design: Design) -> tuple[Finding, ...]:
    """Return what the checks say of a design, on this machine where it is to run here."""
    if design.provider != "lab":
        return check_design(design)
    links = LabPaths(name=design.name).link_prefix
    return check_design(design, read_machine(labs=home(), without_links=links))


def steps_left(system: System) -> tuple[Step, ...]:
    """Return the steps that are not done, looking at what runs."""
    return plan_rest(system.steps(), system.observe())


def bring_up(workspace: Workspace, progress: Progress) -> Arrival:
    """Bring the system up from wherever it is, and verify it. The caller has shown the findings.

    Raises InputError for a design with errors, NotPossibleError for a machine that cannot run it.
    """
    began = time.monotonic()
    design = workspace.design
    system = find_system(design)
    require_lab_machine()
    _refuse_errors(findings_here(design), system)
    _require_content(design)
    with hold(design.name):
        _refuse_changes(workspace)
        _keep_spec(workspace, system.paths.spec)
        try:
            timings = apply_steps(steps_left(system), system.apply, progress)
            looking = time.monotonic()
            results = verify(system, mark=new_mark())
            ended = time.monotonic()
        finally:
            system.close()
    return Arrival(timings=timings, results=results, verify_seconds=ended - looking, seconds=ended - began)


def new_mark() -> str:
    """Return a name for what a verification makes for a moment, which no other has."""
    return f"{int(time.time())}-{os.urandom(3).hex()}"


def _refuse_errors(findings: tuple[Finding, ...], system: NativeSystem) -> None:
    """Refuse a design with errors. What the machine lacks right now does not count against servers that
    run already: they have it."""
    running = bool(system.runc.running())
    errors = [
        f for f in findings if f.severity is Severity.ERROR and not (running and f.code.startswith("RK6"))
    ]
    if errors:
        count = "an error" if len(errors) == 1 else f"{len(errors)} errors"
        raise InputError(
            f"the design has {count}",
            details=tuple(str(finding) for finding in errors),
            hint="`rookery plan` shows the design and all that the checks say of it.",
        )


def _refuse_changes(workspace: Workspace) -> None:
    """Refuse a spec that differs from the one that the system of this name was begun with, unless the system
    can become that as it runs. Half applying it would leave a system that is neither.
    """
    name = workspace.design.name
    if name not in running_names() or not LabPaths(name=name).spec.exists():
        return
    before, after = open_running(name).design, workspace.design
    if only_grows(before, after):
        return
    if smaller := shrunk_volumes(before, after):
        raise NotPossibleError(
            f"{', '.join(smaller)} would become smaller, and a file system in use cannot",
            hint="Leave the size as it is, or take the system down and bring it up anew.",
        )
    if parts := changed_parts(before, after):
        raise NotPossibleError(
            f"{name} runs from another design (its {', '.join(parts)} differ), and changing that in place"
            " is not possible yet: volumes can grow",
            hint=f"Give the new spec another name, or run `rookery down {name}` first (its data goes too).",
        )


def _require_content(design: Design) -> None:
    """Raise InputError for content that the spec names and that is not there, before anything is made."""
    for app in design.apps:
        making = APPS[app.name].making(app)
        folder = making.source if making is not None else APPS[app.name].folder(app)
        if folder is not None and not Path(folder).is_dir():
            raise InputError(
                f"apps.{app.name}: there is no folder {folder} to publish",
                hint="Correct the path in the spec.",
            )


def _keep_spec(workspace: Workspace, path: Path) -> None:
    """Note what this system is asked to be, for the commands that come without a spec."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.parent.chmod(0o711)
    write_whole(path, workspace.spec.model_dump_json(by_alias=True, indent=1, exclude_unset=True).encode())
