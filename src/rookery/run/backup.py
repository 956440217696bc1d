"""Backups of a running system: taken, listed, looked at, and removed when their time is over."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rookery.apps.backup.config import kinds_of
from rookery.apps.backup.model import BackupSet, parse_set
from rookery.errors import InputError, NotPossibleError
from rookery.run.identity_part import lay_identity
from rookery.systems.protocol import Backups, Report, System


def take_set(system: System, kinds: Sequence[str], report: Report) -> BackupSet:
    """Take a set of some kinds, of all where none is named; returns once all of it is in the store.

    Raises InputError for a kind that the system has not, NotPossibleError where another set is being taken.
    """
    unknown = sorted(set(kinds) - set(kinds_of(system.design)))
    if unknown:
        raise InputError(
            f"{system.design.name} has no {', '.join(unknown)} to back up",
            hint=f"It has: {', '.join(kinds_of(system.design))}.",
        )
    backups = backups_of(system)
    lay_identity(system)
    return parse_set(backups.ask("now", {"kinds": list(kinds)}, report))


def list_sets(system: System) -> tuple[BackupSet, ...]:
    """Return all sets, the oldest first."""
    return tuple(map(parse_set, backups_of(system).ask("list", {}, _quiet)))


def find_set(system: System, label: str) -> BackupSet:
    """Return one set; raises InputError where there is none of that label."""
    sets = list_sets(system)
    for found in sets:
        if found.label == label:
            return found
    names = ", ".join(one.label for one in sets) or "none"
    raise InputError(f"there is no set {label}", hint=f"There are: {names}.")


def check_sets(
    system: System, labels: Sequence[str], report: Report, *, deep: bool
) -> Mapping[str, Sequence[str]]:
    """Look at what is stored of some sets, of all where none is named; return the problems of each kind.
    Looking `deep` reads all of it."""
    for label in labels:
        find_set(system, label)
    found: Mapping[str, Sequence[str]] = backups_of(system).ask(
        "check", {"labels": list(labels), "deep": deep}, report
    )
    return found


def prune_sets(system: System, report: Report) -> tuple[str, ...]:
    """Remove the sets whose time is over, and return their labels."""
    return tuple(backups_of(system).ask("prune", {}, report))


def fetch_sets(system: System, copy: str, report: Report) -> Mapping[str, Any]:
    """Bring the sets of a copy outside into the system's own bucket; return `from` where, and the bytes that
    were `moved`."""
    found: Mapping[str, Any] = backups_of(system).ask("fetch", {"copy": copy}, report)
    return found


def backups_of(system: System) -> Backups:
    """Return the backups of a system; raises NotPossibleError where it takes none."""
    found = system.backups
    if found is None:
        raise NotPossibleError(
            f"{system.design.name} takes no backups",
            hint="Add `backup: {}` to its spec and run `rookery up`.",
        )
    return found


def _quiet(_: str) -> None:
    """Hears nothing."""
