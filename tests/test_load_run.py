"""A run of load, whatever carries it: begun, asked to end, lost, and what is kept of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from rookery.errors import RookeryError
from rookery.load.model import Job, Wishes, build_job
from rookery.systems.load import STATUS, Run, Sight, raise_ended, render_secrets
from rookery.systems.protocol import Credentials
from tests.kit.designs import design

JOB = build_job(
    design({"pattern": "production-minimum"}),
    Wishes(),
    run="00000000-0000-4000-8000-000000000001",
    began="2026-01-02T03:04:05",
)
LOST = "it was carried away"


def status(state: str, why: str = "") -> str:
    return json.dumps(
        {
            "system": "demo", "record": "record.json", "state": state, "why": why, "message": "",
            "began": "2026-01-02T03:04:05+00:00", "ended": "", "seen": "2026-01-02T03:05:05+00:00",
            "seconds": 60, "settings": {}, "off": {}, "kinds": {},
        }
    )  # fmt: skip


def nothing() -> None:
    """A generator that does nothing."""


@dataclass(kw_only=True)
class Hand:
    """A carrier by hand. `launched` and `heard` are what its generator does then; `told` is what was asked of
    it, in order."""

    records: Path
    alive: bool = False
    silent: str = ""
    launched: Callable[[], None] = nothing
    heard: Callable[[], None] = nothing
    told: list[str] = field(default_factory=list)
    start_limit: float = 0.3
    stop_limit: float = 0.3
    lost: str = LOST

    def write(self, state: str) -> None:
        for name in (STATUS, "record.json"):
            (self.records / name).write_text(status(state))

    def launch(self, job: Job) -> None:
        self.told.append(f"launch {job.system}")
        self.alive = True
        self.launched()

    def look(self, name: str = STATUS) -> Sight:
        if name != STATUS:
            self.told.append(f"look {name}")
        return Sight(alive=self.alive, silent=self.silent)

    def why_waiting(self) -> str:
        if not self.alive:
            raise_ended("1\n2\n", "Error")
        return "it starts"

    def signal(self, *, keep: bool) -> None:
        self.told.append("signal keep" if keep else "signal")
        self.heard()

    def remove(self) -> None:
        self.told.append("remove")
        self.alive = False


@pytest.fixture
def hand(tmp_path: Path) -> Hand:
    made = Hand(records=tmp_path / "load")
    made.launched = lambda: made.write("running")
    return made


def quiet(_text: str) -> None:
    """Hears what is reported, and forgets it."""


def test_a_run_begins_on_a_clean_place_that_is_its_owners_alone(hand: Hand) -> None:
    seen = Run(hand).start(JOB, quiet)
    assert (seen.state, hand.told) == ("running", ["remove", f"launch {JOB.system}"])
    assert hand.records.stat().st_mode & 0o777 == 0o700


def test_one_that_cannot_be_launched_leaves_nothing(hand: Hand) -> None:
    def refuse() -> None:
        raise RookeryError("there is no room")

    hand.launched = refuse
    with pytest.raises(RookeryError, match="there is no room"):
        Run(hand).start(JOB, quiet)
    assert (hand.told[-1], hand.alive) == ("remove", False)


def test_one_that_ends_at_once_says_why(hand: Hand) -> None:
    hand.launched = lambda: setattr(hand, "alive", False)
    with pytest.raises(RookeryError, match="the generator ended at once: Error") as ended:
        Run(hand).start(JOB, quiet)
    assert ended.value.details == ("1", "2")
    assert hand.told[-1] == "remove"


def test_it_is_asked_until_it_hears_and_no_longer(hand: Hand) -> None:
    asked = iter(("starting", "running", "draining"))

    def hear() -> None:
        hand.write(next(asked))

    def report(text: str) -> None:
        """Hears that it drains, after which it ends."""
        if "draining" in text:
            hand.write("ended")
            hand.alive = False

    run = Run(hand)
    run.start(JOB, quiet)
    hand.heard, hand.told, hand.stop_limit = hear, [], 10.0
    seen = run.stop(keep=True, report=report)
    assert seen is not None
    assert seen.state == "ended"
    assert hand.told == ["signal keep"] * 3 + ["look record.json", "remove"]


def test_one_that_does_not_end_is_removed_and_was_lost(hand: Hand) -> None:
    run = Run(hand)
    run.start(JOB, quiet)
    seen = run.stop(keep=False, report=quiet)
    assert seen is not None
    assert (seen.state, seen.why, seen.ended) == ("lost", LOST, "2026-01-02T03:05:05+00:00")
    for name in (STATUS, "record.json"):
        kept = json.loads((hand.records / name).read_text())
        assert (kept["state"], kept["why"]) == ("lost", LOST)
        assert (hand.records / name).stat().st_mode & 0o777 == 0o600


def test_a_new_run_notes_that_the_one_before_was_lost(hand: Hand) -> None:
    run = Run(hand)
    run.start(JOB, quiet)
    hand.alive = False
    lost = run.figures()
    assert lost is not None
    assert lost.state == "lost"

    def write_status() -> None:
        (hand.records / STATUS).write_text(status("running"))

    hand.launched = write_status
    assert run.start(JOB, quiet).state == "running"
    assert json.loads((hand.records / "record.json").read_text())["why"] == LOST


def test_one_that_nobody_hears_says_since_when(hand: Hand) -> None:
    run = Run(hand)
    run.start(JOB, quiet)
    hand.silent = "its node is silent"
    seen = run.figures()
    assert seen is not None
    assert seen.message == "its node is silent since 2026-01-02T03:05:05+00:00"
    hand.write("ended")
    ended = run.figures()
    assert ended is not None
    assert ended.message == ""


def test_without_a_run_there_is_nothing_to_stop(hand: Hand) -> None:
    assert Run(hand).stop(keep=False, report=quiet) is None


def test_only_secrets_that_the_job_needs_are_asked_for() -> None:
    def refused() -> Credentials:
        raise AssertionError("the job has no objects")

    job = build_job(design({"pattern": "production-minimum"}), Wishes(churn=0), run=JOB.run, began=JOB.began)
    assert json.loads(render_secrets(job, password=lambda: "p", keys=refused)) == {"database_password": "p"}
