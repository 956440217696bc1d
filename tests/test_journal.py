"""The journal: read back as it was written, whole under concurrency and kills."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.apps.table import SETTINGS
from rookery.errors import InputError, RookeryError
from rookery.run import journal as module
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
from rookery.spec.load import load_pattern

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
