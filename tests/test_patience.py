"""What takes long says what it waits for; a disk that is full ends all waits."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from rookery.cli.patience import Patience
from rookery.drivers.machine.waiting import Awaited, Look, awaited, give_up, under_way, wait_for
from rookery.errors import NotPossibleError, RookeryError, WaitError
from rookery.plan.step import Step
from rookery.run.engine import apply_steps
from tests.kit.steps import Listener, step

# A look at what is not there.
NOTHING: Look[bool] = Look(seen="nothing")


def test_a_wait_is_said_after_three_seconds_and_again_later() -> None:
    said: list[str] = []
    now = [0.0]
    patience = Patience(said.append, clock=lambda: now[0])
    waits = (Awaited(what="Ceph's answer to `status`", since=0.0), Awaited(what="host x", since=0.5))
    for now[0] in (1.0, 2.9, 3.0, 3.6, 10.0, 19.0):
        patience.look(waits)
    assert said == [
        "waiting for Ceph's answer to `status` (3 s)",
        "waiting for Ceph's answer to `status` (19 s), and 1 more",
    ]
    patience.look((Awaited(what="host x", since=12.0),))
    assert said[2:] == ["waiting for host x (7 s)"]


def test_what_is_waited_for_is_known_while_it_lasts() -> None:
    before = under_way()
    with awaited("the moon"):
        assert [one.what for one in under_way() if one not in before] == ["the moon"]
        seen = wait_for(
            "the tide",
            lambda: Look(seen="there", value=[one.what for one in under_way() if one not in before]),
            limit=5,
            report=lambda _: None,
        )
    assert seen == ["the moon", "the tide"]
    assert under_way() == before


def test_a_full_disk_ends_all_waits_and_is_what_is_raised() -> None:
    heard = Listener()
    full = NotPossibleError("/srv is full", hint="Free some disk.")
    asked = [None, full]

    def apply(_step: Step, report: Callable[[str], None]) -> None:
        wait_for("the monitors", lambda: NOTHING, limit=120, report=report)

    began = time.monotonic()
    with pytest.raises(NotPossibleError) as caught:
        apply_steps(
            (step("quorum"), step("osds")), apply, heard, hindrance=lambda: asked.pop(0) if asked else full
        )
    assert time.monotonic() - began < 10
    assert caught.value is full
    assert str(full).partition(": ")[2] == "/srv is full\n  Free some disk."
    assert sorted(what for what, _ in heard.heard if what in ("started", "finished")) == ["started"] * 2


def test_waits_go_on_as_usual_afterwards() -> None:
    give_up(RookeryError("full"))
    try:
        with pytest.raises(WaitError, match="gave up waiting for it: full"):
            wait_for("it", lambda: NOTHING, limit=5, report=lambda _: None)
    finally:
        give_up(None)
    assert wait_for("it", lambda: Look(seen="yes", value=1), limit=5, report=lambda _: None) == 1
