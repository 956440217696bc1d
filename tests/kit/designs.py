"""Designs of specs that tests write as data."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.model import Design
from rookery.spec.load import read_pattern
from rookery.spec.parse import parse_spec


def design(data: dict[str, Any]) -> Design:
    spec = parse_spec(
        yaml.safe_dump({"apiVersion": "rookery/v1", **data}),
        file="demo.yaml",
        settings=SETTINGS,
        read_pattern=lambda name: read_pattern(name, relative_to=Path()),
    )
    return build_design(spec, placers=PLACERS)
