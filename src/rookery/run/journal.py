"""The inventor's journal: what was tried, with what result, written by every command and by people.

It is Markdown, one file for each month (`2026-11.md`), for a team to commit, to read and to edit. The files
are the store: what is written is read back from them, and there is nothing beside them that could differ.
What a hand changed until it is no entry of ours any more stays a block of text, and is shown with the rest.

An entry is written when its command ends, in one write to the end of the file, under a lock: also when it
ends by an error, Ctrl-C, SIGTERM or SIGHUP. A command that is killed by SIGKILL, or with its machine, writes
nothing; so there is never an entry to complete, and what was written before is never touched again. How many
steps were left over, the entry of the next `up` says.
"""

from __future__ import annotations

import calendar
import contextlib
import datetime as dt
import errno
import fcntl
import json
import os
import pwd
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from urllib.parse import quote, unquote

from rookery.errors import ExitCode, InputError, RookeryError
from rookery.spec.model import Spec
from rookery.systems.home import home, user_state
from rookery.systems.lab.paths import LabPaths

LONGEST_LINE = 300
_FIELDS = ("system", "spec", "tags", "did", "took", "exit", "result", "report")
_HEADING = re.compile(r"^## (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d) UTC, (\S.*)$")
_FIELD = re.compile(rf"^- ({'|'.join(_FIELDS)}): (\S.*)$")
_LINK = re.compile(r"^\[.*\]\((\S+)\)$")
_EXIT = re.compile(r"^(\d+)(?: .*)?$")
_TOOK = re.compile(r"^(\d+\.\d) s$")
_TAG = re.compile(r"^\w[\w./-]*$")
_MONTH = re.compile(r"^\d{4}-(0[1-9]|1[0-2])$")
# What a credential looks like in an error's text: a named value, a URL's password, a cephx key.
_SECRET = re.compile(
    r"(?P<name>(?:password|passwd|secret|token|access[ _-]key|secret[ _-]key)\s*[=:]\s*|\bkey\s*=\s*)\S+"
    r"|(?P<user>://[^\s/:@]*:)[^\s/@]+(?=@)"
    r"|\bAQ[A-Za-z0-9+/]{36}==",
    re.IGNORECASE,
)
_ENDINGS = {int(code): code.name.lower().replace("_", " ") for code in ExitCode} | {
    129: "hung up",
    130: "interrupted",
    143: "terminated",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One entry. `at` is in UTC, in whole seconds; `title` is the command, or who wrote a note.

    `spec` is the digest of the system's spec, `did` what was done, `took` how many seconds (to a tenth),
    `exit_code` and `result` what came out; `report` is a path, relative to the journal or absolute. `text` is
    Markdown of a person. Lines are as `one_line` and `plain_text` return them.
    """

    at: dt.datetime
    title: str
    system: str = ""
    spec: str = ""
    tags: tuple[str, ...] = ()
    did: str = ""
    took: float | None = None
    exit_code: int | None = None
    result: str = ""
    report: str = ""
    text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A part of a month's file: its text as it stands there, and the entry that it is, if it is one."""

    text: str
    entry: Entry | None


def one_line(text: str, *, limit: int = LONGEST_LINE) -> str:
    """Return `text` as one line of at most `limit` characters, without what looks like a credential."""
    line = " ".join(_printable(text).split())
    line = _SECRET.sub(lambda found: f"{found['name'] or found['user'] or ''}***", line)
    return line if len(line) <= limit else f"{line[: limit - 1].rstrip()}…"


def plain_text(text: str) -> str:
    """Return a person's text without control characters and without empty lines around it."""
    lines = (_printable(line.expandtabs(4)).rstrip() for line in text.replace("\r\n", "\n").split("\n"))
    return "\n".join(lines).strip("\n")


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def parse_tags(tags: Sequence[str]) -> tuple[str, ...]:
    """Return each tag once; raises InputError for one that is no word."""
    for tag in tags:
        if not _TAG.match(tag):
            raise InputError(f"--tag {tag}: no tag", hint="Use letters, digits and . / - _ in between.")
    return tuple(dict.fromkeys(tags))


def spec_digest(spec: Spec) -> str:
    """Return the first 12 hexadecimal digits of SHA-256 over a spec with all its defaults."""
    data = json.dumps(spec.model_dump(mode="json", by_alias=True), sort_keys=True)
    return sha256(data.encode()).hexdigest()[:12]


def render_entry(entry: Entry) -> str:
    """Return an entry as Markdown; `parse_month` reads it back."""
    took = None if entry.took is None else f"{entry.took:.1f} s"
    ending = None if entry.exit_code is None else f"{entry.exit_code} {_ENDINGS.get(entry.exit_code, '')}"
    report = f"[{Path(entry.report).name}]({quote(entry.report)})" if entry.report else ""
    values = (entry.system, entry.spec, ", ".join(entry.tags), entry.did, took, ending, entry.result, report)
    fields = [f"- {name}: {value.strip()}" for name, value in zip(_FIELDS, values, strict=True) if value]
    paragraphs = (
        f"## {entry.at:%Y-%m-%d %H:%M:%S} UTC, {entry.title}",
        "\n".join(fields),
        _guard(entry.text),
    )
    return "\n\n".join(paragraph for paragraph in paragraphs if paragraph) + "\n"


def render_head(month: str) -> str:
    """Return what the file of a month (`2026-11`) begins with."""
    year, number = month.split("-")
    return f"# Journal, {calendar.month_name[int(number)]} {year}\n"


def parse_month(text: str) -> tuple[Block, ...]:
    """Return the parts of a month's file in their order; nothing but the head that we wrote is left out."""
    sections: list[list[str]] = [[]]
    for line in text.split("\n"):
        if line.startswith("## "):
            sections.append([])
        sections[-1].append(line)
    texts = ["\n".join(lines).strip("\n") for lines in sections]
    if re.fullmatch(r"# Journal, [A-Z][a-z]+ \d{4}", texts[0]):
        texts[0] = ""
    return tuple(Block(text=section, entry=_parse_entry(section)) for section in texts if section.strip())


def _parse_entry(section: str) -> Entry | None:
    """Return the entry of a section, or None where it is none of ours."""
    first, *lines = section.split("\n")
    heading = _HEADING.match(first)
    if heading is None:
        return None
    values: dict[str, str] = {}
    while lines and not lines[0].strip():
        del lines[0]
    while lines and (field := _FIELD.match(lines[0])) and field[1] not in values:
        values[field[1]] = field[2]
        del lines[0]
    try:
        return _entry(heading[1], heading[2], values, _unguard("\n".join(lines).strip("\n")))
    except ValueError:
        return None


def _entry(at: str, title: str, values: Mapping[str, str], text: str) -> Entry:
    """Raises ValueError for a value that a hand has made unreadable."""
    return Entry(
        at=dt.datetime.strptime(at, "%Y-%m-%d %H:%M:%S").replace(tzinfo=dt.UTC),
        title=title,
        system=values.get("system", ""),
        spec=values.get("spec", ""),
        tags=tuple(tag.strip() for tag in values.get("tags", "").split(",") if tag.strip()),
        did=values.get("did", ""),
        took=float(_found(_TOOK, values["took"])) if "took" in values else None,
        exit_code=int(_found(_EXIT, values["exit"])) if "exit" in values else None,
        result=values.get("result", ""),
        report=unquote(_found(_LINK, values["report"])) if "report" in values else "",
        text=text,
    )


def _found(pattern: re.Pattern[str], value: str) -> str:
    found = pattern.match(value)
    if found is None:
        raise ValueError(value)
    return found[1]


def _guard(text: str) -> str:
    r"""Return a person's text so that no line of it begins a new entry or is taken for a field: with
    a backslash before it, which Markdown does not show."""
    lines = [re.sub(r"^(\\*## )", r"\\\1", line) for line in text.split("\n")]
    lines[0] = re.sub(rf"^(\\*- (?:{'|'.join(_FIELDS)}): )", r"\\\1", lines[0])
    return "\n".join(lines)


def _unguard(text: str) -> str:
    lines = [re.sub(r"^\\(\\*## )", r"\1", line) for line in text.split("\n")]
    lines[0] = re.sub(rf"^\\(\\*- (?:{'|'.join(_FIELDS)}): )", r"\1", lines[0])
    return "\n".join(lines)


def select(
    blocks: Sequence[Block], *, tags: Sequence[str] = (), system: str = "", words: Sequence[str] = ()
) -> tuple[Block, ...]:
    """Return the blocks that have all the tags, the system and the words (in any case).

    What is no entry of ours is judged by its text: it is better shown once too often than overlooked.
    """

    def chosen(block: Block) -> bool:
        text = block.text.casefold()
        if any(word.casefold() not in text for word in words):
            return False
        if block.entry is None:
            return all(word.casefold() in text for word in (*tags, system))
        return set(tags) <= set(block.entry.tags) and system in ("", block.entry.system)

    return tuple(block for block in blocks if chosen(block))


class Journal:
    """The journal in a folder. Reading needs no lock: a file only ever grows by whole entries."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def months(self) -> tuple[str, ...]:
        """Return the months that have a file, the earliest first."""
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            return tuple(sorted(path.stem for path in self.folder.iterdir() if _is_month(path)))
        return ()

    def read(self, month: str | None = None) -> tuple[Block, ...]:
        """Return what stands in a month (`2026-11`), or in all. Raises InputError for what is no month."""
        if month is not None and not _MONTH.match(month):
            raise InputError(f"--month {month}: no month", hint="Write it like 2026-11.")
        chosen = [name for name in self.months() if month in (None, name)]
        try:
            texts = [self._file(name).read_text(encoding="utf-8", errors="replace") for name in chosen]
        except OSError as error:
            raise RookeryError(f"{error.filename} cannot be read: {error.strerror}") from None
        return tuple(block for text in texts for block in parse_month(text))

    def append(self, entry: Entry) -> Path:
        """Write an entry to the end of its month, and return the file; raises RookeryError."""
        month = f"{entry.at:%Y-%m}"
        try:
            self._ensure_folder()
            with _locked(self._file(month), _owner(self.folder)) as handle:
                _append(handle, render_head(month), render_entry(entry))
        except OSError as error:
            raise RookeryError(
                f"the journal in {self.folder} cannot be written: {error.strerror}",
                hint="Name another folder with --journal, or write none with --no-journal.",
            ) from None
        return self._file(month)

    def _file(self, month: str) -> Path:
        return self.folder / f"{month}.md"

    def _ensure_folder(self) -> None:
        missing = [path for path in (self.folder, *self.folder.parents) if not path.exists()]
        for path in reversed(missing):
            with contextlib.suppress(FileExistsError):
                path.mkdir(mode=0o755)
                os.chown(path, *_owner(path.parent), follow_symlinks=False)


def _is_month(path: Path) -> bool:
    return path.suffix == ".md" and _MONTH.match(path.stem) is not None


def _owner(folder: Path) -> tuple[int, int]:
    """Return uid and gid of a new file in a folder, -1 to leave them: with root's rights those of the folder,
    so that a journal made under sudo is not closed to the user beside whose spec it lies."""
    if os.geteuid() != 0:
        return -1, -1
    state = folder.stat()
    if state.st_uid == 0 and "SUDO_UID" in os.environ and not folder.is_relative_to(home()):
        return int(os.environ["SUDO_UID"]), int(os.environ.get("SUDO_GID", "-1"))
    return state.st_uid, state.st_gid


@contextlib.contextmanager
def _locked(path: Path, owner: tuple[int, int]) -> Iterator[int]:
    """Open a month's file for appending, alone. No link is followed: root writes into folders of others."""
    flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
    while True:
        try:
            handle = os.open(path, flags | os.O_CREAT | os.O_EXCL, 0o644)
            os.fchmod(handle, 0o644)  # whatever the umask is: it may be another user's
            os.fchown(handle, *owner)
        except FileExistsError:
            handle = os.open(path, flags)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX)
            # An editor that saves by renaming leaves us with a file that has no name any more.
            if path.exists() and path.stat().st_ino == os.fstat(handle).st_ino:
                yield handle
                return
        finally:
            os.close(handle)


