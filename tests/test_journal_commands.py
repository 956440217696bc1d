"""Commands keep the journal: each writes what became of it, whatever that is."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
import re
import signal
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner, Result

from rookery.apps.table import SETTINGS
from rookery.cli import load
from rookery.cli.journaling import journal
from rookery.cli.removing import down
from rookery.cli.running import up
from rookery.errors import ExitCode, InputError, RookeryError
from rookery.load.model import Figures, KindFigures
from rookery.run.down import Departure
from rookery.run.journal import (
    Entry,
    Journal,
    find_folder,
    render_entry,
    spec_digest,
    state_folder,
)
from rookery.run.workspace import open_spec
from rookery.spec.load import load_pattern
from rookery.systems.protocol import Leftover
from tests.kit.journal_command import work

# Commands


@pytest.fixture(autouse=True)
def _elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Keep this machine's own journal and systems out of it."""
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "rookery-home"))
    monkeypatch.delenv("ROOKERY_JOURNAL", raising=False)


def call(*words: str) -> Result:
    return CliRunner().invoke(work, list(words), prog_name="rookery work", standalone_mode=False)


def only_entry(folder: Path) -> Entry:
    (block,) = Journal(folder).read()
    assert block.entry is not None
    return block.entry


def test_a_command_writes_an_entry(tmp_path: Path) -> None:
    result = call(str(tmp_path / "a b.yaml"), "--viewers", "9", "-o", "json")
    assert (result.return_value, result.output) == (ExitCode.VIOLATED, "")
    entry = only_entry(tmp_path / "journal")
    assert entry.title == f"rookery work '{tmp_path}/a b.yaml' --viewers 9"
    assert (entry.system, entry.spec, entry.did) == ("demo", "0123456789ab", "11 steps")
    assert (entry.exit_code, entry.result) == (4, "1 fail")
    assert entry.took is not None


@pytest.mark.parametrize(
    ("viewers", "code", "said"),
    [
        ("1", 3, "no overlay can be mounted"),
        ("2", 130, ""),
        ("3", 1, "ZeroDivisionError: by hand"),
    ],
)
def test_a_command_that_fails_says_why(tmp_path: Path, viewers: str, code: int, said: str) -> None:
    result = call("--viewers", viewers, "--journal", str(tmp_path))
    assert result.exception is not None
    entry = only_entry(tmp_path)
    assert (entry.exit_code, entry.result, entry.did) == (code, said, "11 steps")


def test_a_command_that_is_terminated_writes_its_entry_and_ends(tmp_path: Path) -> None:
    program = "from tests.kit.journal_command import work; work()"
    argv = [sys.executable, "-c", program, "--viewers", "4", "--journal", str(tmp_path)]
    done = subprocess.run(argv, env=os.environ | {"PYTHONPATH": "src:."}, check=False)
    assert done.returncode == -signal.SIGTERM
    entry = only_entry(tmp_path)
    assert (entry.exit_code, entry.did) == (143, "11 steps")
    assert "- exit: 143 terminated\n" in (tmp_path / f"{entry.at:%Y-%m}.md").read_text()


def test_signals_are_as_before_afterwards(tmp_path: Path) -> None:
    before = (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP))
    call("--journal", str(tmp_path))
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGHUP)) == before


def test_no_entry_where_none_is_wanted_or_nothing_happened(tmp_path: Path) -> None:
    call("--no-journal", str(tmp_path / "x.yaml"))
    call("--keep", "--journal", str(tmp_path / "journal"))
    assert not (tmp_path / "journal").exists()


