"""Two runs beside each other: a difference is shown where there is one, and none where there is none."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest
from rich.console import Console

from rookery.cli.experiment_tables import comparison_view
from rookery.experiments.record import Operation, Phases, Record
from rookery.run.experiment.compare import Difference, compare


def run(seed: int, *, took: float = 0.02, rate: float = 30.0, id: str = "a") -> Record:  # noqa: A002
    """A run of 60 s in which some seconds are slower than others."""
    chance = random.Random(seed)
    operations = []
    for second in range(60):
        slow = chance.lognormvariate(0, 0.4)
        for _ in range(round(rate * chance.uniform(0.9, 1.1))):
            ended = second + chance.random()
            operations.append(
                Operation(kind="puts", ended=ended, took=took * slow * chance.lognormvariate(0, 0.3))
            )
    return Record(
        id=id,
        system="demo",
        began="2026-11-30T20:00:00+00:00",
        phases=Phases(observed=0, broken=10, steady=60, ended=60),
        broken=(),
        events=(),
        operations=operations,
        books=None,
        environment=(("Ceph", "20"),),
    )


def differences(first: Record, second: Record) -> dict[str, Difference]:
    return {one.figure: one for one in compare(first, second, "during").differences}


def test_twice_as_slow_is_shown_with_by_how_much() -> None:
    found = differences(run(1), run(2, took=0.04))
    assert found["p50"].shown
    assert found["p50"].low < 1.0 < found["p50"].high
    assert not found["rate"].shown


def test_half_the_rate_is_shown() -> None:
    found = differences(run(1), run(2, rate=15))
    assert found["rate"].low < -0.5 < found["rate"].high < 0
    assert not found["p50"].shown


def test_of_the_same_nearly_nothing_is_shown() -> None:
    """At 95 %, one of twenty is by chance: of 12 pairs of the same, few may be shown."""
    shown = sum(differences(run(seed), run(seed + 100))["p50"].shown for seed in range(12))
    assert shown <= 3


def test_the_same_runs_compare_the_same_every_time() -> None:
    assert compare(run(1), run(2), "during") == compare(run(1), run(2), "during")


def test_too_little_says_nothing_and_what_else_differs_is_said() -> None:
    short = replace(run(2, id="b"), phases=Phases(observed=0, broken=55, steady=60, ended=60))
    other = replace(short, environment=(("Ceph", "18"),))
    found = compare(run(1), other, "during")
    assert found.differences == ()
    assert found.left_out == (("puts", "there is too little of it during"),)
    assert found.unlike == ("Ceph: 20 and 18",)


def test_it_is_shown_in_words(capsys: pytest.CaptureFixture[str]) -> None:
    found = compare(run(1), run(2, took=0.04, id="b"), "during")
    Console(width=80, markup=False).print(comparison_view(found))
    lines = capsys.readouterr().out.splitlines()
    assert "no difference shown" in next(line for line in lines if " rate " in line)
    assert "% to +" in next(line for line in lines if " p50 " in line)
    assert max(len(line) for line in lines) <= 80
