"""The drill that destroys a whole lab: what it refuses, and that it ends well wherever it was killed."""

from __future__ import annotations

import contextlib
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from click.testing import CliRunner

from rookery.apps.backup.model import BackupSet
from rookery.cli.main import cli
from rookery.drivers.clients import age, s3
from rookery.errors import ExitCode, InputError, NotPossibleError, RookeryError
from rookery.run.drill import full
from rookery.run.drill.back import Back
from rookery.run.drill.elsewhere import Elsewhere, find_elsewhere, require_lab, require_way_back
from rookery.run.drill.full import go_on
from rookery.run.drill.ledger import Line
from rookery.run.drill.model import OwnData, Step
from rookery.run.drill.note import destroyed, ledger_data, noted, parse_ledger
from rookery.run.drill.writing import build_shape
from rookery.run.identity_part import pack
from rookery.run.rebuild import open_copy
from tests.kit.designs import design
from tests.kit.memory_s3 import MemoryS3

AWAY = {"name": "away", "endpoint": "https://s3.example.org", "bucket": "copies"}
SECOND = {**AWAY, "name": "second", "endpoint": "https://s3.example.net"}
LABEL = "20261130t160000z"


def backed_up(*copies: dict[str, str], **backup: Any) -> Any:
    return design(
        {"pattern": "production-minimum", "name": "demo", "backup": {"copies": list(copies), **backup}}
    )


class FakeSystem:
    """A system with secrets, as far as finding its way back needs one."""

    def __init__(self, *copies: dict[str, str], key: bool = True, **backup: Any) -> None:
        self.design = backed_up(*copies, **backup)
        secret, recipient = age.make_key()
        known = {"fsid": "f-s-i-d", "backup.age.recipient": recipient}
        known |= {"backup.age.key": secret} if key else {}
        known |= {f"copy.{one['name']}.{part}": f"{one['name']}'s {part}" for one in copies for part in PARTS}
        self.key = secret
        self.backups = SimpleNamespace(own=lambda: {"secrets.json": json.dumps(known).encode()})


PARTS = ("access", "secret")


def found(system: FakeSystem, name: str = "", *keys: str) -> Elsewhere:
    return find_elsewhere(cast("Any", system), name, keys)


def test_the_copy_outside_is_where_it_comes_back_from() -> None:
    system = FakeSystem(AWAY, SECOND)
    chosen = found(system, "second")
    assert chosen == Elsewhere(
        copy="second",
        url="https://s3.example.net/copies/demo",
        access="second's access",
        secret="second's secret",
        region="default",
        authority="",
        keys=(system.key,),
    )
    assert found(system, "second", "another key").keys == ("another key",)


def test_without_a_way_back_nothing_is_destroyed() -> None:
    with pytest.raises(NotPossibleError, match="has no copy outside: nothing would bring back") as error:
        found(FakeSystem())
    assert "Name an S3 service outside in backup.copies" in error.value.hint
    own = backed_up(AWAY).load_balancer
    assert own is not None
    inside = {**AWAY, "endpoint": f"https://{own.address}:7443"}
    with pytest.raises(NotPossibleError, match="copy away lies in demo itself"):
        found(FakeSystem(inside), "away")
    with pytest.raises(NotPossibleError, match="has no copy outside"):
        found(FakeSystem(inside))
    with pytest.raises(InputError, match="has several copies outside") as which:
        found(FakeSystem(AWAY, SECOND))
    assert which.value.hint == "Name one by --copy: away, second."
    with pytest.raises(InputError, match="has no copy third"):
        found(FakeSystem(AWAY), "third")
    with pytest.raises(NotPossibleError, match="the key to demo's own backup is not here") as key:
        found(FakeSystem(AWAY, key=False))
    assert "--identity" in key.value.hint
    theirs = {"recipients": [age.make_key()[1]]}
    with pytest.raises(NotPossibleError, match="the key to demo's own backup is not here"):
        found(FakeSystem(AWAY, encryption=theirs))


@pytest.mark.parametrize("more", [{"platform": "kubernetes"}, {"provider": "hetzner"}])
def test_nothing_but_a_native_lab_is_destroyed(more: dict[str, str]) -> None:
    require_lab(backed_up(AWAY))
    with pytest.raises(NotPossibleError, match="demo is no native lab"):
        require_lab(design({"pattern": "production-minimum", "name": "demo", **more}))


def made(**more: Any) -> BackupSet:
    whole = BackupSet(
        label=LABEL,
        system="demo",
        host="worker-a",
        state="whole",
        began="2026-11-30T16:00:00+00:00",
        ended="2026-11-30T16:00:30+00:00",
        wanted=("files",),
        parts=(),
        failed=(),
        copies=(("away", "whole"),),
    )
    return replace(whole, **more)


