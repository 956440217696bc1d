"""docs/commands.md says what the program's own help says, and is current; examples in it are commands."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest

from rookery.cli.main import cli
from rookery.cli.reference import render_commands
from rookery.errors import ExitCode

PAGE = Path(__file__).parent.parent / "docs" / "commands.md"
TEXT = render_commands(cli)


def test_the_page_is_current() -> None:
    assert PAGE.read_text() == TEXT, "write render_commands() to it (HACKING.md)"


def paths(group: click.Group = cli, prefix: str = "") -> list[str]:
    """Return every command's path, such as `load start`."""
    found = []
    for name, command in group.commands.items():
        found.append(f"{prefix}{name}")
        if isinstance(command, click.Group):
            found += paths(command, f"{prefix}{name} ")
    return found


def test_every_command_has_a_row_that_leads_to_its_section() -> None:
    rows = re.findall(r"^\| \[`([a-z ]+)`\]\(#([a-z-]+)\) \| (.*) \|$", TEXT, re.MULTILINE)
    expected = [(path, path.replace(" ", "-")) for path in paths()]
    assert sorted(expected) == sorted((path, anchor) for path, anchor, _ in rows)
    assert all(says.endswith(".") for _, _, says in rows)
    assert set(paths()) <= set(re.findall(r"^## (.*)$", TEXT, re.MULTILINE))


@pytest.mark.parametrize(
    "row",
    [
        "| `-v, --verbose` | Show where in the program an error came from. |",
        "| `--currency [EUR\\|USD]` | The provider's own by default. |",
        "| `--for TIME` | 90min, 8h, 3d, 1month. [default: 8h] |",
        "| `-o, --output DIR` | The folder that gets the files; it may hold others. [required] |",
    ],
)
def test_an_option_has_a_row_with_its_default(row: str) -> None:
    assert f"\n{row}\n" in TEXT


def test_a_section_has_usage_text_and_examples() -> None:
    section = TEXT.partition("\n## shell\n")[2].partition("\n## ")[0]
    assert "```text\n./rookery shell [OPTIONS] HOST [COMMAND]...\n```" in section
    assert "```text\nrookery shell storage-k\nrookery shell cp-1 -- ceph -s\n```" in section


def test_every_exit_code_is_explained() -> None:
    rows = re.findall(r"^\| (\d) \| .+ \|$", TEXT, re.MULTILINE)
    assert [int(code) for code in rows] == [code.value for code in ExitCode]


def test_every_example_names_a_command_and_its_options() -> None:
    known = set(paths())
    examples = re.findall(r"^(?:[A-Z_]+=\S+ )?rookery (.*)$", TEXT, re.MULTILINE)
    assert len(examples) > 40
    for example in examples:
        words = example.split()
        path = next((one for n in (3, 2, 1) if (one := " ".join(words[:n])) in known), None)
        assert path is not None, example
        section = TEXT.partition(f"\n## {path}\n")[2].partition("\n## ")[0]
        ours = example.partition(" -- ")[0]
        for option in re.findall(r"(?<=\s)--[a-z-]+", ours):
            assert option in section, f"{example}: {option}"
