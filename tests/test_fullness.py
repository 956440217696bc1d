"""How full volumes, drives and the disk are, as `status` and `verify` see it."""

from __future__ import annotations

import io
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from rich.console import Console

from rookery.cli.views import fullness_view
from rookery.drivers.machine import krbd
from rookery.run.fullness import Fullness, Look, read_fullness
from rookery.run.verify import room
from rookery.run.verify.result import Outcome
from rookery.systems.native.identity import blank_key
from rookery.systems.native.looks import volume_uses
from rookery.systems.protocol import VolumeUse


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


class Mounted:
    """Volumes of a system: one by each way, one that nobody sees."""

    design = SimpleNamespace(traits=SimpleNamespace(here=False))

    def volumes(self) -> tuple[VolumeUse, ...]:
        return (
            VolumeUse(name="b:/v", used=1, size=9, way="by a storage daemon: no rbd"),
            VolumeUse(name="a:/v", used=1, size=9, way="by a storage daemon: no rbd"),
            VolumeUse(name="c:/v", used=None, size=None),
        )

    def ceph_or_none(self) -> None:
        return None


def test_status_says_once_by_what_volumes_are_attached() -> None:
    system: Any = Mounted()
    look = read_fullness(system)
    assert look.ways == ("by a storage daemon: no rbd",)
    console = Console(width=80, record=True, file=io.StringIO())
    console.print(fullness_view(look))
    assert console.export_text().splitlines()[-1].rstrip() == (
        "Volumes are attached by a storage daemon: no rbd."
    )


@pytest.mark.parametrize(
    ("mapped", "obstacle", "way"),
    [
        (True, "", "by this machine's kernel"),
        (False, "this machine's kernel has no rbd", "by a storage daemon: this machine's kernel has no rbd"),
        (False, "", "by a storage daemon"),
    ],
)
def test_a_way_is_told_by_the_device_and_the_reason_by_the_kernel(
    monkeypatch: pytest.MonkeyPatch, mapped: bool, obstacle: str, way: str
) -> None:
    """/proc is a file system of its own, as a volume is in its server."""
    volume: Any = SimpleNamespace(host="h", path="/proc")
    device = Path("/proc").stat().st_dev
    numbers = {7: f"{os.major(device)}:{os.minor(device)}", 8: ""}
    image = krbd.Image(fsid="f", pool="block", name="database-h")
    mapping = krbd.Mapping(image=image, number=7 if mapped else 8)
    monkeypatch.setattr(krbd, "all_mappings", lambda: iter((mapping,)))
    monkeypatch.setattr(krbd, "device_number", lambda one: numbers[one.number])
    monkeypatch.setattr(krbd, "obstacle", lambda _: obstacle)
    assert volume_uses([volume], {"h": os.getpid()}, blank_key("20"))[0].way == way
