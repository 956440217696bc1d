"""Bringing a system up, prepared once: one lock and one look at it, from the opening to the proof."""

from __future__ import annotations

import contextlib
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from rookery.apps.table import OBSTACLES
from rookery.design.change import Change, changes
from rookery.design.checks import Finding, Severity
from rookery.design.model import Design
from rookery.errors import InputError, NotPossibleError, RookeryError
from rookery.plan.kubernetes import BOOTSTRAP
from rookery.plan.step import Step, plan_rest
from rookery.prices.book import cloud_of
from rookery.run.backup_end import ENDING, end_backups, ends_backups
from rookery.run.clouds import standing
from rookery.run.copy_keys import keep_copy_keys, read_copy_keys
from rookery.run.engine import Apply, Progress, Timing, apply_steps
from rookery.run.findings import findings_here
from rookery.run.homes import refuse_other_home
from rookery.run.identity_part import lay_identity
from rookery.run.lock import hold
from rookery.run.systems import cloud_servers, find_system
from rookery.run.verify.result import Result
from rookery.run.verify.table import new_mark, verify
from rookery.run.workspace import (
    Workspace,
    note_system,
    open_running,
    opened_again,
    running_names,
    saved_spec,
)
from rookery.systems.home import home
from rookery.systems.kubernetes.preflight import require_installer
from rookery.systems.protocol import System, Upgrade
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """A system that is to come up: what the checks say of it, and the steps that are not done, as they were
    seen when it was opened. `began` is when that was (`time.monotonic`).

    Where there is an `upgrade`, the system is brought up as it is first, then moved to the next release of
    Ceph, then made what its spec says; the steps are those of the first two.
    """

    workspace: Workspace
    system: System
    upgrade: Upgrade | None
    findings: tuple[Finding, ...]
    steps: tuple[Step, ...]
    mirror: Path | None
    mirror_url: str
    began: float

    @property
    def design(self) -> Design:
        return self.system.design

    def run(self, progress: Progress) -> Arrival:
        """Carry the steps out from wherever the system is, and verify it. The caller has shown the findings.

        Raises InputError for a design with errors, NotPossibleError for a machine that cannot run it, or for
        a system that cannot become what its spec says.
        """
        self.refuse()
        keys = read_copy_keys(self.system, os.environ)
        ended = self._end_backups(progress)
        running = "" if self.upgrade is None else self.workspace.kept.ceph
        note_system(self.workspace, mirror=self.mirror, mirror_url=self.mirror_url, running=running)
        keep_copy_keys(self.system, keys)
        if self.upgrade is None:
            timings = (*ended, *self._apply(self.steps, self.system.apply, progress))
        else:
            timings = (*ended, *self._move(self.upgrade, progress))
        lay_identity(self.system)
        looking = time.monotonic()
        results = verify(self.system, mark=new_mark())
        over = time.monotonic()
        return Arrival(
            timings=timings, results=results, verify_seconds=over - looking, seconds=over - self.began
        )

    def _end_backups(self, progress: Progress) -> tuple[Timing, ...]:
        """End the backups that the running system takes and its spec has no longer."""
        if not ends_backups(self.workspace):
            return ()
        name = self.design.name
        return self._apply((ENDING,), lambda _step, report: end_backups(name, report), progress)

    def _move(self, upgrade: Upgrade, progress: Progress) -> tuple[Timing, ...]:
        """Carry an upgrade out. That it is done is noted at its end: until then the same command goes on."""
        origin = time.monotonic()

        def apply(steps: Sequence[Step], carry_out: Apply) -> tuple[Timing, ...]:
            since = time.monotonic() - origin
            timings = self._apply(steps, carry_out, progress)
            return tuple(replace(t, began=t.began + since, ended=t.ended + since) for t in timings)

        timings = apply(steps_left(upgrade.before), upgrade.before.apply)
        timings += apply(_moves_left(upgrade), upgrade.apply)
        note_system(self.workspace, mirror=self.mirror, mirror_url=self.mirror_url)
        return (*timings, *apply(steps_left(self.system), self.system.apply))

    def _apply(self, steps: Sequence[Step], apply: Apply, progress: Progress) -> tuple[Timing, ...]:
        hindrance = _disk_is_full if self.design.traits.here else None
        try:
            return apply_steps(steps, apply, progress, hindrance=hindrance)
        except RookeryError as error:
            self._say_what_stands(error)
            raise

    def _say_what_stands(self, error: RookeryError) -> None:
        """Add to an error what of the system costs money meanwhile, and both ways on from there."""
        servers = cloud_servers(self.system)
        if servers is None:
            return
        provider, name = cloud_of(self.design.provider), self.design.name
        now = datetime.fromtimestamp(time.time(), UTC)
        if stands := standing(provider, servers.there().values(), now):
            ways = f"it stays: `rookery up` goes on from it, `rookery down {name}` removes it"
            error.details = (*error.details, stands, ways)

    def refuse(self) -> None:
        """Raise for whatever is in the way, before anything is made."""
        _refuse_errors(self.findings, self.system)
        refuse_other_home(self.design.name)
        _refuse_changes(self.workspace)
        self.system.require_answers()
        if any(step.id == BOOTSTRAP for step in self.steps):
            require_installer(self.design)


