"""Experiments as data: how they are read, who is meant, what a run's record says to their claims."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.faults import FaultKind
from rookery.design.model import Design
from rookery.errors import ExitCode, InputError
from rookery.experiments.load import experiment_names, load_experiment, read_text
from rookery.experiments.measures import OF_OPERATIONS, amount_of, find_measure
from rookery.experiments.measuring import gaps_of, measure_run, percentile
from rookery.experiments.model import Claim, Experiment
from rookery.experiments.outline import outline
from rookery.experiments.reading import build_experiment_schema, parse_experiment
from rookery.experiments.record import Books, Broken, Event, Mark, Operation, Phases, Promised, Record
from rookery.experiments.report import answer, render_report
from rookery.experiments.targets import Roles, resolve
from rookery.experiments.verdict import Outcome, judge
from rookery.spec.load import load_pattern
from rookery.spec.strict import UnreadableError

HEAD = """\
apiVersion: rookery/v1
kind: Experiment
name: mine
question: What happens then?
"""
METHOD = "method: [{fault: power, target: storage node, for: 30s}]\n"
EXPECT = "expect: [{measure: lost, atMost: 0}]\n"
ROLES = Roles(
    primary="worker-a",
    replicas=("worker-b",),
    mds="mds.storage-l",
    leader="mon.storage-k",
    channel="worker-b",
)


@pytest.fixture(scope="module")
def design() -> Design:
    return build_design(load_pattern("production-minimum", settings=SETTINGS), placers=PLACERS)


def read(text: str) -> Experiment:
    return parse_experiment(text, file="mine.yaml")


def problems(text: str) -> list[str]:
    with pytest.raises(UnreadableError) as caught:
        read(text)
    return [str(one) for one in caught.value.problems]


@pytest.mark.parametrize("name", experiment_names())
def test_the_library_is_what_it_says_it_is(name: str, design: Design) -> None:
    found = load_experiment(name)
    assert found.name == name
    assert found.question.endswith("?")
    assert found.description
    plan = outline(found, design, ROLES)
    assert plan.least < plan.most
    assert [one.at for one in plan.planned] == [one.at for one in found.method]
    jsonschema.validate(json.loads(json.dumps(_yaml(read_text(name)))), build_experiment_schema())


def test_what_was_found_is_written_beside_the_library() -> None:
    text = (Path(__file__).parents[1] / "docs" / "experiments.md").read_text(encoding="utf-8")
    found = {line.split("`")[1] for line in text.splitlines() if line.startswith("| `")}
    assert found == set(experiment_names())


def _yaml(text: str) -> object:
    import yaml

    return yaml.safe_load(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (METHOD.replace("for: 30s", "") + EXPECT, "`power` lasts until it is healed: say `for` or `until`"),
        (METHOD.replace("30s", "30") + EXPECT, "write a time with its unit, like 30s, 500ms or 2min"),
        (METHOD.replace("30s", "3d") + EXPECT, "write a time with its unit"),
        (METHOD.replace("30s", "25h") + EXPECT, "no part of an experiment takes more than a day"),
        (METHOD.replace("30s", "30s, until: back") + EXPECT, "has both `for` and `until`; keep one"),
        (METHOD.replace("storage node", "storage nodes") + EXPECT, "write a host, HOST/PROGRAM, or one of"),
        (METHOD.replace("storage node", "osd") + EXPECT, "`power` is of a server, and `osd` is a program"),
        (METHOD.replace("power", "stop") + EXPECT, "`stop` is of a program, and `storage node` is a server"),
        (METHOD.replace("30s", "30s, with: {how: killed}") + EXPECT, "`with` says how of `power`"),
        (METHOD.replace("30s", "30s, at: 5s") + EXPECT, "times count from the first fault, which is at 0s"),
        (METHOD.replace("storage node", "another worker") + EXPECT, "no fault comes before it"),
        (METHOD + EXPECT.replace("lost", "transaction.gap"), "did you mean transactions.gap?"),
        (METHOD + EXPECT.replace("0", "0s"), "a bound of lost is a number, not '0s'"),
        (METHOD + EXPECT.replace("lost, atMost: 0", "pages.gap, atMost: 5"), "is a time like 15s"),
        (METHOD + EXPECT.replace("atMost: 0", "why: so"), "needs one bound: `atMost` or `atLeast`"),
        (METHOD + "expect: []\n", "must have at least one item"),
        (METHOD + EXPECT + "lod: {}\n", "did you mean `load`?"),
    ],
)
def test_what_is_wrong_is_said_where_it_stands(text: str, expected: str) -> None:
    assert any(expected in one for one in problems(HEAD + text)), problems(HEAD + text)


def test_all_problems_are_said_at_once() -> None:
    assert len(problems(HEAD + METHOD.replace("30s", "30") + EXPECT.replace("lost", "los"))) == 2


def test_a_file_that_is_none_is_said_to_be_none(tmp_path: Path) -> None:
    assert "an experiment starts with `apiVersion: rookery/v1`" in problems("")[0]
    with pytest.raises(InputError, match=r"there is no experiment 'storage-node-die'") as caught:
        load_experiment("storage-node-die")
    assert caught.value.hint == "Did you mean storage-node-dies?"
    with pytest.raises(InputError, match="cannot be read: No such file"):
        load_experiment(str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    ("kind", "word", "spot"),
    [
        (FaultKind.POWER, "storage node", ("storage-k", "")),
        (FaultKind.POWER, "storage-n", ("storage-n", "")),
        (FaultKind.HANG, "host of primary", ("worker-a", "")),
        (FaultKind.CUT, "host of active mds", ("storage-l", "")),
        (FaultKind.KILL, "active mds", ("storage-l", "mds.storage-l")),
        (FaultKind.KILL, "standby mds", ("storage-m", "mds.storage-m")),
        (FaultKind.STOP, "peon mon", ("storage-l", "mon.storage-l")),
        (FaultKind.STOP, "replica", ("worker-b", "database-postgres")),
        (FaultKind.STOP, "channel", ("worker-b", "streaming-channel")),
        (FaultKind.STOP, "storage-m/osd.5", ("storage-m", "osd.5")),
    ],
)
def test_words_mean_somebody(design: Design, kind: FaultKind, word: str, spot: tuple[str, str]) -> None:
    fault = resolve(design, ROLES, kind, word, parameters={}, hit=())
    assert (fault.host, fault.program) == spot


def test_the_same_and_another_follow_from_what_broke(design: Design) -> None:
    hit = (("storage-k", ""),)
    again = resolve(design, ROLES, FaultKind.HANG, "the same", parameters={}, hit=hit)
    other = resolve(design, ROLES, FaultKind.POWER, "another storage node", parameters={}, hit=hit)
    assert (again.host, other.host) == ("storage-k", "storage-l")
    every = tuple((host.name, "") for host in design.hosts)
    with pytest.raises(InputError, match="no other `storage node`: there are 4, and each is hit"):
        resolve(design, ROLES, FaultKind.POWER, "another storage node", parameters={}, hit=every)


def test_who_is_nobody_is_said_before_anything_breaks(design: Design) -> None:
    with pytest.raises(InputError, match="has no `active mds`, or nobody can tell now who that is"):
        resolve(design, Roles(), FaultKind.KILL, "active mds", parameters={}, hit=())
    with pytest.raises(InputError, match="there is no host 'storage-z'"):
        resolve(design, ROLES, FaultKind.POWER, "storage-z", parameters={}, hit=())


def regular(
    kind: str, begin: float, end: float, *, every: float = 0.1, took: float = 0.01
) -> list[Operation]:
    count = round((end - begin) / every)
    return [Operation(kind=kind, ended=begin + number * every, took=took) for number in range(count)]


BOOKS = Books(acknowledged=900, uncertain=2, found=901)


def record(operations: Sequence[Operation] | None = None, **changes: object) -> Record:
    """A run of 100 s: observed from 10 s on, broken at 30, healed at 60, steady at 80; it stood still for
    12 s."""
    known = [*regular("transactions", 5, 31), *regular("transactions", 43, 100)]
    made = Record(
        id="20261130t200000z-0000",
        system="demo",
        began="2026-11-30T20:00:00+00:00",
        phases=Phases(observed=10, broken=30, steady=80, ended=100),
        broken=(
            Broken(
                what="storage-k loses power", host="storage-k", program="", began=30, proved=30.4, healed=60
            ),
        ),
        events=(
            Event(at=30, source="method", what="storage-k loses power", mark=Mark.BEGUN),
            Event(at=51, source="ceph", what="2 OSDs down", mark=Mark.NOTICED),
            Event(at=52, source="ceph", what="33 placement groups lack a copy", mark=Mark.DEGRADED),
            Event(at=75, source="ceph", what="all copies", mark=Mark.REDUNDANT),
        ),
        operations=known if operations is None else operations,
        books=BOOKS,
        asked={"transactions": 10.0},
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def value(name: str, seen: Record, window: str = "during") -> float | None:
    return measure_run(seen, find_measure(name), window).amount


def test_clocks_count_from_the_first_fault() -> None:
    seen = record()
    assert (value("noticed", seen), value("redundant", seen), value("steady", seen)) == (21, 45, 50)
    assert value("transactions.gap", seen) == pytest.approx(12.1, abs=0.01)  # from 30.9 to 43
    assert value("transactions.back", seen) == pytest.approx(13.0, abs=0.01)
    assert value("transactions.throughput", seen) == pytest.approx(38 / 50, abs=0.01)
    assert value("transactions.gap", seen, "before") == pytest.approx(0.1, abs=0.01)
    (gap,) = gaps_of(seen, "transactions")
    assert list(gap) == pytest.approx([30.9, 43.0])


def test_what_nobody_saw_has_no_value_and_says_why() -> None:
    nothing = record(operations=())
    for name in OF_OPERATIONS:
        found = measure_run(nothing, find_measure(f"puts.{name}"), "during")
        assert found.amount is None, name
        assert "puts" in found.why, name
    assert value("noticed", record(events=())) is None
    assert value("lost", record(books=None)) is None
    assert value("lost", record(books=replace(BOOKS, found=None, why="no primary"))) is None
    blind = record(events=(Event(at=40, source="ceph", what="no answer", mark=Mark.BLIND),))
    assert value("redundant", blind) is None
    unbroken = record(phases=Phases(observed=10, broken=None, steady=None, ended=30))
    assert measure_run(unbroken, find_measure("lost"), "whole").why == "nothing was broken"


def test_what_never_ended_is_at_least_what_it_was() -> None:
    dead = record(
        operations=regular("transactions", 5, 31),
        phases=Phases(observed=10, broken=30, steady=None, ended=100),
    )
    gap = measure_run(dead, find_measure("transactions.gap"), "during")
    assert gap.open
    assert gap.amount == pytest.approx(69.1, abs=0.01)
    claim = Claim(measure="transactions.gap", at_most="90s")
    assert _outcome(claim, dead) is Outcome.NOT_OBSERVED
    assert _outcome(Claim(measure="transactions.gap", at_most="60s"), dead) is Outcome.VIOLATED
    never = record(phases=Phases(observed=10, broken=30, steady=None, ended=100))
    assert _outcome(Claim(measure="steady", at_most="60s"), never) is Outcome.VIOLATED
    assert _outcome(Claim(measure="steady", at_most="80s"), never) is Outcome.NOT_OBSERVED


def experiment(*claims: Claim) -> Experiment:
    return read(HEAD + METHOD + EXPECT).model_copy(update={"expect": claims})


def _outcome(claim: Claim, seen: Record) -> Outcome:
    (found,) = judge(experiment(claim), seen).findings
    return found.outcome


LOST = Claim(measure="lost", at_most=0)
GAP = Claim(measure="transactions.gap", at_most="15s")


def test_a_run_is_held_violated_or_not_observed() -> None:
    assert judge(experiment(LOST, GAP), record()).exit_code is ExitCode.DONE
    lost = record(books=replace(BOOKS, found=898))
    assert judge(experiment(LOST, GAP), lost).exit_code is ExitCode.VIOLATED
    uneven = record(books=replace(BOOKS, even=False))
    assert judge(experiment(LOST), uneven).exit_code is ExitCode.VIOLATED
    unknown = judge(experiment(Claim(measure="puts.errors", at_most=0)), record())
    assert unknown.exit_code is ExitCode.NOT_OBSERVED


@pytest.mark.parametrize(
    ("seen", "doubt"),
    [
        (record(stopped="it was interrupted"), "it ended before its end: it was interrupted"),
        (record(broken=()), "nothing was broken"),
        (record(broken=(replace(record().broken[0], proved=None),)), "that it took was not seen"),
        (record(broken=(replace(record().broken[0], trouble="did not heal"),)), "did not heal"),
        (record(asked={"transactions": 50.0}), "transactions never reached their rate: 10.1 of 50"),
    ],
)
def test_what_makes_a_run_no_answer(seen: Record, doubt: str) -> None:
    verdict = judge(experiment(LOST), seen)
    assert verdict.outcome is Outcome.NOT_OBSERVED
    assert any(doubt in one for one in verdict.doubts), verdict.doubts


def test_a_promise_of_the_design_that_was_not_kept_is_a_violation() -> None:
    promised = Promised(subject="storage-k", data=True, service=True, reason="")
    assert judge(experiment(LOST), record(promised=promised)).unkept == ()
    broken = (replace(record().broken[0], healed=90.0),)
    dead = [*regular("transactions", 5, 31), *regular("transactions", 91, 100)]
    phases = Phases(observed=10, broken=30, steady=95, ended=100)
    stood = record(dead, promised=promised, broken=broken, phases=phases)
    (words,) = judge(experiment(LOST), stood).unkept
    assert words.startswith("the design goes on without storage-k; there were no transactions from 1 s after")
    lost = record(promised=promised, books=replace(BOOKS, found=890))
    assert "10 transactions are lost" in judge(experiment(GAP), lost).unkept[0]
    assert judge(experiment(GAP), lost).exit_code is ExitCode.VIOLATED


def test_percentiles_are_those_of_the_nearest_rank() -> None:
    values = [float(number) for number in range(1, 101)]
    assert [percentile(values, p) for p in (50, 95, 99, 100)] == [50, 95, 99, 100]
    assert percentile([3.0], 50) == 3.0


def test_bounds_are_of_their_unit() -> None:
    assert amount_of(find_measure("pages.throughput"), "95%") == pytest.approx(0.95)
    assert amount_of(find_measure("pages.p99"), "250ms") == pytest.approx(0.25)
    for bad in (5, "5", "-1s", True):
        with pytest.raises(ValueError, match="like"):
            amount_of(find_measure("pages.p99"), bad)


def test_the_report_says_the_answer_and_what_it_rests_on() -> None:
    asked, seen = experiment(LOST, GAP), record(environment=(("Ceph", "20"),))
    verdict = judge(asked, seen)
    assert answer(seen, verdict) == (
        "Nothing that was acknowledged was lost; transactions were disturbed for 13.0 s. Every claim held."
    )
    page = render_report(asked, seen, verdict)
    for words in ("What happens then?", "33 placement groups lack a copy", "storage-k loses power", "12.1 s"):
        assert words in page
    assert "<script" not in page
