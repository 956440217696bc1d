"""The journal: read back as it was written, whole under concurrency and kills, kept by every command."""

from __future__ import annotations

import dataclasses
import datetime as dt
import fcntl
import json
import os
import re
import signal
import stat
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace

import click
import pytest
from click.testing import CliRunner, Result
from hypothesis import given
from hypothesis import strategies as st

from rookery.apps.table import SETTINGS
from rookery.cli import load
from rookery.cli.journaling import journal
from rookery.cli.running import down, up
from rookery.errors import ExitCode, InputError, RookeryError
from rookery.load.model import Figures, KindFigures
from rookery.run import journal as module
from rookery.run.down import Departure
from rookery.run.journal import (
    Block,
    Entry,
    Journal,
    find_folder,
    keep_folder,
    one_line,
    parse_month,
    parse_tags,
    plain_text,
    render_entry,
    render_head,
    select,
    spec_digest,
    state_folder,
)
from rookery.run.workspace import open_spec
from rookery.spec.load import load_pattern
from rookery.systems.protocol import Leftover
from tests.kit.journal_command import work

AT = dt.datetime(2026, 11, 23, 0, 41, 7, tzinfo=dt.UTC)
FULL = Entry(
    at=AT,
    title="rookery up my.yaml",
    system="rookery-demo",
    spec="3f2a9c0b7d1e",
    tags=("failover", "v1.2"),
    did="11 of 24 steps: image, identity",
    took=43.1,
    exit_code=4,
    result="30 pass, 1 fail",
    report="../reports/load (1).json",
    text="Nobody noticed.\n\n    indented",
)
FULL_TEXT = """\
## 2026-11-23 00:41:07 UTC, rookery up my.yaml

- system: rookery-demo
- spec: 3f2a9c0b7d1e
- tags: failover, v1.2
- did: 11 of 24 steps: image, identity
- took: 43.1 s
- exit: 4 violated
- result: 30 pass, 1 fail
- report: [load (1).json](../reports/load%20%281%29.json)

Nobody noticed.

    indented
"""
NOTE = Entry(at=AT, title="note by alice", text="Pulled the plug.")


# Entries as text


def test_an_entry_reads_well() -> None:
    assert render_entry(FULL) == FULL_TEXT
    assert render_entry(NOTE) == "## 2026-11-23 00:41:07 UTC, note by alice\n\nPulled the plug.\n"
    assert render_head("2026-11") == "# Journal, November 2026\n"


def lines(smallest: int = 0) -> st.SearchStrategy[str]:
    return st.text(max_size=400).map(one_line).filter(lambda line: len(line) >= smallest)


# Text that looks like what the format itself is made of, beside any other.
_PIECES = st.sampled_from(
    ("## x", "\\## x", "- did: x", "\\- did: x", "- exit: 9", "", "  ", "# Journal", "a")
)
texts = st.lists(_PIECES | st.text(max_size=40), max_size=6).map("\n".join).map(plain_text)
entries = st.builds(
    Entry,
    at=st.integers(0, 2**32).map(lambda seconds: dt.datetime.fromtimestamp(seconds, tz=dt.UTC)),
    title=lines(1),
    system=lines(),
    spec=lines(),
    tags=st.lists(st.from_regex(r"\A[a-z0-9][a-z0-9./-]{0,9}\Z"), unique=True, max_size=3).map(tuple),
    did=lines(),
    took=st.none() | st.integers(0, 10**7).map(lambda tenths: tenths / 10),
    exit_code=st.none() | st.integers(0, 255),
    result=lines(),
    report=lines(),
    text=texts,
)


@given(st.lists(entries, max_size=4))
def test_what_is_written_is_read_back(written: list[Entry]) -> None:
    text = render_head("2026-11") + "".join(f"\n{render_entry(entry)}" for entry in written)
    assert [block.entry for block in parse_month(text)] == written


