"""How full volumes, drives and the disk are, as `status` and `verify` see it."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from rookery.run.fullness import Fullness, Look
from rookery.run.verify import room
from rookery.run.verify.result import Outcome


def thing(kind: str, name: str, used: int, size: int = 100) -> Fullness:
    return Fullness(kind=kind, name=name, used=used, size=size)


ROOMY = (thing("volume", "a:/v", 20), thing("volume", "b:/v", 54), thing("drive", "osd.0", 6))


@pytest.mark.parametrize(
    ("look", "outcome", "seen"),
    [
        (
            Look(seen=(*ROOMY, thing("disk", "/d", 99)), unseen=()),
            Outcome.PASS,
            "fullest volume b:/v 54%; fullest drive osd.0 6%; disk /d 99%",
        ),
        (
            Look(seen=(*ROOMY, thing("volume", "c:/v", 85)), unseen=()),
            Outcome.FAIL,
            "volume c:/v is 85% full",
        ),
        (
            Look(seen=(thing("drive", "osd.3", 95), thing("volume", "a:/v", 99)), unseen=("b:/v",)),
            Outcome.FAIL,
            "drive osd.3 is 95% full, volume a:/v is 99% full",
        ),
        (
            Look(seen=ROOMY, unseen=("c:/v",)),
            Outcome.NOT_OBSERVED,
            "fullest volume b:/v 54%; fullest drive osd.0 6%; not seen: c:/v",
        ),
        (Look(seen=(), unseen=("the drives",)), Outcome.NOT_OBSERVED, "not seen: the drives"),
    ],
)
def test_what_is_nearly_full_fails_and_what_is_not_seen_is_no_pass(
    monkeypatch: pytest.MonkeyPatch, look: Look, outcome: Outcome, seen: str
) -> None:
    monkeypatch.setattr(room, "read_fullness", lambda _: look)
    subject: Any = SimpleNamespace(system=None)
    found = room.room_left(subject)
    assert (found.outcome, found.seen) == (outcome, seen)
