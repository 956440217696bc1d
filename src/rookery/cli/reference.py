"""docs/commands.md: every command, read from click.

What a command's own help says is all that the page says of it, so the page is never ahead of the program nor
behind it.
"""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator

import click

from rookery.errors import ExitCode

_HEAD = """\
# Commands

`./rookery COMMAND --help` says the same as this page, which is generated from it. A SPEC is a file, a
pattern's name, or left out for the default seven servers; a SYSTEM is the name of one that runs, or its spec,
and may be left out where only one runs. Standard output is the product, standard error the conversation.
"""

_EXITS = {
    ExitCode.DONE: "done",
    ExitCode.FAILED: "failed",
    ExitCode.INPUT_WRONG: "the input is wrong; nothing was changed",
    ExitCode.NOT_POSSIBLE: "not possible on this machine, or for this user",
    ExitCode.VIOLATED: "a check failed, or something is not as it should be",
    ExitCode.NOT_OBSERVED: "nothing failed, but something could not be observed",
}


def render_commands(program: click.Group) -> str:
    """Return the text of docs/commands.md from the program's own command line."""
    commands = list(_walk(program, click.Context(program, info_name="rookery")))
    overview = (
        f"| [`{path}`](#{path.replace(' ', '-')}) | {_first_sentence(one)} |" for path, one, _ in commands
    )
    exits = (f"| {code.value} | {meaning} |" for code, meaning in _EXITS.items())
    parts = (
        _HEAD,
        "\n".join(("| command | does |", "|---|---|", *overview)),
        "## Exit codes",
        "\n".join(("| code | means |", "|---:|---|", *exits)),
        "## Options of all commands",
        "They stand before the command: `./rookery -v up`.",
        _options(click.Context(program, info_name="rookery")),
        *(_section(path, one, context) for path, one, context in commands),
    )
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _walk(
    group: click.Group, context: click.Context, prefix: str = ""
) -> Iterator[tuple[str, click.Command, click.Context]]:
    """Yield each command with its path, those of a group after it, in the order of the help."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None, "click lists what it has"
        inner = click.Context(command, info_name=name, parent=context)
        yield f"{prefix}{name}", command, inner
        if isinstance(command, click.Group):
            yield from _walk(command, inner, f"{prefix}{name} ")


def _section(path: str, command: click.Command, context: click.Context) -> str:
    usage = " ".join(("./rookery", path, *command.collect_usage_pieces(context)))
    parts = [f"## {path}", f"```text\n{usage}\n```", *_paragraphs(command), _options(context)]
    return "\n\n".join(part for part in parts if part)


def _paragraphs(command: click.Command) -> Iterator[str]:
    """Yield what a command says of itself; what it keeps from being wrapped (`\\b`) is an example."""
    for paragraph in inspect.cleandoc(command.help or "").split("\n\n"):
        example = paragraph.removeprefix("\b\n")
        yield paragraph if example == paragraph else f"```text\n{example}\n```"


def _first_sentence(command: click.Command) -> str:
    sentence = next(_paragraphs(command)).replace("\n", " ")
    return re.split(r"(?<=\.) ", sentence, maxsplit=1)[0]


def _options(context: click.Context) -> str:
    """Return the table of a command's own options; empty where it has none."""
    own = [one for one in context.command.params if isinstance(one, click.Option)]
    records = [record for one in own if (record := one.get_help_record(context))]
    rows = [f"| `{_cell(left)}` | {_cell(right)} |" for left, right in records]
    return "\n".join(("| option | what it says |", "|---|---|", *rows)) if rows else ""


def _cell(text: str) -> str:
    """Return a text as a cell of a table holds it: Markdown ends cells at bars, in code too."""
    return " ".join(text.split()).replace("|", "\\|")
