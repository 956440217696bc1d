"""An experiment on a running system, from what is asked to what is found."""

from __future__ import annotations

import os
import time
from dataclasses import dataclass
from pathlib import Path

from rookery.errors import RookeryError
from rookery.experiments.load import load_experiment, read_text
from rookery.experiments.model import Experiment
from rookery.experiments.outline import Outline, outline
from rookery.experiments.reading import parse_experiment
from rookery.experiments.record import Record
from rookery.experiments.verdict import Verdict, judge
from rookery.run.experiment.conduct import Conductor, require_possible
from rookery.run.experiment.gather import RECORD, gather, read_record
from rookery.run.experiment.keep import Kept, conducting, find_run
from rookery.run.experiment.roles import look_up_roles
from rookery.systems.protocol import Report, System

_ASKED = "experiment.yaml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What one run found: the experiment, what was seen, what that means."""

    experiment: Experiment
    record: Record
    verdict: Verdict


def plan_experiment(system: System, experiment: Experiment) -> Outline:
    """Return what an experiment will do to a system as it runs now.

    Raises InputError where a target is nobody there, NotPossibleError where something cannot be broken.
    """
    plan = outline(experiment, system.design, look_up_roles(system))
    require_possible(system, plan)
    return plan


def run_experiment(system: System, name: str, report: Report) -> Found:
    """Run an experiment of the library, or one at a path, and return what it found."""
    experiment = load_experiment(name)
    with conducting(system) as folder:
        kept = Kept(folder / f"{time.strftime('%Y%m%dt%H%M%Sz', time.gmtime())}-{os.urandom(2).hex()}")
        kept.folder.mkdir(mode=0o700)
        kept.write(_ASKED, read_text(name))
        kept.note(experiment=experiment.name, state="begun")
        plan = plan_experiment(system, experiment)
        Conductor(system, experiment, plan, kept, report).conduct()
        record = gather(system, kept)
    return Found(experiment=experiment, record=record, verdict=judge(experiment, record))


def find_found(system: System, run: str) -> Found:
    """Return what a run found, by its id, or the last one's for an empty name; raises RookeryError."""
    kept = find_run(system, run)
    experiment = parse_experiment(_asked(kept.folder / _ASKED), file=str(kept.folder / _ASKED))
    done = kept.folder / RECORD
    record = read_record(done) if done.exists() else gather(system, kept)
    return Found(experiment=experiment, record=record, verdict=judge(experiment, record))


def _asked(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise RookeryError(f"{path} cannot be read: {error.strerror}") from None
