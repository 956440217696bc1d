"""What a system says while it is broken, as events: from what changed between two looks."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from rookery.errors import InputError, NotPossibleError, RookeryError
from rookery.experiments.record import Event, Mark
from rookery.run.experiment.gather import read_record
from rookery.run.experiment.keep import Kept, conducting, find_run
from rookery.run.experiment.watch import Watch, changes, member_changes, summary


def status(
    *, osds: int = 8, quorum: tuple[str, ...] = ("k", "l", "m"), pgs: str = "active+clean", **checks: str
) -> dict[str, Any]:
    """What `ceph status` says of such a cluster, of which this much is looked at."""
    return {
        "health": {"checks": {code: {"summary": {"message": text}} for code, text in checks.items()}},
        "osdmap": {"num_up_osds": osds},
        "quorum_names": list(quorum),
        "pgmap": {"pgs_by_state": [{"state_name": pgs, "count": 3}]},
    }


WELL = summary(status())


@pytest.mark.parametrize(
    ("now", "expected"),
    [
        (status(), []),
        (status(OSD_DOWN="2 osds down"), [("OSD_DOWN: 2 osds down", Mark.NOTICED)]),
        (status(osds=6), [("6 OSDs are up, of 8 before", Mark.NOTICED)]),
        (status(quorum=("l", "m")), [("mon.k is out of the quorum", Mark.NOTICED)]),
        (
            status(pgs="active+undersized+degraded"),
            [("3 placement groups lack a copy", Mark.DEGRADED)],
        ),
        (status(pgs="active+clean+scrubbing+deep"), []),
    ],
)
def test_what_changed_is_an_event_with_what_it_means(now: Any, expected: list[tuple[str, Mark]]) -> None:
    assert list(changes(WELL, summary(now))) == expected


def test_what_is_over_is_an_event_too() -> None:
    ill = summary(status(osds=6, quorum=("l", "m"), pgs="undersized", OSD_DOWN="2 osds down"))
    assert list(changes(ill, WELL)) == [
        ("OSD_DOWN is over", Mark.SEEN),
        ("8 OSDs are up, of 6 before", Mark.SEEN),
        ("mon.k is in the quorum again", Mark.SEEN),
        ("every placement group has all of its copies", Mark.REDUNDANT),
    ]


def test_a_muted_check_says_nothing() -> None:
    muted = status(OSD_DOWN="2 osds down")
    muted["health"]["checks"]["OSD_DOWN"]["muted"] = True
    assert list(changes(WELL, summary(muted))) == []


def test_members_that_come_go_and_change() -> None:
    before = {"a": "leader, running", "b": "sync standby, streaming"}
    now = {"b": "leader, running"}
    assert list(member_changes(before, now)) == ["a is no member any more", "b is leader, running"]
    assert list(member_changes({}, now)) == []


class Silent:
    """A system whose monitors answer, then do not, then do."""

    class design:  # noqa: N801 - as a system has it
        database = None

    def __init__(self) -> None:
        self.asked = 0

    def ceph_or_none(self) -> Any:
        self.asked += 1
        return None if 2 <= self.asked <= 3 else self

    def mon(self, _prefix: str) -> dict[str, Any]:
        return status()


def test_no_answer_is_said_once_and_nothing_is_made_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rookery.run.experiment.watch._EVERY", 0.01)
    heard: list[Event] = []
    enough = threading.Event()
    system = Silent()

    def hear(event: Event) -> None:
        heard.append(event)
        enough.set()

    watch = Watch(system, time.monotonic, hear)  # type: ignore[arg-type]
    watch.start()
    assert enough.wait(10)
    deadline = time.monotonic() + 10
    while system.asked < 6 and time.monotonic() < deadline:
        time.sleep(0.01)
    watch.stop()
    assert [(one.mark, one.what) for one in heard] == [(Mark.BLIND, "the monitors do not answer")]
    assert watch.redundant is True


class Records:
    """A system as far as its runs' folder needs one."""

    class load:  # noqa: N801 - as a system has it
        records: Path

    class design:  # noqa: N801 - as a system has it
        name = "demo"

    def __init__(self, folder: Path) -> None:
        self.load.records = folder / "load"


def test_runs_are_found_by_their_name_and_held_alone(tmp_path: Path) -> None:
    system: Any = Records(tmp_path)
    with pytest.raises(InputError, match="no experiment was run on demo"):
        find_run(system, "")
    with conducting(system) as folder:
        for name in ("20261130t100000z-1", "20261130t110000z-2"):
            (folder / name).mkdir()
        with pytest.raises(NotPossibleError, match="an experiment is under way on demo"), conducting(system):
            pass
    assert find_run(system, "").id == "20261130t110000z-2"
    assert find_run(system, "20261130t100000z-1").id == "20261130t100000z-1"
    with pytest.raises(InputError, match="there is no run 'x'"):
        find_run(system, "x")


def test_what_is_known_of_a_run_is_added_to_and_survives_half_a_write(tmp_path: Path) -> None:
    kept = Kept(tmp_path)
    assert kept.known() == {}
    kept.note(state="begun")
    kept.note(origin=1.5)
    assert kept.known() == {"state": "begun", "origin": 1.5}
    (tmp_path / "run.json").write_text('{"state": "be')
    assert kept.known() == {}


def test_a_file_that_is_no_record_is_said_to_be_none(tmp_path: Path) -> None:
    file = tmp_path / "record.json"
    with pytest.raises(RookeryError, match="did not come to its end"):
        read_record(file)
    file.write_text(json.dumps({"format": 99}))
    with pytest.raises(RookeryError, match="of another version of rookery"):
        read_record(file)
    file.write_text(json.dumps({"format": 1, "phases": {}}))
    with pytest.raises(RookeryError, match="is no record of a run"):
        read_record(file)
