"""Designs of specs that tests write as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.model import Design
from rookery.spec.load import load_pattern, read_pattern
from rookery.spec.parse import parse_spec


def design(data: dict[str, Any]) -> Design:
    spec = parse_spec(
        yaml.safe_dump({"apiVersion": "rookery/v1", **data}),
        file="demo.yaml",
        settings=SETTINGS,
        read_pattern=lambda name: read_pattern(name, relative_to=Path()),
    )
    return build_design(spec, placers=PLACERS)


def design_of(name: str) -> Design:
    return build_design(load_pattern(name, settings=SETTINGS), placers=PLACERS)


def designed(text: str = "", apps: str = "{database: {}}") -> Design:
    source = f"apiVersion: rookery/v1\napps: {apps}\n{text}"
    spec = parse_spec(source, file="x", settings=SETTINGS, read_pattern=lambda name: (name, ""))
    return build_design(spec, placers=PLACERS)
