"""docs/spec.md and docs/spec.schema.json say what the parser takes, and are current."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from rookery.apps.table import SETTINGS
from rookery.spec.reference import render_reference
from rookery.spec.schema import build_schema

DOCS = Path(__file__).parent.parent / "docs"
SCHEMA = build_schema(SETTINGS)
TEXT = render_reference(SCHEMA)


def test_the_page_is_current() -> None:
    assert (DOCS / "spec.md").read_text() == TEXT, "write render_reference() to it"


def test_the_schema_is_what_the_command_prints() -> None:
    printed = json.dumps(SCHEMA, indent=2) + "\n"
    assert (DOCS / "spec.schema.json").read_text() == printed, "write what `rookery schema` prints to it"


def keys_with_paths() -> list[tuple[str, str]]:
    """Return every key of the schema with the part that has it."""
    parts: dict[str, Any] = {"": SCHEMA, **SCHEMA["$defs"]}
    return [(name, key) for name, part in parts.items() for key in part["properties"]]


@pytest.mark.parametrize(("part", "key"), keys_with_paths())
def test_every_key_has_a_row(part: str, key: str) -> None:
    description = SCHEMA["$defs"][part]["description"] if part else "# The spec"
    section = next(one for one in re.split(r"\n(?=## )", TEXT) if description in one.partition("| key")[0])
    assert f"| `{key}` |" in section


@pytest.mark.parametrize(
    "row",
    [
        "| `apiVersion` | `rookery/v1` | required | Version of this format. |",
        "| `memory` | size, at least 512 MiB | 4 GiB | Memory of each server. |",
        "| `size` | size, at least 5 GB | 20 GB | Size of each; Ceph refuses below 5 GB. |",
        "| `mons` | whole number, 1 to 99 | `3` | Monitors; odd, because they need a majority. |",
        "| `block` | [mapping](#storageblock) | see its keys | RBD: block volumes. |",
        "| `dashboard` | `true` or `false` | `true` | Ceph's own dashboard, over TLS. |",
        "| `edges` | whole number, 1 to 999 | none | Edges, one on each worker by default. |",
    ],
)
def test_a_row_says_kind_limits_default_and_meaning(row: str) -> None:
    assert f"\n{row}\n" in TEXT


@pytest.mark.parametrize(
    "start",
    [
        "| `drives` | [list of mappings](#hostsstoragedrives) | `{count: 2, size: 20GB, class: ssd}` | ",
        "| `also` | list of `worker` or `control-plane` | none | ",
        "| `name` | text like `^[a-z]([a-z0-9-]*[a-z0-9])?$`, at most 32 characters | `rookery-demo` | ",
    ],
)
def test_lists_and_patterns(start: str) -> None:
    assert f"\n{start}" in TEXT


def test_a_part_that_stands_at_several_places_has_one_section_that_names_them() -> None:
    assert TEXT.count("\n## storage.block.pool, storage.file.pool, storage.object.pool\n") == 1


def test_every_link_leads_to_a_section() -> None:
    headings = re.findall(r"^## (.*)$", TEXT, re.MULTILINE)
    anchors = {re.sub(r"[^a-z0-9 -]", "", heading.lower()).replace(" ", "-") for heading in headings}
    assert set(re.findall(r"\(#([^)]*)\)", TEXT)) == anchors