@contextlib.contextmanager
def prepared(
    workspace: Workspace, *, mirror: Path | None = None, mirror_url: str = "", until: str = ""
) -> Iterator[Prepared]:
    """Yield the system of a workspace, looked at once and locked until the end of the block.

    With `until`, servers of a cloud are wanted until then. Nobody else changes it between the look and what
    follows from it. Raises NotPossibleError where another command works on it. The caller has made sure of
    the machine, and of the mirror where one is needed.
    """
    began = time.monotonic()
    with contextlib.ExitStack() as stack:
        stack.enter_context(hold(workspace.design.name))
        workspace = opened_again(workspace)
        system = find_system(workspace.design, mirror=mirror, mirror_url=mirror_url, until=until)
        stack.callback(system.close)
        upgrade = system.upgrade(workspace.kept.ceph)
        if upgrade is not None:
            stack.callback(upgrade.before.close)
        yield Prepared(
            workspace=workspace,
            system=system,
            upgrade=upgrade,
            findings=findings_here(workspace.design),
            steps=steps_left(system) if upgrade is None else steps_of(upgrade),
            mirror=mirror,
            mirror_url=mirror_url,
            began=began,
        )


def steps_left(system: System) -> tuple[Step, ...]:
    """Return the steps that are not done, looking at what runs."""
    return plan_rest(system.steps(), system.observe())


def _moves_left(upgrade: Upgrade) -> tuple[Step, ...]:
    return plan_rest(upgrade.steps(), upgrade.observe())


def steps_of(upgrade: Upgrade) -> tuple[Step, ...]:
    """Return the steps left that bring a system up as it is, and those that move it."""
    return (*steps_left(upgrade.before), *_moves_left(upgrade))


def _disk_is_full() -> RookeryError | None:
    """Return the error for a disk that a lab has filled while it came up; None while there is room."""
    free = shutil.disk_usage(home()).free
    if free >= _LEAST_FREE:
        return None
    return NotPossibleError(
        f"{home()} is full: {format_size(free)} are left, and Ceph stops where it cannot write",
        hint="Free some disk, or take the lab down (`rookery down`) and set ROOKERY_HOME to a larger one.",
    )


def _refuse_errors(findings: tuple[Finding, ...], system: System) -> None:
    """Refuse a design with errors. What the machine lacks right now does not count against servers that
    run already: they have it."""
    errors = [finding for finding in findings if finding.severity is Severity.ERROR]
    scarce = [error for error in errors if error.code.startswith("RK6")]
    if scarce and system.is_reachable():
        errors, scarce = [error for error in errors if error not in scarce], []
    if errors and errors == scarce:
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