def test_a_set_that_would_not_bring_it_back_is_seen_before_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    system = FakeSystem(AWAY)
    chosen = found(system)
    service = MemoryS3("copies")
    monkeypatch.setattr(s3, "connect", lambda *_, **__: service)
    told = {"secrets.json": b'{"fsid": "f-s-i-d"}', "spec.json": b"{}"}
    sealed = age.encrypt(pack("demo", told), [system_recipient(system)])
    part = {"system": {"identity": {"key": "system/identity-1.age", "format": 1}}}
    content = {
        "demo/system.json": {"format": 1, "system": "demo", "fsid": "f-s-i-d"},
        f"demo/sets/{LABEL}.json": {"label": LABEL, "system": "demo", "state": "whole", "parts": part},
    }
    for key, value in content.items():
        service.put_object(Bucket="copies", Key=key, Body=json.dumps(value).encode())
    service.put_object(Bucket="copies", Key="demo/system/identity-1.age", Body=sealed)
    environment = {"AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "s"}
    copy = open_copy(chosen.url, environment)
    require_way_back(copy, made(), chosen, "f-s-i-d")
    with pytest.raises(RookeryError, match="is not whole outside, so nothing was destroyed") as error:
        require_way_back(copy, made(copies=(("away", "it refuses these keys (403)"),)), chosen, "f-s-i-d")
    assert error.value.details == ("it refuses these keys (403)",)
    with pytest.raises(RookeryError, match="nothing was destroyed") as failed:
        require_way_back(copy, made(state="failed", failed=(("files", "no room"),)), chosen, "f-s-i-d")
    assert failed.value.details == ("files: no room",)
    with pytest.raises(InputError, match="was encrypted for another key"):
        require_way_back(copy, made(), replace(chosen, keys=(age.make_key()[0],)), "f-s-i-d")
    with pytest.raises(RookeryError, match="is of another system, with fsid f-s-i-d; nothing was destroyed"):
        require_way_back(copy, made(), chosen, "another")


def system_recipient(system: FakeSystem) -> str:
    return str(json.loads(system.backups.own()["secrets.json"])["backup.age.recipient"])


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_the_note_is_its_owners_alone_and_goes(home: Path) -> None:
    with noted("demo") as note:
        assert not destroyed("demo")
        note.add(id="x", at="losing")
        assert destroyed("demo")
        assert (home / "drills/demo/drill.json").stat().st_mode & 0o777 == 0o600
        with pytest.raises(NotPossibleError, match="a drill of demo is under way"), noted("demo"):
            pass
    with noted("demo") as note:
        assert note.read() == {"id": "x", "at": "losing"}
        note.end()
    assert not (home / "drills").exists()
    with contextlib.suppress(ValueError), noted("demo"):
        raise ValueError
    assert not (home / "drills").exists()


def test_a_ledger_comes_back_from_the_note() -> None:
    ledger = {
        "files": (Line(number=1, at=2.5, digest="d", size=3), Line(number=2, at=3.0, digest="e", size=4))
    }
    assert parse_ledger(json.loads(json.dumps(ledger_data(ledger)))) == ledger


# --- Killed anywhere

PHASES = ("down", "laid", "up", "fetched", "database", "objects", "counted", "cleared")


class Killed(BaseException):
    """What ends a process."""


class World:
    """What a full drill does from the loss on, done to nothing, and killed at one of its doings."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.done: list[str] = []
        self.kill_after = ""
        self.there = True  # whether the lab is on this machine
        design = backed_up(AWAY)
        system = SimpleNamespace(design=design)
        ready = SimpleNamespace(run=lambda _: self.do("up"))
        replaced: dict[str, Any] = {
            "bring_down": self.bring_down,
            "running_names": lambda: ("demo",) if self.there else (),
            "find_copied_set": lambda *_: {},
            "rebuild": self.rebuild,
            "open_spec": lambda _: None,
            "prepared": lambda _: contextlib.nullcontext(ready),
            "opened": lambda _: contextlib.nullcontext(SimpleNamespace(system=system)),
            "fetch_sets": lambda *_: self.do("fetched"),
            "find_set": lambda *_: made(),
            "bring_back": self.bring_back,
            "Inside": lambda *_: SimpleNamespace(ask=self.ask),
        }
        for name, value in replaced.items():
            monkeypatch.setattr(full, name, value)
        monkeypatch.setattr(Elsewhere, "open", lambda *_: None)

    def do(self, what: str) -> None:
        self.done.append(what)
        if what == self.kill_after:
            self.kill_after = ""
            raise Killed

    def bring_down(self, *_: object) -> Any:
        self.there = False
        self.do("down")
        return SimpleNamespace(left=())

    def rebuild(self, *_: object) -> None:
        assert not self.there, "there is a system demo on this machine"
        self.there = True
        self.do("laid")

    def bring_back(self, ways: Any, kind: str) -> Any:
        entries = {line.number: line.digest for line in LEDGER[kind]}
        steps: list[Step] = []
        with ways.times.step("restored in place", steps):
            self.do(kind)
        return Back(steps=steps, says="brought", found={"entries": entries})

    def ask(self, what: str, _: object, **__: object) -> Any:
        self.do({"census": "counted", "clear": "cleared"}[what])
        return {"objects": {"things": {"media/a": "1"}}}


LEDGER = {kind: (Line(number=1, at=50.0, digest=f"{kind} 1", size=9),) for kind in ("database", "objects")}
NOTED = {
    "id": "20261130t160000z-ab12",
    "size": 80,
    "began": 10.0,
    "elsewhere": {
        "copy": "away",
        "url": "https://s3.example.org/copies/demo",
        "access": "a",
        "secret": "s",
        "region": "default",
        "authority": "",
        "keys": ["AGE-SECRET-KEY-1"],
    },
    "fsid": "f-s-i-d",
    "set": LABEL,
    "ledger": ledger_data(LEDGER),
    "still": {"objects": {"things": {"media/a": "1"}}},
    "events": [{"what": "entries written to every kind", "began": 1.0, "seconds": 2.0}],
    "load": "",
    "at": "losing",
}


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize("moment", ["", *PHASES])
def test_killed_at_any_moment_it_goes_on_and_ends_well(monkeypatch: pytest.MonkeyPatch, moment: str) -> None:
    world, said = World(monkeypatch), list[str]()
    world.kill_after = moment
    with noted("demo") as note:
        note.add(**NOTED)
        if moment:
            with pytest.raises(Killed):
                go_on("demo", note, said.append)
            assert said[-1] == "demo is not back yet: `rookery drill --full --system demo` goes on from here"
            assert destroyed("demo")
        outcome = go_on("demo", note, said.append)
        assert note.read() == {}
    assert (outcome.exit_code, outcome.elsewhere) == (ExitCode.DONE, "https://s3.example.org/copies/demo")
    assert [(one.kind, one.verdict, one.back) for one in outcome.kinds] == [
        ("database", "same", 1),
        ("objects", "same", 1),
    ]
    assert outcome.own == (OwnData(kind="objects", things=1, problems=()),)
    assert set(PHASES) <= set(world.done)
    assert world.done[-1] == "cleared"
    assert outcome.events[0].what == "entries written to every kind"
    for one in outcome.kinds:  # what all waited for is part of each one's time
        assert one.rto == pytest.approx(sum(step.seconds for step in (*one.before, *one.steps)), abs=0.01)


@pytest.mark.parametrize(
    ("fsid", "at"), [("another", "losing"), ("another", "fetching"), ("f-s-i-d", "laying")]
)
def test_another_system_of_that_name_is_not_what_a_drill_left(
    monkeypatch: pytest.MonkeyPatch, home: Path, fsid: str, at: str
) -> None:
    world = World(monkeypatch)
    monkeypatch.setattr("rookery.systems.lab.paths.runtime_folder", lambda: home / "run")
    (home / "labs/demo").mkdir(parents=True)
    (home / "labs/demo/secrets.json").write_text(json.dumps({"fsid": fsid}))
    (home / "run/labs/demo/demo.cp-1").mkdir(parents=True)
    with noted("demo") as note:
        note.add(**{**NOTED, "at": at})
        with pytest.raises(NotPossibleError, match="there is a system of that name since") as error:
            go_on("demo", note, lambda _: None)
        assert str(note.folder) in error.value.hint
        assert world.done == []
        assert destroyed("demo")


@pytest.mark.usefixtures("home")
def test_what_does_not_go_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    World(monkeypatch)
    left = SimpleNamespace(left=(SimpleNamespace(kind="mount", name="/x"),))
    monkeypatch.setattr(full, "bring_down", lambda *_: left)
    with noted("demo") as note:
        note.add(**NOTED)
        with pytest.raises(RookeryError, match="not all of demo went") as error:
            go_on("demo", note, lambda _: None)
        assert error.value.details == ("mount /x",)
        assert destroyed("demo")


def test_what_is_written_is_the_same_in_another_process() -> None:
    assert build_shape("d", 80_000_000) == build_shape("d", 80_000_000)
    assert build_shape("d", 80_000_000).count == 80


# --- Asked by its command


@pytest.mark.usefixtures("home")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--full", "--yes"), "destroys a whole lab, and wants to be told which"),
        (("--full", "--system", "demo", "--only", "files"), "--only does not go with --full"),
        (("--full", "--system", "demo", "--yes"), "there is no system demo on this machine"),
        (("--copy", "away"), "are for a drill with --full"),
    ],
)
def test_what_is_not_asked_for_well_is_refused(words: tuple[str, ...], said: str, home: Path) -> None:
    done = CliRunner().invoke(cli, ["drill", *words], standalone_mode=False)
    assert isinstance(done.exception, InputError)
    assert said in str(done.exception)
    assert not (home / "drills").exists()


@pytest.fixture(autouse=True)
def _no_labs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("rookery.run.workspace.running_names", lambda: ())