@given(st.text())
def test_any_text_is_shown_whole(text: str) -> None:
    shown = "".join(block.text for block in parse_month(text))
    assert [line for line in shown.split() if line] == [
        line for line in text.split() if line
    ] or text.startswith("# Journal, ")


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("## 2026-11-23 00:41:07 UTC,", "## 23 November, in the evening:"),
        ("2026-11-23", "2026-13-23"),
        ("- took: 43.1 s", "- took: long"),
        ("- exit: 4 violated", "- exit: violated"),
        ("- report: [load (1).json](../reports/load%20%281%29.json)", "- report: on paper"),
    ],
)
def test_what_a_hand_made_unreadable_is_kept_as_it_is(before: str, after: str) -> None:
    edited = FULL_TEXT.replace(before, after)
    blocks = parse_month(f"{render_head('2026-11')}\n{render_entry(NOTE)}\n{edited}\n{render_entry(NOTE)}")
    assert [block.entry for block in blocks] == [NOTE, None, NOTE]
    assert blocks[1].text == edited.strip("\n")


def test_a_hand_may_add_and_reorder() -> None:
    edited = FULL_TEXT.replace("- spec: 3f2a9c0b7d1e\n", "").replace(
        "- took: 43.1 s\n", "- took: 43.1 s\n- spec: 3f2a9c0b7d1e\n"
    )
    assert parse_month(edited)[0].entry == FULL
    own = "# Our journal\n\nWhat we learnt.\n\n## Plans\n\n- plug\n"
    assert parse_month(own) == (
        Block(text="# Our journal\n\nWhat we learnt.", entry=None),
        Block(text="## Plans\n\n- plug", entry=None),
    )


def test_windows_line_endings_are_read(tmp_path: Path) -> None:
    (tmp_path / "2026-11.md").write_bytes(
        (render_head("2026-11") + "\n" + FULL_TEXT).encode().replace(b"\n", b"\r\n")
    )
    assert [block.entry for block in Journal(tmp_path).read()] == [FULL]


def test_lines_are_one_and_short() -> None:
    assert one_line("  it\nbroke\x1b[31m\tthere ") == "it broke [31m there"
    assert one_line("x" * 400) == "x" * 299 + "…"


@pytest.mark.parametrize(
    ("said", "kept"),
    [
        ("login password: hunter2 refused", "login password: *** refused"),
        ("PGPASSWORD=x secret_key=abc", "PGPASSWORD=*** secret_key=***"),
        ("key = AQBcd", "key = ***"),
        (f"with AQ{'a' * 36}==", "with ***"),
        ("postgresql://app:pw@10.1.2.3/db", "postgresql://app:***@10.1.2.3/db"),
        ("unknown key: apps", "unknown key: apps"),
    ],
)
def test_what_looks_like_a_credential_is_left_out(said: str, kept: str) -> None:
    assert one_line(said) == kept


def test_selection() -> None:
    other = Entry(at=AT, title="note by bob", system="big", tags=("failover",), text="Storage-K is slow")
    blocks = parse_month(f"{FULL_TEXT}\n{render_entry(other)}\n## Failover of big, by hand\n")
    titles = [block.text.split("\n")[0][:40] for block in select(blocks, tags=("failover",))]
    assert titles == [
        "## 2026-11-23 00:41:07 UTC, rookery up m",
        "## 2026-11-23 00:41:07 UTC, note by bob",
        "## Failover of big, by hand",
    ]
    assert select(blocks, tags=("failover",), system="big") == blocks[1:]
    assert select(blocks, words=("storage-k", "SLOW")) == blocks[1:2]
    assert select(blocks, words=("nowhere",)) == ()


def test_tags_are_words() -> None:
    assert parse_tags(("a", "b/c", "a")) == ("a", "b/c")
    with pytest.raises(InputError, match=r"--tag a, b: no tag"):
        parse_tags(("a, b",))


def test_the_digest_tells_specs_apart() -> None:
    minimum = load_pattern("production-minimum", settings=SETTINGS)
    renamed = minimum.model_copy(update={"name": "other"})
    assert spec_digest(minimum) == spec_digest(minimum.model_copy())
    assert len(spec_digest(minimum)) == 12
    assert spec_digest(minimum) != spec_digest(renamed)


# The files


def test_files_are_by_month_and_grow_at_their_end(tmp_path: Path) -> None:
    kept = Journal(tmp_path / "deep" / "journal")
    assert (kept.months(), kept.read()) == ((), ())
    december = Entry(at=AT.replace(month=12), title="note by alice", text="Snow.")
    for entry in (FULL, NOTE, december):
        kept.append(entry)
    assert kept.months() == ("2026-11", "2026-12")
    assert [block.entry for block in kept.read()] == [FULL, NOTE, december]
    assert [block.entry for block in kept.read("2026-12")] == [december]
    november = (kept.folder / "2026-11.md").read_text()
    assert november == f"# Journal, November 2026\n\n{FULL_TEXT}\n{render_entry(NOTE)}"
    with pytest.raises(InputError, match=r"--month 2026-13: no month"):
        kept.read("2026-13")


