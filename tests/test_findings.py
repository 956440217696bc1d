"""The form of the findings: what each says in its head and how it ends. `findings/run` runs them, by hand."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

FINDINGS = Path(__file__).parent.parent / "findings"
SCRIPTS = sorted(FINDINGS.glob("*.sh"))
_KEYS = ("Versions", "Seen", "Expected", "Output", "Means")


def _head(script: Path) -> list[str]:
    """Return the comment that a script begins with, without its marks."""
    lines = script.read_text().splitlines()[1:]
    end = next(number for number, line in enumerate(lines) if not line.startswith("#"))
    return [line.removeprefix("#").removeprefix(" ") for line in lines[:end]]


def test_there_are_as_many_as_promised() -> None:
    assert len(SCRIPTS) >= 12


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_finding_says_what_it_is_about(script: Path) -> None:
    head = _head(script)
    keys = [line.split(":")[0] for line in head if re.match(r"[A-Z][a-z]+:", line)]
    assert (len(head[0]) > 30, head[1], tuple(keys)) == (True, "", _KEYS)
    versions = "\n".join(head).split("Seen:")[0]
    assert re.search(r"\d+\.\d+", versions), "a finding is about a version"


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda script: script.stem)
def test_a_finding_can_be_run_and_ends_with_a_verdict(script: Path) -> None:
    text = script.read_text()
    parsed = subprocess.run(["bash", "-n", str(script)], capture_output=True, text=True, check=False)
    ends = text.rstrip().removesuffix("INSIDE").rstrip().endswith("\nverdict")
    assert (os.access(script, os.X_OK), parsed.returncode, parsed.stderr, ends) == (True, 0, "", True)
    assert re.search(r"^ *expect", text, re.MULTILINE), "it looks at what it states"


def test_the_table_has_every_finding_once() -> None:
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|", (FINDINGS / "README.md").read_text(), re.MULTILINE)
    assert rows == [script.stem for script in SCRIPTS]


def test_what_a_finding_installs_is_pinned() -> None:
    loose = [
        f"{script.name}: {word}"
        for script in SCRIPTS
        for line in script.read_text().splitlines()
        if (found := re.match(r"(pypi|pure_python|npm_package) (.*)", line))
        for word in found[2].split()
        if not re.fullmatch(r"[\w.\[\]-]+(==|@)[\w.]+", word)
    ]
    assert loose == []
