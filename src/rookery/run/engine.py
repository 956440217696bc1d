"""The step engine: carries out a plan, each step as soon as those it needs are done, side by side."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import Protocol

from rookery.drivers.machine import waiting as waiting_for
from rookery.errors import RookeryError
from rookery.plan.step import Step

_LOOK = 1.0  # seconds

Apply = Callable[[Step, Callable[[str], None]], None]


class Progress(Protocol):
    """Hears what happens to each step, from several threads."""

    def started(self, step: Step) -> None: ...

    def said(self, step: Step, text: str) -> None: ...

    def finished(self, step: Step, seconds: float) -> None: ...

    def failed(self, step: Step, error: BaseException) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """When a step began and ended, in seconds since the plan began."""

    step: Step
    began: float
    ended: float


def apply_steps(
    steps: Sequence[Step],
    apply: Apply,
    progress: Progress,
    *,
    at_once: int = 12,
    hindrance: Callable[[], RookeryError | None] | None = None,
) -> tuple[Timing, ...]:
    """Carry out every step; return when each ran.

    At most `at_once` run side by side, but for those that are done elsewhere: they only wait, all of them at
    once. The first failure stops new steps from starting; those under way are waited for, then it is raised.
    `hindrance` is asked every second: what it returns ends all waits of the steps under way, and is raised.
    So does an interrupt.
    """
    origin = time.monotonic()
    timings: list[Timing] = []
    done: set[str] = set()
    waiting = list(steps)
    running: dict[Future[Timing], Step] = {}
    failure: tuple[Step, BaseException] | None = None

    def work(step: Step) -> Timing:
        began = time.monotonic() - origin
        progress.started(step)
        apply(step, lambda text: progress.said(step, text))
        ended = time.monotonic() - origin
        progress.finished(step, ended - began)
        return Timing(step=step, began=began, ended=ended)

    away = max(1, sum(step.elsewhere for step in steps))
    with (
        _waits_as_usual_afterwards(),
        ThreadPoolExecutor(max_workers=at_once, thread_name_prefix="step") as here,
        ThreadPoolExecutor(max_workers=away, thread_name_prefix="away") as elsewhere,
        _interrupt_ends_waits(),
    ):
        while waiting or running:
            ready = [step for step in waiting if done.issuperset(step.needs)] if failure is None else []
            for step in ready:
                waiting.remove(step)
                running[(elsewhere if step.elsewhere else here).submit(work, step)] = step
            if not running:
                break
            ended = wait(running, timeout=_LOOK, return_when=FIRST_COMPLETED).done
            failure = failure or _hindered(hindrance, running.values())
            for future in ended:
                step = running.pop(future)
                error = future.exception()
                if error is None:
                    done.add(step.id)
                    timings.append(future.result())
                elif failure is None:
                    failure = (step, error)
                    progress.failed(step, error)
    if failure is not None:
        _raise(*failure)
    if waiting:
        raise RookeryError(
            f"the plan has steps that nothing leads to: {', '.join(step.id for step in waiting)}"
        )
    return tuple(timings)


@contextlib.contextmanager
def _waits_as_usual_afterwards() -> Iterator[None]:
    try:
        yield
    finally:
        waiting_for.give_up(None)


@contextlib.contextmanager
def _interrupt_ends_waits() -> Iterator[None]:
    """End all waits where the block is left by an interrupt: steps under way are waited for."""
    try:
        yield
    except BaseException:
        waiting_for.give_up(RookeryError("the command was interrupted"))
        raise


def _hindered(
    hindrance: Callable[[], RookeryError | None] | None, running: Iterable[Step]
) -> tuple[Step, BaseException] | None:
    """Ask what is in the way; end all waits where something is, and name a step that it met."""
    found = hindrance() if hindrance is not None else None
    if found is None:
        return None
    waiting_for.give_up(found)
    return next(iter(running)), found


def phase_seconds(timings: Sequence[Timing]) -> tuple[tuple[str, float, float], ...]:
    """Return each phase with the seconds since the plan began at which its first step began and its last
    ended; phases overlap."""
    spans: dict[str, tuple[float, float]] = {}
    for timing in timings:
        began, ended = spans.get(timing.step.phase, (timing.began, timing.ended))
        spans[timing.step.phase] = (min(began, timing.began), max(ended, timing.ended))
    return tuple((phase, *span) for phase, span in spans.items())


def _raise(step: Step, error: BaseException) -> None:
    if isinstance(error, RookeryError):
        error.what = f"{step.title}: {error.what}"
    raise error
