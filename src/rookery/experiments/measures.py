"""What can be measured of a run, by name: in which unit, and how a bound of it is written.

`KIND.NAME` is of one kind of operation that users do (`transactions.gap`), a name alone of the whole
(`lost`). How each is found in a run's record says `measuring.py`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from rookery.experiments.spans import read_span

OPERATIONS = (
    "pages", "video", "audio", "live", "catalogue", "plays",
    "transactions", "reads", "puts", "gets", "deletes",
)  # fmt: skip
"""The kinds of operations that users do, as the load's generator names them."""


class Unit(StrEnum):
    """In what a measure counts: in numbers, in seconds, or as a share of what was before."""

    COUNT = "count"
    SECONDS = "seconds"
    SHARE = "share"


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """A measure: of a kind of `operation`, empty for one of the whole; `says` is what it is, for people."""

    name: str
    unit: Unit
    says: str
    operation: str = ""

    @property
    def full(self) -> str:
        """Its name as it is written."""
        return f"{self.operation}.{self.name}" if self.operation else self.name


def _of_operations(name: str, unit: Unit, says: str) -> Measure:
    return Measure(name=name, unit=unit, says=says)


OF_OPERATIONS: Mapping[str, Measure] = {
    one.name: one
    for one in (
        _of_operations("errors", Unit.COUNT, "operations that failed"),
        _of_operations("gap", Unit.SECONDS, "the longest time in which none succeeded"),
        _of_operations("back", Unit.SECONDS, "from the first fault until the last disturbance was over"),
        _of_operations("throughput", Unit.SHARE, "operations in a second, as a share of those before"),
        _of_operations("p50", Unit.SECONDS, "the median time of one, from when it was due"),
        _of_operations("p95", Unit.SECONDS, "what 95 of 100 took at most, from when each was due"),
        _of_operations("p99", Unit.SECONDS, "what 99 of 100 took at most, from when each was due"),
        _of_operations("max", Unit.SECONDS, "what the slowest took, from when it was due"),
    )
}
OF_THE_WHOLE: Mapping[str, Measure] = {
    one.name: one
    for one in (
        Measure(name="lost", unit=Unit.COUNT, says="acknowledged transactions that are not there at the end"),
        Measure(name="noticed", unit=Unit.SECONDS, says="from the first fault until the system said so"),
        Measure(
            name="redundant",
            unit=Unit.SECONDS,
            says="from the first fault until all data had all of its copies again",
        ),
        Measure(
            name="steady",
            unit=Unit.SECONDS,
            says="from the first fault until everything was as before",
        ),
    )
}


def find_measure(name: str) -> Measure:
    """Return a measure by its full name; raises ValueError where there is none."""
    operation, dot, rest = name.partition(".")
    if not dot and name in OF_THE_WHOLE:
        return OF_THE_WHOLE[name]
    if operation in OPERATIONS and rest in OF_OPERATIONS:
        found = OF_OPERATIONS[rest]
        return Measure(name=found.name, unit=found.unit, says=found.says, operation=operation)
    known = [*OF_THE_WHOLE, *(f"{kind}.{one}" for kind in OPERATIONS for one in OF_OPERATIONS)]
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"`rookery experiment measures` lists all {len(known)}"
    raise ValueError(f"{name!r} is no measure; {hint}")


def amount_of(measure: Measure, bound: float | str) -> float:
    """Return a bound in the measure's own unit; raises ValueError for one that is written otherwise."""
    number = bound if isinstance(bound, int | float) and not isinstance(bound, bool) else None
    text = bound if isinstance(bound, str) else ""
    if measure.unit is Unit.SECONDS and text:
        return read_span(text)
    if measure.unit is Unit.COUNT and number is not None and number >= 0:
        return float(number)
    if measure.unit is Unit.SHARE and (found := re.fullmatch(r"([0-9]+(?:\.[0-9]+)?) ?%", text)):
        return float(found[1]) / 100
    forms = {Unit.SECONDS: "a time like 15s", Unit.COUNT: "a number", Unit.SHARE: "a share like 90%"}
    raise ValueError(f"a bound of {measure.full} is {forms[measure.unit]}, not {bound!r}")


def written(unit: Unit, value: float) -> str:
    """Return a value of a unit as people write it: `12.3 s`, `45 ms`, `0`, `93 %`."""
    if unit is Unit.SHARE:
        return f"{value * 100:.0f} %"
    if unit is Unit.COUNT:
        return f"{value:,.0f}"
    return f"{value * 1000:.0f} ms" if 0 < value < 1 else f"{value:.1f} s"
