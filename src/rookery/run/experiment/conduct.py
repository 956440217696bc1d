"""Conducts an experiment: from a steady system through its faults to a steady system, whatever happens.

Everything that breaks is healed when the block ends, by an error or Ctrl-C too. After a SIGKILL nothing here
knows what was broken; looking tells (`heal.py`).
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

from rookery.drivers.machine.waiting import Look, wait_for
from rookery.errors import NotPossibleError, RookeryError
from rookery.experiments.model import Experiment
from rookery.experiments.outline import Outline
from rookery.experiments.record import Broken, Event, Mark, Phases
from rookery.load.model import Figures, Wishes
from rookery.run.experiment.keep import Kept
from rookery.run.experiment.proof import Proof
from rookery.run.experiment.turns import Turn
from rookery.run.experiment.watch import Watch
from rookery.run.load import start_load
from rookery.run.state import read_state
from rookery.systems.protocol import Report, System

_TICK = 0.2  # seconds between two looks at what is due
_WARM = 60.0  # seconds for every kind of load to have begun
_FILLS = 15.0  # seconds more until players have filled their buffers: until then they ask for more than later
_CALM = 3  # looks in a row without an error of users that make it steady


class Conductor:
    """One run of an experiment on a system; the caller has the system to itself, as far as experiments go."""

    def __init__(
        self, system: System, experiment: Experiment, plan: Outline, kept: Kept, report: Report
    ) -> None:
        self._system = system
        self._experiment = experiment
        self._plan = plan
        self._kept = kept
        self._report = report
        self._origin = time.time()
        self._events: list[Event] = []
        self._watch = Watch(system, self.now, self._hear)
        self._phases = Phases(observed=0.0, broken=None, steady=None, ended=0.0)
        self._turns: list[Turn] = []

    def now(self) -> float:
        """Seconds since the run began, by the clock that the load's records have too."""
        return time.time() - self._origin

    def conduct(self) -> None:
        """Run it to its end; what was seen is in the run's folder, also where this raises."""
        promise = self._plan.promise
        promised = {name: getattr(promise, name) for name in ("subject", "data", "service", "reason")}
        self._kept.note(origin=self._origin, state="waiting for a steady system", promised=promised)
        self._wait_steady("a steady system to begin with")
        stopped = ""
        try:
            self._load()
            self._watch.start()
            self._observe()
            self._break()
            self._settle()
        except KeyboardInterrupt:
            stopped = "it was interrupted"
            raise
        except RookeryError as error:
            stopped = str(error.what)
            self._say(f"it ends here: {stopped}")
        finally:
            self._end(stopped)

    def _load(self) -> None:
        asked = self._experiment.load
        wishes = Wishes(
            viewers=asked.viewers,
            transactions=asked.transactions,
            churn=asked.churn,
            space=int(asked.space),
            history=True,
        )
        figures = start_load(self._system, wishes, self._report)
        self._kept.note(state="load runs", load=figures.record, history=figures.history)
        wait_for("every kind of load to begin", self._begun, limit=_WARM, report=self._report)

    def _begun(self) -> Look[bool]:
        figures = self._figures()
        idle = [kind.name for kind in figures.kinds if not kind.count]
        return Look(seen=f"none yet: {', '.join(idle)}" if idle else "all", value=not idle or None)

    def _figures(self) -> Figures:
        figures = self._system.load.figures()
        if figures is None or not figures.running:
            why = figures.why if figures is not None else "nobody knows of it"
            raise RookeryError(f"the load ended: {why}")
        return figures

    def _observe(self) -> None:
        self._wait_until(self.now() + _FILLS)
        lasting = self._experiment.steady.lasting
        self._phase(observed=self.now())
        self._say(f"steady: observed for {lasting:g} s before anything breaks")
        self._wait_until(self.now() + lasting)

    def _break(self) -> None:
        """Carry the method out: begin what is due, heal what is over, until all is healed."""
        first = self.now()
        self._phase(broken=first)
        self._kept.note(state="broken")
        self._turns = [Turn(planned=one, due=first + one.at) for one in self._plan.planned]
        with ThreadPoolExecutor(max_workers=len(self._turns)) as healers:
            try:
                while not all(turn.over for turn in self._turns):
                    self._figures()
                    for turn in self._turns:
                        self._advance(turn, healers)
                    self._note_broken()
                    time.sleep(_TICK)
            finally:
                for turn in self._turns:
                    turn.heal_now(healers, self)
        self._note_broken()

    def _advance(self, turn: Turn, healers: ThreadPoolExecutor) -> None:
        now = self.now()
        if turn.is_due(now):
            proof = Proof(self._system, turn.planned.fault)
            self._say(f"{turn.planned.fault}", mark=Mark.BEGUN)
            turn.begin(self._system.faults, now)
            turn.broken = replace(turn.broken, proved=proof.wait(self.now), trouble=proof.trouble)
            if turn.broken.proved is not None:
                self._say(f"seen: {turn.planned.fault}", mark=Mark.PROVED)
        elif turn.lasts and self._is_over(turn, now):
            turn.heal_now(healers, self)

    def _is_over(self, turn: Turn, now: float) -> bool:
        asked = turn.planned.asked
        lasted = now - turn.broken.began
        if asked.until is None:
            return lasted >= (asked.lasting or 0.0)
        if lasted >= asked.most:
            return True
        if asked.until == "redundant":
            return self._was_degraded(turn.broken.began) and self._watch.redundant is True
        return lasted > _CALM and self._users_are_well()

    def _was_degraded(self, since: float) -> bool:
        return any(one.mark is Mark.DEGRADED and one.at >= since for one in self._events)

    def _users_are_well(self) -> bool:
        return all(not kind.errors_now and kind.rate_now for kind in self._figures().kinds)

    def healing(self, turn: Turn) -> None:
        """Heal what a turn broke; called by its thread."""
        self._say(f"healing: {turn.planned.fault}", mark=Mark.HEALING)
        assert turn.handle is not None, "only what began is healed"
        turn.handle.heal(self._report)
        self._say(
            f"healed: {turn.planned.fault.host} {turn.planned.fault.program}".rstrip(), mark=Mark.HEALED
        )

    def _settle(self) -> None:
        """Wait until everything is as before, then watch on for a while."""
        self._kept.note(state="waiting until all is as before")
        self._wait_steady("everything to be as before", users=True)
        self._phase(steady=self.now())
        self._say("everything is as before", mark=Mark.STEADY)
        self._wait_until(self.now() + self._experiment.observe)

    def _wait_steady(self, what: str, *, users: bool = False) -> None:
        calm = 0

        def look() -> Look[bool]:
            nonlocal calm
            state = read_state(self._system)
            well = state.complete and (not users or self._users_are_well())
            calm = calm + 1 if well else 0
            words = (
                state.health if not state.complete else "users still meet errors" if not well else "steady"
            )
            return Look(seen=words, value=calm >= (_CALM if users else 1) or None)

        wait_for(what, look, limit=self._experiment.steady.within, report=self._report)

    def _end(self, stopped: str) -> None:
        """Stop the load and the watch, whatever happened, and note how it ended."""
        self._phase(ended=self.now())
        self._watch.stop()
        try:
            self._system.load.stop(keep=False, report=self._report)
        finally:
            self._note_broken()
            self._kept.note(state="ended", stopped=stopped)

    def _phase(self, **when: float) -> None:
        self._phases = replace(self._phases, **when)
        values = {name: getattr(self._phases, name) for name in ("observed", "broken", "steady", "ended")}
        self._kept.note(phases=values)

    def _note_broken(self) -> None:
        began = [turn.broken for turn in self._turns if turn.began]
        self._kept.note(broken=[_plain(one) for one in began])

    def _wait_until(self, due: float) -> None:
        while self.now() < due:
            self._figures()
            time.sleep(min(1.0, max(0.0, due - self.now())))

    def _say(self, what: str, *, mark: Mark = Mark.SEEN) -> None:
        self._hear(Event(at=self.now(), source="method", what=what, mark=mark))

    def _hear(self, event: Event) -> None:
        self._events.append(event)
        self._kept.hear(event)
        self._report(f"{event.at:7.1f} s  {event.what}")


def require_possible(system: System, plan: Outline) -> None:
    """Raise NotPossibleError where something is broken already, or cannot be broken as planned, with all
    reasons."""
    begun = [str(one.fault) for one in system.faults.begun()]
    if begun:
        raise NotPossibleError(
            f"something is broken on {system.design.name} already: {'; '.join(begun)}",
            hint="`rookery experiment heal` puts it back.",
        )
    reasons = tuple(_reasons(system, plan))
    if reasons:
        raise NotPossibleError(f"{system.design.name} cannot be broken like that", details=reasons)


def _reasons(system: System, plan: Outline) -> Iterator[str]:
    for one in plan.planned:
        if why := system.faults.can(one.fault):
            yield f"{one.fault}: {why}"


def _plain(one: Broken) -> dict[str, object]:
    return {name: getattr(one, name) for name in one.__slots__}
