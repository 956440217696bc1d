"""Findings of specs that tests write as data, and machines to look at them on."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.checks import Finding, check_design
from rookery.design.machine import Machine
from rookery.design.model import Design
from rookery.spec.load import read_pattern
from rookery.spec.parse import parse_spec
from rookery.units import GB, GIB

ROOMY = Machine(
    memory_total=64 * GIB,
    memory_available=60 * GIB,
    cpus=64,
    disk_free=1000 * GB,
    routes=(("0.0.0.0/0", "eth0"), ("192.168.1.0/24", "eth0")),
)
TIGHT = Machine(memory_total=2 * GIB, memory_available=GIB, cpus=2, disk_free=100 * GB)
FULL = Machine(memory_total=64 * GIB, memory_available=60 * GIB, cpus=64, disk_free=GIB // 2)
BUSY = Machine(
    memory_total=64 * GIB,
    memory_available=60 * GIB,
    cpus=64,
    disk_free=1000 * GB,
    routes=(("0.0.0.0/0", "eth0"), ("10.20.0.0/16", "vpn0")),
)


def design(data: dict[str, Any]) -> Design:
    spec = parse_spec(
        yaml.safe_dump({"apiVersion": "rookery/v1", "pattern": "production-minimum", **data}),
        file="demo.yaml",
        settings=SETTINGS,
        read_pattern=lambda name: read_pattern(name, relative_to=Path()),
    )
    return build_design(spec, placers=PLACERS)


def findings(data: dict[str, Any], machine: Machine | None = ROOMY) -> tuple[Finding, ...]:
    """Return what the checks say of a spec; the same spec is looked at once, whichever tests ask."""
    return _findings(json.dumps(data), machine)


@cache
def _findings(data: str, machine: Machine | None) -> tuple[Finding, ...]:
    return check_design(design(json.loads(data)), machine)


def storage(**fields: object) -> dict[str, Any]:
    return {"hosts": {"storage": fields}}


def balanced(provider: str, public: str, balancer: str) -> dict[str, Any]:
    """Return a spec with its public network and its load balancer's address."""
    return {"provider": provider, "network": {"public": public, "balancer": balancer}}
