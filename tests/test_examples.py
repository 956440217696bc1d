"""Every example is a spec that designs and checks without errors."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.checks import Severity, check_design
from rookery.spec.load import load_spec, pattern_names

ROOT = Path(__file__).parent.parent
EXAMPLES = sorted((ROOT / "examples").glob("*/demo.yaml"))


def test_there_is_one_for_every_pattern() -> None:
    built_on = {
        line.removeprefix("pattern: ")
        for path in EXAMPLES
        for line in path.read_text().splitlines()
        if line.startswith("pattern: ")
    }
    assert built_on >= set(pattern_names())


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_designs_and_checks_without_errors(path: Path) -> None:
    design = build_design(load_spec(path, settings=SETTINGS), placers=PLACERS)
    assert design.servers
    assert [str(finding) for finding in check_design(design) if finding.severity is Severity.ERROR] == []


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.parent.name)
def test_an_example_is_short_and_says_what_it_shows(path: Path) -> None:
    lines = path.read_text().splitlines()
    assert lines[0].startswith("# ")
    assert len([line for line in lines if line and not line.startswith("#")]) <= 10


def test_their_names_and_networks_differ() -> None:
    designs = [build_design(load_spec(path, settings=SETTINGS), placers=PLACERS) for path in EXAMPLES]
    assert len({design.name for design in designs}) == len(designs)
    assert len({design.network.public for design in designs}) == len(designs)
    assert designs[0].name == "rookery-demo"


def test_what_the_first_example_teaches_is_valid(tmp_path: Path) -> None:
    """The snippet in its header, taken out of the comment, is a spec of its own."""
    header = [line for line in EXAMPLES[0].read_text().splitlines() if line.startswith("#     ")]
    snippet = [line.removeprefix("#     ") for line in header if "rookery " not in line]
    path = tmp_path / "demo.yaml"
    path.write_text("\n".join(["apiVersion: rookery/v1", "pattern: production-minimum", *snippet, ""]))
    spec = load_spec(path, settings=SETTINGS)
    assert (spec.hosts.storage.count, spec.hosts.storage.drives[0].count) == (5, 3)
    assert (spec.storage.object.gateways, spec.network.encryption) == (3, True)