def test_a_journal_that_cannot_be_written_costs_a_warning_only(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("a file")
    result = call(str(tmp_path / "x.yaml"))
    assert result.return_value == ExitCode.VIOLATED
    assert result.stderr == textwrap.dedent(
        f"""\
        warning: the journal in {tmp_path}/journal cannot be written: Not a directory
          Name another folder with --journal, or write none with --no-journal.
        """
    )
    assert result.stdout == ""


def journal_command(folder: Path, *words: str, given: str | None = None) -> Result:
    result = CliRunner().invoke(
        journal, [words[0], "--journal", str(folder), *words[1:]], input=given, standalone_mode=False
    )
    if result.exception is not None:
        raise result.exception
    return result


def test_notes_are_added_shown_and_found(tmp_path: Path) -> None:
    journal_command(tmp_path, "add", "Pulled", "the plug", "--tag", "failover", "--system", "demo")
    journal_command(tmp_path, "add", "-", given="## Why\n\n- did: nothing\n")
    first, second = (block.entry for block in Journal(tmp_path).read())
    assert first is not None
    assert second is not None
    assert (first.text, first.tags, first.system) == ("Pulled the plug", ("failover",), "demo")
    assert second.text == "## Why\n\n- did: nothing"
    assert first.title.startswith("note by ")
    shown = journal_command(tmp_path, "show", "--last", "1").output
    assert shown == render_entry(second)
    assert journal_command(tmp_path, "show", "--tag", "failover").output == render_entry(first)
    (found,) = json.loads(journal_command(tmp_path, "search", "PLUG", "--output", "json").output)
    assert (found["entry"], found["text"], found["tags"]) == (True, "Pulled the plug", ["failover"])
    nothing = journal_command(tmp_path, "search", "elsewhere")
    assert (nothing.stdout, nothing.stderr) == ("", f"nothing in {tmp_path}\n")
    with pytest.raises(InputError, match="the note is empty"):
        journal_command(tmp_path, "add", " ")


def test_what_is_no_entry_is_shown_and_named(tmp_path: Path) -> None:
    (tmp_path / "2026-10.md").write_text("## By hand\n\nIt rained.\n")
    assert journal_command(tmp_path, "show").output == "## By hand\n\nIt rained.\n"
    assert json.loads(journal_command(tmp_path, "show", "-o", "json").output) == [
        {"text": "## By hand\n\nIt rained.", "entry": False}
    ]


# Wired into the commands that change something


class Elsewhere:
    """A system that runs nowhere, as far as `load` asks."""

    design = SimpleNamespace(name="demo")
    load = SimpleNamespace(records=Path("/var/lib/rookery/labs/demo/load"))

    def close(self) -> None:
        pass


def figures(**changes: object) -> Figures:
    none = {field.name: None for field in dataclasses.fields(Figures)}
    kind = {field.name: 0 for field in dataclasses.fields(KindFigures)}
    usual = {
        "system": "demo",
        "record": "run-1.json",
        "state": "ended",
        "began": "2026-11-23T00:41:07+00:00",
        "seconds": 90.0,
        "settings": (("viewers", 200), ("churn", 0)),
        "off": (),
        "kinds": (KindFigures(**{**kind, "name": "pages", "count": 4711, "errors": 2, "error_texts": ()}),),  # type: ignore[arg-type] # zeros
        "books": "violated",
        "why": "",
        "message": "",
    }
    return Figures(**{**none, **usual, **changes})  # type: ignore[arg-type] # what no test looks at


def run_command(command: click.Command, *words: str) -> Result:
    return CliRunner().invoke(command, list(words), standalone_mode=False)


def test_up_writes_what_became_of_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def break_off(*_: object, **_options: object) -> None:
        raise RookeryError("OSDs up: all OSDs: 7 of 8 up", details=("secret",))

    monkeypatch.setattr("rookery.run.systems.require_machine", lambda *_, **__: None)
    monkeypatch.setattr("rookery.run.prepared.steps_left", lambda system: system.steps()[:2])
    monkeypatch.setattr("rookery.run.prepared.findings_here", lambda design: ())
    monkeypatch.setattr("rookery.run.prepared.Prepared.run", break_off)
    spec = tmp_path / "my.yaml"
    spec.write_text("apiVersion: rookery/v1\npattern: production-minimum\nname: mine\n")
    result = run_command(up, str(spec), "--output", "json")
    assert isinstance(result.exception, RookeryError)
    entry = only_entry(tmp_path / "journal")
    assert (entry.title, entry.system) == (f"up {spec}", "mine")
    assert entry.spec == spec_digest(open_spec(str(spec)).spec)
    assert re.match(r"2 of \d+ steps: \w+, \w+$", entry.did)
    assert (entry.exit_code, entry.result) == (1, "OSDs up: all OSDs: 7 of 8 up")
    assert find_folder(None, system="mine") == state_folder()
    (tmp_path / "rookery-home" / "labs" / "mine").mkdir(parents=True)
    run_command(up, str(spec), "--journal", str(tmp_path / "other"))
    assert find_folder(None, system="mine") == tmp_path / "other"
    assert run_command(up, str(spec), "--no-journal").exception is not None
    assert only_entry(tmp_path / "journal") == entry


@pytest.mark.parametrize(
    ("left", "code", "said"), [((), 0, "nothing left"), (("x",), 1, "1 things are still there")]
)
def test_down_writes_what_it_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, left: tuple[str, ...], code: int, said: str
) -> None:
    found = tuple(Leftover(kind="mount", name=name) for name in ("x", "y"))
    departure = Departure(found=found, left=tuple(item for item in found if item.name in left), seconds=1.0)
    monkeypatch.setattr("rookery.run.down.require_removable", lambda _: None)
    monkeypatch.setattr("rookery.run.down.bring_down", lambda *_, **_must: departure)
    result = run_command(down, "mine", "--journal", str(tmp_path))
    assert result.return_value == code
    entry = only_entry(tmp_path)
    assert (entry.title, entry.system, entry.did) == ("down mine", "mine", "2 things removed")
    assert (entry.exit_code, entry.result) == (code, said)


