"""Options and helpers that several commands share."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from rookery.errors import RookeryError

Command = TypeVar("Command", bound=Callable[..., Any])


def output_option(command: Command) -> Command:
    """Add `--output text|json`."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(["text", "json"]),
        default="text",
        help="What standard output holds: tables for people, or JSON for a script.",
    )(command)


def complete_spec(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete a spec's path or a pattern's name."""
    from rookery.spec.load import pattern_names

    names = [CompletionItem(name) for name in pattern_names() if name.startswith(typed)]
    return [*names, CompletionItem(typed, type="file")]


def complete_running(
    _context: click.Context, _parameter: click.Parameter, typed: str
) -> list[CompletionItem]:
    """Complete the name of a system that runs here."""
    from rookery.run.workspace import running_names

    return [CompletionItem(name) for name in running_names() if name.startswith(typed)]


system_option = click.option(
    "--system", default=None, shell_complete=complete_running, help="Which, where several run."
)


def complete_host(_context: click.Context, _parameter: click.Parameter, typed: str) -> list[CompletionItem]:
    """Complete the name of a host of the systems that run here."""
    from rookery.run.workspace import open_running, running_names

    hosts: list[str] = []
    for name in running_names():
        with contextlib.suppress(RookeryError):
            hosts += [host.name for host in open_running(name).design.hosts]
    return [CompletionItem(name) for name in dict.fromkeys(hosts) if name.startswith(typed)]


def terminal_width() -> int | None:
    """Return COLUMNS where it is set: piped output keeps the width that was asked for."""
    columns = os.environ.get("COLUMNS", "")
    return int(columns) if columns.isdigit() else None


def split_command(words: Sequence[str]) -> tuple[str, ...]:
    """Return a command's words without the `--` before them."""
    return tuple(words[1:] if words and words[0] == "--" else words)