def test_what_a_kill_left_stays_apart(tmp_path: Path) -> None:
    file = tmp_path / "2026-11.md"
    torn = f"{render_head('2026-11')}\n{FULL_TEXT}\n## 2026-11-23 00:4"
    file.write_text(torn)
    Journal(tmp_path).append(NOTE)
    assert file.read_text() == f"{torn}\n\n{render_entry(NOTE)}"
    blocks = Journal(tmp_path).read()
    assert [block.entry for block in blocks] == [FULL, None, NOTE]
    assert blocks[1].text == "## 2026-11-23 00:4"


def test_a_full_disk_leaves_no_half_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    Journal(tmp_path).append(FULL)
    before = (tmp_path / "2026-11.md").read_bytes()
    write = os.write
    monkeypatch.setattr(os, "write", lambda handle, data: write(handle, data[:10]))
    with pytest.raises(RookeryError, match="cannot be written: No space left on device"):
        Journal(tmp_path).append(NOTE)
    assert (tmp_path / "2026-11.md").read_bytes() == before


_WRITER = """\
import datetime as dt, sys
from pathlib import Path
from rookery.run.journal import Entry, Journal
kept, name, count = Journal(Path(sys.argv[1])), sys.argv[2], int(sys.argv[3])
at = dt.datetime(2026, 11, 23, tzinfo=dt.UTC)
print("ready", flush=True)
number = 0
while number != count:
    kept.append(Entry(at=at, title="note", text=f"{name} {number}\\n" + "x" * 5000))
    number += 1
"""


def writer(folder: Path, name: str, count: int) -> subprocess.Popen[str]:
    argv = [sys.executable, "-c", _WRITER, str(folder), name, str(count)]
    return subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, env=os.environ | {"PYTHONPATH": "src"})


def test_two_may_write_at_the_same_time(tmp_path: Path) -> None:
    folder = tmp_path / "journal"
    writers = [writer(folder, name, 40) for name in "abcd"]
    assert [process.communicate()[0] for process in writers] == ["ready\n"] * 4
    found = [block.entry.text.split("\n")[0] for block in Journal(folder).read() if block.entry]
    assert sorted(found) == sorted(f"{name} {number}" for name in "abcd" for number in range(40))
    assert (folder / "2026-11.md").read_text().count("# Journal, November 2026") == 1
    for name in "abcd":
        assert [text for text in found if text.startswith(name)] == [f"{name} {n}" for n in range(40)]


def test_a_kill_damages_nothing_that_was_written(tmp_path: Path) -> None:
    kept = Journal(tmp_path)
    for number in range(5):
        process = writer(tmp_path, str(number), -1)
        assert process.stdout is not None
        process.stdout.readline()
        file = tmp_path / "2026-11.md"
        size = file.stat().st_size if file.exists() else 0
        while not file.exists() or file.stat().st_size <= size:
            assert process.poll() is None
        process.kill()
        process.communicate()
    kept.append(NOTE)
    *blocks, last = kept.read()
    assert last.entry == NOTE
    # Of each writer, at most the entry that it was killed in is torn.
    whole = [block.entry.text.split("\n")[0] for block in blocks if block.entry and len(block.text) > 5000]
    assert len(blocks) - len(whole) <= 5
    for name in "01234":
        numbers = [int(text.split()[1]) for text in whole if text.startswith(f"{name} ")]
        assert numbers == list(range(len(numbers)))


def test_no_link_is_followed(tmp_path: Path) -> None:
    victim = tmp_path / "victim"
    victim.write_text("precious\n")
    folder = tmp_path / "journal"
    folder.mkdir()
    (folder / "2026-11.md").symlink_to(victim)
    with pytest.raises(RookeryError, match="cannot be written: Too many levels of symbolic links"):
        Journal(folder).append(NOTE)
    assert victim.read_text() == "precious\n"


def test_an_editor_that_renames_loses_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = Journal(tmp_path)
    file = kept.append(FULL)
    edited = file.read_text().replace("Nobody noticed", "Everybody noticed")
    flock = fcntl.flock

    def save_first(handle: int, how: int) -> None:
        monkeypatch.undo()
        (tmp_path / "new").write_text(edited)
        (tmp_path / "new").replace(file)
        flock(handle, how)

    monkeypatch.setattr(fcntl, "flock", save_first)
    kept.append(NOTE)
    assert file.read_text() == f"{edited}\n{render_entry(NOTE)}"


