"""The JSON Schema that editors use says the same as the parser."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest
import yaml

from rookery.apps.table import SETTINGS
from rookery.spec.load import pattern_names, read_pattern
from rookery.spec.schema import build_schema

SCHEMA = build_schema(SETTINGS)
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def test_it_is_a_valid_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["required"] == ["apiVersion"]


@pytest.mark.parametrize("name", pattern_names())
def test_every_pattern_fits_it(name: str) -> None:
    _, text = read_pattern(name, relative_to=Path())
    assert list(VALIDATOR.iter_errors(yaml.safe_load(text))) == []


@pytest.mark.parametrize(
    "body",
    [
        {"hosts": {"storage": {"dirves": []}}},
        {"hosts": {"control_plane": {"count": 3}}},
        {"storage": {"mons": 0}},
        {"provider": "azure"},
        {"apps": {"blog": {}}},
        {"pattern": 3},
    ],
)
def test_what_the_parser_refuses_does_not_fit(body: dict[str, object]) -> None:
    assert list(VALIDATOR.iter_errors({"apiVersion": "rookery/v1", **body})) != []


def test_every_field_is_described() -> None:
    undescribed = [
        f"{kind}.{name}"
        for kind, model in SCHEMA["$defs"].items()
        for name, field in model.get("properties", {}).items()
        if "description" not in field and "$ref" not in str(field)
    ]
    # Their names say all: on or off, and the two numbers of erasure coding.
    assert sorted(undescribed) == [
        "Block.enabled",
        "ErasureCoding.k",
        "ErasureCoding.m",
        "FileStorage.enabled",
        "ObjectStorage.enabled",
    ]
