"""Steps as data: what there is to do, what each needs, and what shows that it is done.

A step's `id` is also the fact that proves it: an observation that holds the fact makes the step needless.
So after any part of a plan was carried out, planning again gives exactly the rest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to do. `needs` are ids of steps that must be done before; `target` names what it acts on.

    `after` are ids of steps that come first where they are to be done, and that it does not build on: when
    one of them is done again, this one is not. `phase` groups steps for people and for the figures of the
    time they took. What is done `elsewhere` is only waited for here, and takes nothing of this machine.
    """

    id: str
    phase: str
    title: str
    needs: tuple[str, ...] = ()
    after: tuple[str, ...] = ()
    target: str = ""
    elsewhere: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """What runs, as facts; each is the id of the step that it proves done."""

    facts: frozenset[str] = frozenset()


def plan_rest(steps: Iterable[Step], observation: Observation) -> tuple[Step, ...]:
    """Return the steps that are not done yet, in order, needing only each other.

    A step whose need is not met is done again even where its own fact was seen: what it built on is gone.
    """
    left: dict[str, Step] = {}
    # Of each step, those to be done that come before it: directly, or before one that is done already.
    before: dict[str, dict[str, None]] = {}
    for step in steps:
        earlier = [one for one in (*step.needs, *step.after) if one in before]
        before[step.id] = dict.fromkeys(
            one for name in earlier for one in ((name,) if name in left else before[name])
        )
        if step.id not in observation.facts or any(need in left for need in step.needs):
            left[step.id] = replace(step, needs=tuple(before[step.id]), after=())
    return tuple(left.values())
