"""What drills find, as values."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from rookery.run.drill.model import DrillOutcome, Event, KindOutcome, Step, Verdict


def kind_outcome(kind: str, verdict: Verdict = Verdict.SAME, **more: Any) -> KindOutcome:
    start = {"database": 61.0, "objects": 84.0, "files": 92.0, "block": 103.0}.get(kind, 0.0)
    copied = (Step(what="copied into its place", began=start + 12.0, seconds=4.0),)
    return replace(
        KindOutcome(
            kind=kind,
            verdict=verdict,
            written=282,
            owed=208,
            back=210,
            size=200_000_000,
            lost=72,
            how_lost=f"all of {kind} was destroyed <on purpose>",
            how_back="brought back from set 20261130t161000z",
            rpo=17.4,
            rto=8.2,
            steps=(
                Step(what="restored in place", began=start, seconds=6.0),
                *(copied if kind == "database" else ()),
                Step(what="read and compared", began=start + 6.5, seconds=1.5),
            ),
            problems=(),
        ),
        **more,
    )


def outcome(*kinds: KindOutcome, **more: Any) -> DrillOutcome:
    chosen = kinds or tuple(kind_outcome(kind) for kind in ("database", "objects", "files", "block"))
    return replace(
        DrillOutcome(
            id="20261130t161000z-ab12",
            system="rookery-demo",
            began="2026-11-30T16:10:00+00:00",
            seconds=112.0,
            label="20261130t161020z",
            lost_at=52.0,
            rto=58.0,
            kinds=chosen,
            events=(
                Event(what="room made, and what was left removed", began=0.0, seconds=1.2),
                Event(what="entries written to every kind", began=1.2, seconds=11.0),
                Event(what="a set of all kinds, while writing goes on", began=14.2, seconds=28.0),
                Event(what="writing goes on after the set", began=42.2, seconds=5.0),
                Event(what="everything lost on purpose", began=52.0, seconds=3.0),
                Event(what="a look whether it is gone", began=55.0, seconds=1.0),
            ),
            unfit=(),
            left_out=(
                ("system", "its own backup is for the loss of everything; nothing of it was lost here"),
            ),
            schedule=21600,
            load="viewers 200, transactions 50",
            versions=(("rookery", "0.1"), ("Ceph", "Ceph 20.2 (Tentacle)"), ("PostgreSQL", "17")),
        ),
        **more,
    )
