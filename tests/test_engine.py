"""The step engine: order, failure, and what people hear."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import pytest

from rookery.drivers.machine.waiting import Look, wait_for
from rookery.errors import RookeryError, WaitError
from rookery.plan.step import Step
from rookery.run.engine import apply_steps, phase_seconds
from tests.kit.steps import Listener, step


def test_a_step_starts_only_after_those_it_needs() -> None:
    listener = Listener()
    apply_steps((step("c", "a", "b"), step("a"), step("b", "a")), lambda _s, _r: None, listener)
    order = [name for what, name in listener.heard if what == "started"]
    assert order == ["a", "b", "c"]


def test_steps_that_need_nothing_of_each_other_run_side_by_side() -> None:
    meeting = threading.Barrier(3, timeout=10)

    def meet(_step: Step, _report: Callable[[str], None]) -> None:
        meeting.wait()

    assert len(apply_steps((step("a"), step("b"), step("c")), meet, Listener())) == 3


def test_a_failure_stops_what_follows_and_names_its_step() -> None:
    def apply(current: Step, _report: Callable[[str], None]) -> None:
        if current.id == "b":
            raise RookeryError("the disk is full", hint="Make room.")

    listener = Listener()
    with pytest.raises(RookeryError) as caught:
        apply_steps((step("a"), step("b", "a"), step("c", "b")), apply, listener)
    assert str(caught.value) == "do b: the disk is full\n  Make room."
    assert ("failed", "b") in listener.heard
    assert ("started", "c") not in listener.heard


def test_a_step_that_nothing_leads_to_is_an_error_and_no_endless_wait() -> None:
    with pytest.raises(RookeryError, match="steps that nothing leads to: b"):
        apply_steps((step("b", "nowhere"),), lambda _s, _r: None, Listener())


def test_phases_span_their_steps() -> None:
    timings = apply_steps((step("a"), step("b", "a", phase="two")), lambda _s, _r: None, Listener())
    names = [phase for phase, _, _ in phase_seconds(timings)]
    assert names == ["one", "two"]
    assert all(began <= ended for _, began, ended in phase_seconds(timings))


def test_a_wait_says_what_changed_and_ends_with_what_was_seen_last() -> None:
    heard: list[str] = []
    clouds: Look[bool] = Look(seen="clouds")
    with pytest.raises(WaitError) as caught:
        wait_for("the moon", lambda: clouds, limit=0.05, report=heard.append)
    assert heard == ["the moon: clouds"]
    assert str(caught.value).startswith("waited 0 s for the moon, in vain\n    seen last: clouds")


def test_a_wait_returns_what_it_waited_for() -> None:
    nothing: Look[str] = Look(seen="nothing")
    looks = iter((nothing, Look(seen="there", value="it")))
    assert wait_for("it", lambda: next(looks), limit=5, report=lambda _: None) == "it"


def test_what_is_done_elsewhere_waits_all_at_once_and_keeps_nothing_here_waiting() -> None:
    meeting = threading.Barrier(5, timeout=10)
    away = tuple(replace(step(f"away-{number}"), elsewhere=True) for number in range(4))

    def meet(_step: Step, _report: Callable[[str], None]) -> None:
        meeting.wait()

    assert len(apply_steps((*away, step("here")), meet, Listener(), at_once=1)) == 5


def test_an_interrupt_ends_what_is_only_waited_for() -> None:
    began = threading.Event()

    class Interrupted(Listener):
        def started(self, step: Step) -> None:
            super().started(step)
            began.set()

    def wait_long(_step: Step, report: Callable[[str], None]) -> None:
        wait_for("a server", lambda: Look[bool](seen="nothing"), limit=60, report=report)

    def interrupt() -> RookeryError | None:
        assert began.wait(10)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        apply_steps((step("a"),), wait_long, Interrupted(), hindrance=interrupt)
    # Whoever waits next waits as usual.
    assert wait_for("b", lambda: Look(seen="there", value=True), limit=1, report=lambda _: None)