def test_down_of_nothing_is_no_matter_for_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rookery.run.down.require_removable", lambda _: None)
    nothing = Departure(found=(), left=(), seconds=1.0)
    monkeypatch.setattr("rookery.run.down.bring_down", lambda *_, **_must: nothing)
    assert run_command(down, "mine", "--journal", str(tmp_path)).return_value == 0
    assert Journal(tmp_path).months() == ()


def test_load_writes_its_settings_and_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minimum = load_pattern("production-minimum", settings=SETTINGS)
    workspace = SimpleNamespace(spec=minimum)
    running = SimpleNamespace(system=Elsewhere(), design=Elsewhere.design, workspace=workspace)
    monkeypatch.setattr("rookery.run.systems.opened", lambda _: contextlib.nullcontext(running))
    monkeypatch.setattr(load, "_show", lambda *_: None)
    monkeypatch.setattr("rookery.run.load.start_load", lambda *_: figures(state="running", books=""))
    monkeypatch.setattr("rookery.run.load.stop_load", lambda *_, **__: figures())
    journal_folder = tmp_path / "journal"
    options = ("--journal", str(journal_folder))
    assert run_command(load.load, "start", "--viewers", "200", *options).return_value == 0
    report = tmp_path / "load.json"
    assert run_command(load.load, "stop", "--record", str(report), *options).return_value == 4
    assert run_command(load.load, "stop", *options).return_value == 4
    started, stopped, again = (block.entry for block in Journal(journal_folder).read())
    assert started is not None
    assert stopped is not None
    assert again is not None
    assert (started.title, started.did) == ("load start --viewers 200", "load started: viewers 200")
    assert started.spec == spec_digest(minimum)
    assert stopped.title == f"load stop --record {report}"
    assert stopped.did == "load stopped, begun 2026-11-23T00:41:07+00:00, 1 min 30 s"
    assert (stopped.exit_code, stopped.result) == (4, "pages 4711, 2 errors, books violated")
    # Beside the journal, a link works wherever the two are kept.
    assert (stopped.report, again.report) == ("../load.json", "/var/lib/rookery/labs/demo/load/run-1.json")
