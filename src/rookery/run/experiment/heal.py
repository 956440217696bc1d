"""What a killed experiment left: found by looking, put back, and its load ended."""

from __future__ import annotations

from rookery.errors import RookeryError
from rookery.run.experiment.keep import Kept, runs_folder
from rookery.systems.protocol import Report, System


def heal(system: System, report: Report) -> tuple[str, ...]:
    """Put back all that is broken as a fault breaks it, and end the load of a run that was killed.

    Returns what was done; raises RookeryError where something does not heal, once all else was tried.
    """
    done, failures = [], []
    for healing in system.faults.begun():
        try:
            healing.heal(report)
            done.append(f"healed: {healing.fault}")
        except RookeryError as error:
            failures.append(f"{healing.fault}: {error.what}")
    figures = system.load.figures()
    if figures is not None and figures.running and figures.record in _loads(system):
        system.load.stop(keep=False, report=report)
        done.append("the load of a run that was killed is ended")
    if failures:
        raise RookeryError(
            "not everything is healed", details=tuple(failures), hint="`rookery up` mends more."
        )
    return tuple(done)


def _loads(system: System) -> frozenset[str]:
    """Return the records of the loads that runs have begun."""
    folder = runs_folder(system)
    if not folder.exists():
        return frozenset()
    known = (Kept(path).known() for path in folder.iterdir() if path.is_dir())
    return frozenset(one["load"] for one in known if "load" in one)
