"""What is said of a kind after the drill: from its ledger, its loss, and what is there again."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rookery.apps.backup.model import BackupSet
from rookery.run.drill.back import Back
from rookery.run.drill.compare import compare
from rookery.run.drill.ledger import Line, moment
from rookery.run.drill.model import KindOutcome, Step, Verdict


def judge(
    kind: str,
    lines: Iterable[Line],
    made: BackupSet,
    lost: Mapping[str, Any],
    back: Back,
    *,
    before: Sequence[Step] = (),
) -> KindOutcome:
    """Return the outcome of a kind. What was written before the set began must be back; `lost` has how
    (`says`), when (`at`), and what is wrong with the loss (`left`).
    `before` are steps of the whole that it had to wait for."""
    lines = tuple(lines)
    until = moment(made.began)
    seen = "entries" in back.found
    found = compare(lines, back.found.get("entries", {}), until=until)
    failed = dict(made.failed).get(kind, "")
    troubles = (f"the set has none: {failed}" if failed else "", back.trouble, lost["left"])
    unseen = () if seen else (f"what is there could not be read: {back.found.get('unseen', '')}",)
    problems = (*filter(None, troubles), *unseen, *(found.problems if seen else ()))
    if not seen or lost["left"]:
        verdict = Verdict.NOT_OBSERVED
    else:
        verdict = Verdict.DIFFERS if found.problems else Verdict.SAME
    came = verdict is Verdict.SAME
    return KindOutcome(
        kind=kind,
        verdict=verdict,
        written=len(lines),
        owed=sum(line.at <= until for line in lines),
        back=found.back if seen else 0,
        size=found.size if seen else 0,
        lost=len(found.lost) if seen else 0,
        how_lost=lost["says"],
        how_back=back.says,
        rpo=round(lost["at"] - found.last, 3) if came and found.last is not None else None,
        rto=round(sum(step.seconds for step in (*before, *back.steps)), 3) if came else None,
        steps=tuple(back.steps),
        problems=problems,
        before=tuple(before),
    )
