"""Waits: the limit is one of standing still, and all of a wait has one too."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from rookery.drivers.machine import waiting
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.errors import WaitError


class Clock:
    """Time that passes by sleeping only."""

    def __init__(self) -> None:
        self.now = 0.0

    def monotonic(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(waiting, "time", clock)
    return clock


def wait(look: Callable[[], Look[str]], limit: float = 120) -> tuple[str, list[str]]:
    heard: list[str] = []
    return wait_for("a primary", look, limit=limit, report=heard.append), heard


def refused(look: Callable[[], Look[str]], limit: float = 120) -> str:
    with pytest.raises(WaitError) as caught:
        wait(look, limit)
    return str(caught.value)


def test_what_stands_still_is_given_up_at_the_limit(clock: Clock) -> None:
    assert refused(lambda: Look(seen="no instance answers")) == (
        "waited 120 s for a primary, in vain\n"
        "    seen last: no instance answers\n"
        "  Run the command again to go on; `rookery status` shows what runs."
    )


def test_what_gets_on_is_waited_for_beyond_the_limit(clock: Clock) -> None:
    def look() -> Look[str]:
        """A slow initdb: a MiB in two seconds, there after five minutes."""
        done = "worker-a" if clock.now > 300 else None
        return Look(seen=f"no instance answers; {int(clock.now // 2)} MiB written", value=done)

    value, heard = wait(look)
    assert value == "worker-a"
    assert heard[:2] == [f"a primary: no instance answers; {n} MiB written" for n in (0, 1)]


def test_what_gets_on_and_then_stands_still_is_given_up_a_limit_later(clock: Clock) -> None:
    assert refused(lambda: Look(seen=f"{min(int(clock.now), 300)} MiB written")).startswith(
        "waited 420 s for a primary, in vain\n    seen last, for 120 s: 300 MiB written\n"
    )


def test_going_back_and_forth_is_no_progress(clock: Clock) -> None:
    turns: Iterator[int] = iter(range(1_000_000))
    assert refused(lambda: Look(seen=f"state {next(turns) % 2}")).startswith(
        "waited 120 s for a primary, in vain"
    )


def test_no_wait_is_without_end(clock: Clock) -> None:
    assert refused(lambda: Look(seen=f"{clock.now}")).startswith("waited 1200 s for a primary, in vain\n")
