"""What `rookery drill --full` does: destroys a whole lab, and has it again from elsewhere."""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rookery.cli.about import about, say
from rookery.cli.journaling import Keeping, Record, recorded
from rookery.cli.restore_system import read_keys
from rookery.errors import InputError, RookeryError

if TYPE_CHECKING:
    from rookery.run.drill.elsewhere import Elsewhere
    from rookery.run.drill.model import DrillOutcome
    from rookery.run.drill.note import Note
    from rookery.systems.protocol import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Full:
    """The options of a drill that destroys everything: from which copy it comes back, and by which key."""

    full: bool
    copy: str
    identity: Path | None
    passphrase_file: Path | None

    def require_unused(self) -> None:
        """Raise InputError where one of them came without --full."""
        if self.copy or self.identity or self.passphrase_file:
            raise InputError("--copy, --identity and --passphrase-file are for a drill with --full")

    def keys(self) -> Sequence[str]:
        """Return the keys that were brought; none where the one that is kept here is to do."""
        return () if self.identity is None else read_keys(self.identity, self.passphrase_file)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What every drill is asked for."""

    kinds: Sequence[str]
    size: int
    yes: bool
    report: Path | None
    keeping: Keeping


def full_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options of `Full`."""
    file = click.Path(path_type=Path, exists=True, dir_okay=False)
    options = (
        click.option("--full", is_flag=True, help="Destroy the whole lab, and have it again from elsewhere."),
        click.option("--copy", default="", metavar="NAME", help="With --full: from this copy outside."),
        click.option("--identity", type=file, help="With --full: the file with the key (`backup key`)."),
        click.option("--passphrase-file", type=file, help="With --full: the key's passphrase, first line."),
    )
    for option in reversed(options):
        command = option(command)
    return command


def drill_full(full: Full, system: str | None, asked: Asked) -> DrillOutcome:
    """Hold such a drill, or go on with one that was killed when the lab was gone already."""
    from rookery.run.drill.note import destroyed, noted

    if system is None:
        raise InputError(
            "a drill with --full destroys a whole lab, and wants to be told which",
            hint="Name it: --system NAME. `rookery status` shows what runs.",
        )
    if asked.kinds:
        raise InputError("--only does not go with --full: everything is lost then")
    with noted(system) as note:
        if not destroyed(system):
            _begin(full, system, asked, note)
        else:
            say(f"{system}: a drill was left that had begun to destroy it, and goes on")
        return _go_on(system, asked, note)


def _begin(full: Full, name: str, asked: Asked, note: Note) -> None:
    """Ask, and do all that comes before the loss."""
    from rookery.run.drill.elsewhere import find_elsewhere, require_lab
    from rookery.run.drill.full import begin_full

    with about(name, asked.keeping) as (running, record):
        record.empty = True
        if running.design.name != name:
            raise InputError(
                f"{name} is a spec: what is destroyed is named", hint=f"--system {running.design.name}"
            )
        require_lab(running.design)
        elsewhere = find_elsewhere(running, full.copy, full.keys())
        _ask(running, elsewhere, yes=asked.yes)
        record.did = f"drill begun that destroys {name}"
        record.empty = False
        begin_full(running, asked.size, elsewhere, note, say)
        record.empty = True  # what became of it is an entry of its own


def _go_on(name: str, asked: Asked, note: Note) -> DrillOutcome:
    from rookery.run.drill.full import go_on

    with recorded(asked.keeping, system=name, begins=True) as record:
        record.did = f"{name} destroyed for a drill"
        outcome = go_on(name, note, say)
        record.did = f"drill {outcome.id}: {name} destroyed, built again from {outcome.elsewhere}, restored"
        keep_outcome(record, outcome, asked.report)
    return outcome


def _ask(system: System, elsewhere: Elsewhere, *, yes: bool) -> None:
    """Say what will be destroyed and what brings it back, and ask whether it may."""
    design = system.design
    drives = sum(len(host.drives) for host in design.hosts)
    say(
        f"This drill destroys {design.name}, all of it: {len(design.hosts)} servers, their {drives} drives"
        " with every byte that is stored, its keys, secrets and authority. What runs on it ends, load too."
    )
    say(
        f"A set is taken before, and must be whole in copy {elsewhere.copy} ({elsewhere.url}); from that and"
        " the key to its own backup it is built again on this machine. What is written after the set is lost."
    )
    if yes:
        return
    if not sys.stdin.isatty():
        raise InputError("a drill asks before it destroys anything", hint="`--yes` is an answer.")
    if click.prompt("The name of what may be destroyed", err=True) != design.name:
        raise click.Abort


def keep_outcome(record: Record, outcome: DrillOutcome, report: Path | None) -> None:
    """Note in the journal how a drill ended, and write its report where one is asked for."""
    record.ends(outcome.exit_code, _words(outcome))
    if report is not None:
        _write(report, outcome)
        record.report = report


def _write(path: Path, outcome: DrillOutcome) -> None:
    from rookery.run.drill.report import render_report

    try:
        path.write_text(render_report(outcome), encoding="utf-8")
    except OSError as error:
        raise RookeryError(
            f"the report cannot be written to {path}: {error.strerror}",
            hint="Name another file with --report.",
        ) from None


def _words(outcome: DrillOutcome) -> str:
    rpo = "not known" if outcome.rpo is None else f"{outcome.rpo:.1f} s"
    return f"{outcome.verdict}; RPO {rpo}, RTO {outcome.rto:.1f} s"