def _append(handle: int, head: str, entry: str) -> None:
    """Write all of an entry, or nothing. What a kill left of the one before stays apart from it."""
    size = os.fstat(handle).st_size
    end = os.pread(handle, 2, max(size - 2, 0)).decode(errors="replace")
    newlines = len(end) - len(end.rstrip("\n"))
    before = "\n" * (2 - newlines) if size else f"{head}\n"
    data = f"{before}{entry}".encode()
    try:
        written = os.write(handle, data)
    except OSError:
        os.ftruncate(handle, size)
        raise
    if written < len(data):
        os.ftruncate(handle, size)
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def find_folder(named: Path | None, *, spec: Path | None = None, system: str = "") -> Path:
    """Return where the journal is, the first of these:

    1. `named` (`--journal`), or ROOKERY_JOURNAL
    2. `journal` beside the file `spec`
    3. where the running `system` has its journal
    4. `journal` in the current folder, if it is there
    5. what `state_folder` says
    """
    told = os.environ.get("ROOKERY_JOURNAL")
    if named is not None or told:
        return (named or Path(str(told))).absolute()
    if spec is not None:
        return spec.absolute().parent / "journal"
    with contextlib.suppress(OSError):
        if system and (kept := _kept(system).read_text(encoding="utf-8").strip()):
            return Path(kept)
    here = Path("journal").absolute()
    return here if here.is_dir() else state_folder()


def state_folder() -> Path:
    """Return where a user's journal is when nothing says otherwise: `rookery/journal` in XDG_STATE_HOME or
    ~/.local/state, under sudo that of the user who called it; for root itself `journal` beside the labs."""
    if os.geteuid() == 0:
        try:
            user = pwd.getpwuid(int(os.environ.get("SUDO_UID", "0")))
        except (KeyError, ValueError):
            user = pwd.getpwuid(0)
        if user.pw_uid == 0:
            return home() / "journal"
        return Path(user.pw_dir) / ".local/state/rookery/journal"
    return user_state() / "journal"


def keep_folder(system: str, folder: Path) -> None:
    """Note in which journal a system is written about, for the commands that come without its spec."""
    with contextlib.suppress(OSError):
        _kept(system).write_text(f"{folder}\n", encoding="utf-8")


def _kept(system: str) -> Path:
    return LabPaths(name=system).folder / "journal"