# Whose it is and where


@pytest.mark.skipif(os.geteuid() != 0, reason="giving files to another user needs root: sudo ./rookery test")
def test_under_sudo_it_belongs_to_the_folders_owner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_UID", "4711")
    monkeypatch.setenv("SUDO_GID", "4712")
    theirs, roots = tmp_path / "theirs", tmp_path / "roots"
    for folder in (theirs, roots):
        folder.mkdir()
    os.chown(theirs, 1234, 1235)
    for folder, owner in ((theirs, (1234, 1235)), (roots, (4711, 4712))):
        file = Journal(folder / "journal").append(NOTE)
        for path in (folder / "journal", file):
            state = path.stat()
            assert (state.st_uid, state.st_gid) == owner
        assert stat.S_IMODE(file.stat().st_mode) & 0o444 == 0o444
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))
    (tmp_path / "home").mkdir()
    assert Journal(tmp_path / "home" / "journal").append(NOTE).stat().st_uid == 0


def test_ownership_is_decided_by_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert module._owner(tmp_path) == (-1, -1)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    state = tmp_path.stat()
    monkeypatch.delenv("SUDO_UID", raising=False)
    assert module._owner(tmp_path) == (state.st_uid, state.st_gid)


def test_where_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ROOKERY_JOURNAL", raising=False)
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    spec = tmp_path / "demo" / "my.yaml"
    (tmp_path / "home" / "labs" / "known").mkdir(parents=True)
    keep_folder("known", tmp_path / "kept")
    keep_folder("unknown", tmp_path / "kept")
    assert find_folder(None) == state_folder()
    assert find_folder(None, system="known") == tmp_path / "kept"
    assert find_folder(None, system="unknown") == state_folder()
    (tmp_path / "journal").mkdir()
    assert find_folder(None) == tmp_path / "journal"
    assert find_folder(None, spec=spec, system="known") == tmp_path / "demo" / "journal"
    monkeypatch.setenv("ROOKERY_JOURNAL", "ours")
    assert find_folder(None, spec=spec) == tmp_path / "ours"
    assert find_folder(Path("named"), spec=spec) == tmp_path / "named"


def test_a_users_own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path))
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("HOME", "/home/alice")
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    assert state_folder() == Path("/home/alice/.local/state/rookery/journal")
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert state_folder() == Path("/state/rookery/journal")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.delenv("SUDO_UID", raising=False)
    assert state_folder() == tmp_path / "journal"
    monkeypatch.setenv("SUDO_UID", "1")
    assert state_folder().parts[-4:] == (".local", "state", "rookery", "journal")
    monkeypatch.setenv("SUDO_UID", "4000000")
    assert state_folder() == tmp_path / "journal"


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

    monkeypatch.setattr("rookery.run.preflight.require_lab_machine", lambda: None)
    monkeypatch.setattr("rookery.run.up.steps_left", lambda system: system.steps()[:2])
    monkeypatch.setattr("rookery.run.up.findings_here", lambda design: ())
    monkeypatch.setattr("rookery.run.up.bring_up", break_off)
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
    monkeypatch.setattr("rookery.run.preflight.require_root", lambda: None)
    monkeypatch.setattr("rookery.run.down.bring_down", lambda *_, **_must: departure)
    result = run_command(down, "mine", "--journal", str(tmp_path))
    assert result.return_value == code
    entry = only_entry(tmp_path)
    assert (entry.title, entry.system, entry.did) == ("down mine", "mine", "2 things removed")
    assert (entry.exit_code, entry.result) == (code, said)


def test_down_of_nothing_is_no_matter_for_the_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rookery.run.preflight.require_root", lambda: None)
    nothing = Departure(found=(), left=(), seconds=1.0)
    monkeypatch.setattr("rookery.run.down.bring_down", lambda *_, **_must: nothing)
    assert run_command(down, "mine", "--journal", str(tmp_path)).return_value == 0
    assert Journal(tmp_path).months() == ()


def test_load_writes_its_settings_and_its_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    minimum = load_pattern("production-minimum", settings=SETTINGS)
    monkeypatch.setattr(load, "_open", lambda system: (Elsewhere(), minimum))
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
