"""The journal: how commands write into it, and the commands that read it and add notes."""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import os
import pwd
import shlex
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from rookery.cli.options import complete_running, output_option
from rookery.errors import ExitCode, InputError, RookeryError
from rookery.run.journal import (
    Block,
    Entry,
    Journal,
    find_folder,
    keep_folder,
    one_line,
    parse_tags,
    plain_text,
    select,
)

Command = TypeVar("Command", bound=Callable[..., Any])
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)
_SILENT = ("output", "folder", "no_journal")
_folder_option = click.option(
    "--journal",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="The journal's folder.  [default: `journal` beside the spec]",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keeping:
    """Where a command writes its entry: in `folder`, or where `find_folder` says; not at all if `off`."""

    folder: Path | None = None
    off: bool = False


@dataclass(slots=True, kw_only=True)
class Record:
    """What a command says of itself while it runs; what it leaves empty is not written.

    `report` is the path of a file with more. A command that found nothing to do sets `empty`.
    """

    did: str = ""
    result: str = ""
    report: Path | None = None
    exit_code: int = ExitCode.DONE
    empty: bool = False

    def ends(self, exit_code: int, result: str = "") -> int:
        """Note how the command ends, and return its exit code."""
        self.exit_code = int(exit_code)
        self.result = result or self.result
        return self.exit_code


def journal_options(command: Command) -> Callable[..., Any]:
    """Add `--journal DIR` and `--no-journal`; the command gets them as its argument `keeping`."""

    @functools.wraps(command)
    def with_keeping(*args: Any, folder: Path | None, no_journal: bool, **rest: Any) -> Any:
        return command(*args, keeping=Keeping(folder=folder, off=no_journal), **rest)

    without = click.option("--no-journal", is_flag=True, help="Write no entry into the journal.")
    return _folder_option(without(with_keeping))


@contextlib.contextmanager
def recorded(
    keeping: Keeping, *, system: str, digest: str = "", beside: Path | None = None, begins: bool = False
) -> Iterator[Record]:
    """Write an entry about the command that runs within, however it ends short of SIGKILL.

    `digest` is that of the system's spec, `beside` its file, where the command was given one. Where the
    command that `begins` a system writes, later commands about it write too. A journal that cannot be written
    costs a warning, never the command.
    """
    record = Record()
    if keeping.off:
        yield record
        return
    folder = find_folder(keeping.folder, spec=beside, system=system)
    at, began = dt.datetime.fromtimestamp(int(time.time()), tz=dt.UTC), time.monotonic()
    title = one_line(_words(click.get_current_context()))

    def write() -> None:
        if not record.empty:
            took = round(time.monotonic() - began, 1)
            _write(folder, _entry(record, folder, at=at, title=title, system=system, spec=digest, took=took))
        if begins:
            keep_folder(system, folder)

    try:
        with _signals_write(record, write):
            yield record
    except BaseException as error:
        record.ends(*_ending(error))
        raise
    finally:
        write()


def _entry(record: Record, folder: Path, *, at: dt.datetime, title: str, **known: Any) -> Entry:
    report = "" if record.report is None else _from(folder, record.report)
    return Entry(
        at=at,
        title=title,
        did=one_line(record.did),
        exit_code=record.exit_code,
        result=one_line(record.result),
        report=one_line(report),
        **known,
    )


def _write(folder: Path, entry: Entry) -> None:
    try:
        Journal(folder).append(entry)
    except (RookeryError, OSError, ValueError) as error:
        click.echo(f"{click.style('warning:', fg='yellow', bold=True)} {error}", err=True)


def _from(folder: Path, path: Path) -> str:
    """Return a path as seen from the journal where they lie beside each other, so that a link can be followed
    wherever the two are kept."""
    path = path.absolute()
    return os.path.relpath(path, folder) if path.is_relative_to(folder.parent) else str(path)


def _ending(error: BaseException) -> tuple[int, str]:
    """Return the exit code that an error leads to, and what to write of it: its reason, not its details,
    which are the output of other programs."""
    if isinstance(error, KeyboardInterrupt | click.Abort):
        return 128 + signal.SIGINT, ""
    if isinstance(error, RookeryError):
        return error.exit_code, error.what
    return ExitCode.FAILED, f"{type(error).__name__}: {error}"


@contextlib.contextmanager
def _signals_write(record: Record, write: Callable[[], None]) -> Iterator[None]:
    """Write the entry when a signal ends the process, then let it end as it would have: at once."""

    def end(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_DFL)
        record.ends(128 + number)
        write()
        os.kill(os.getpid(), number)

    # Under nohup SIGHUP is ignored, and stays so.
    caught = [number for number in _SIGNALS if signal.getsignal(number) is signal.SIG_DFL]
    for number in caught:
        signal.signal(number, end)
    try:
        yield
    finally:
        for number in caught:
            signal.signal(number, signal.SIG_DFL)


def _words(context: click.Context) -> str:
    """Return the command as it was typed, without how its output looks and where the journal is.

    A value that is asked for without an echo is no matter for a journal."""
    words = [context.command_path]
    for parameter in context.command.params:
        name = parameter.name or ""
        typed = context.get_parameter_source(name) is ParameterSource.COMMANDLINE
        if not typed or name in _SILENT or getattr(parameter, "hide_input", False):
            continue
        value = context.params[name]
        values = [str(item) for item in (value if isinstance(value, tuple) else (value,))]
        if isinstance(parameter, click.Option):
            option = max(parameter.opts, key=len)
            is_flag = parameter.is_flag
            words += (
                [option] if is_flag else [word for item in values for word in (option, shlex.quote(item))]
            )
        else:
            words += [shlex.quote(item) for item in values]
    return " ".join(words)


@click.group(short_help="Show what was tried, with what result.")
def journal() -> None:
    """What was tried, with what result: written by every command that changes something, and by you.

    The journal is Markdown, one file for each month, in the folder `journal` beside your spec: to be
    committed with it. Commands that are given no file use ./journal if it is there, else a folder of your
    own; `--journal DIR` or ROOKERY_JOURNAL names another.

    \b
    rookery journal show --last 5
    rookery journal add "Pulled the plug of storage-k: nobody noticed" --tag failover
    rookery journal search storage-k
    """


@journal.command("add")
@click.argument("words", nargs=-1, required=True, metavar="TEXT")
@click.option("--tag", "tags", multiple=True, help="A word to find it by; may be repeated.")
@click.option("--system", default="", shell_complete=complete_running, help="Which system it is about.")
@_folder_option
def add(*, words: Sequence[str], tags: Sequence[str], system: str, folder: Path | None) -> int:
    """Add a note. TEXT is Markdown; `-` reads it from standard input."""
    text = plain_text(_read_input() if tuple(words) == ("-",) else " ".join(words))
    if not text.strip():
        raise InputError("the note is empty", hint="Write it as an argument, or `-` and give it as input.")
    entry = Entry(
        at=dt.datetime.fromtimestamp(int(time.time()), tz=dt.UTC),
        title=f"note by {_person()}",
        system=one_line(system),
        tags=parse_tags(tags),
        text=text,
    )
    path = Journal(find_folder(folder, system=system)).append(entry)
    click.echo(f"written to {path}")
    return ExitCode.DONE


@journal.command("show")
@click.option("--month", help="Only this one, such as 2026-11.")
@click.option("--tag", "tags", multiple=True, help="Only what has this tag; may be repeated.")
@click.option("--system", default="", shell_complete=complete_running, help="Only what is about this system.")
@click.option("--last", type=click.IntRange(min=1), help="Only so many, the newest.")
@_folder_option
@output_option
def show(
    *,
    month: str | None,
    tags: Sequence[str],
    system: str,
    last: int | None,
    folder: Path | None,
    output: str,
) -> int:
    """Show the journal, the newest entry last."""
    kept = Journal(find_folder(folder, system=system))
    blocks = select(kept.read(month), tags=tags, system=system)
    return _print(kept, blocks[-last:] if last else blocks, output)


@journal.command("search")
@click.argument("words", nargs=-1, required=True)
@_folder_option
@output_option
def search(*, words: Sequence[str], folder: Path | None, output: str) -> int:
    """Show what contains all of WORDS, in upper or lower case."""
    kept = Journal(find_folder(folder))
    return _print(kept, select(kept.read(), words=words), output)


def _print(kept: Journal, blocks: Sequence[Block], output: str) -> int:
    """Print entries as they stand in their file: Markdown that was made for a terminal, too."""
    from rookery.run.answers import to_json

    if output == "json":
        click.echo(to_json([_data(block) for block in blocks]))
    elif blocks:
        click.echo("\n\n".join(_bold_heading(block.text) for block in blocks))
    else:
        click.echo(f"nothing in {kept.folder}", err=True)
    return ExitCode.DONE


def _data(block: Block) -> dict[str, Any]:
    """Return what a script reads of an entry; of what is none, its text."""
    entry = block.entry
    if entry is None:
        return {"text": block.text, "entry": False}
    return {
        "entry": True,
        "at": entry.at.isoformat(),
        "title": entry.title,
        "system": entry.system,
        "spec": entry.spec,
        "tags": entry.tags,
        "did": entry.did,
        "seconds": entry.took,
        "exitCode": entry.exit_code,
        "result": entry.result,
        "report": entry.report,
        "text": entry.text,
    }


def _bold_heading(text: str) -> str:
    first, *rest = text.split("\n")
    return "\n".join([click.style(first, bold=True) if first.startswith("#") else first, *rest])


def _read_input() -> str:
    """Return standard input as UTF-8, whatever the locale is; what is none of it is marked."""
    return sys.stdin.buffer.read().decode("utf-8", errors="replace")


def _person() -> str:
    """Return the login name of the one who writes, under sudo of the one who called it."""
    with contextlib.suppress(KeyError, ValueError):
        return pwd.getpwuid(int(os.environ.get("SUDO_UID", os.getuid()))).pw_name
    return str(os.getuid())
