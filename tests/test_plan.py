"""Plans: steps are facts, and any part that was done leaves exactly the rest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.model import Design
from rookery.plan.native import plan_native
from rookery.plan.step import Observation, Step, plan_rest
from rookery.spec.load import load_pattern, pattern_names


def design_of(name: str) -> Design:
    return build_design(load_pattern(name, settings=SETTINGS), placers=PLACERS)


@pytest.mark.parametrize("name", pattern_names())
def test_every_step_comes_after_those_it_needs(name: str) -> None:
    seen: set[str] = set()
    for step in plan_native(design_of(name)):
        assert seen.issuperset(step.needs), f"{step.id} needs {set(step.needs) - seen}"
        seen.add(step.id)


@pytest.mark.parametrize("name", pattern_names())
def test_after_any_prefix_planning_again_gives_the_rest(name: str) -> None:
    steps = plan_native(design_of(name))
    for length in range(len(steps) + 1):
        facts = frozenset(step.id for step in steps[:length])
        rest = plan_rest(steps, Observation(facts=facts))
        assert [step.id for step in rest] == [step.id for step in steps[length:]]


@given(st.sets(st.sampled_from([step.id for step in plan_native(design_of("production-minimum"))])))
def test_whatever_was_lost_is_done_again_with_all_that_stands_on_it(facts: set[str]) -> None:
    steps = plan_native(design_of("production-minimum"))
    rest = {step.id: step for step in plan_rest(steps, Observation(facts=frozenset(facts)))}
    for step in steps:
        must = step.id not in facts or any(need in rest for need in step.needs)
        assert (step.id in rest) == must
    assert all(need in rest for step in rest.values() for need in step.needs)


def test_nothing_is_left_where_everything_holds() -> None:
    steps = plan_native(design_of("compact"))
    assert plan_rest(steps, Observation(facts=frozenset(step.id for step in steps))) == ()


def test_monitors_need_no_worker_and_administration_starts_with_them() -> None:
    steps: dict[str, Step] = {step.id: step for step in plan_native(design_of("production-minimum"))}
    assert steps["quorum"].needs == (
        "server:storage-k",
        "server:storage-l",
        "server:storage-m",
        "server:cp-1",
    )
    assert "quorum" in steps["server:worker-a"].needs
    assert "quorum" not in steps["server:cp-1"].needs
