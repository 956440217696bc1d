"""Trees of designs with backups, for tests: which, and what is in them."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from typing import Any

import pytest

from rookery.design.model import Design
from rookery.manifest import Item, Manifest
from rookery.projections.kubernetes import build_stages
from rookery.projections.kubernetes.recovery import recovery_items
from tests.kit.cluster_designs import design
from tests.kit.kubernetes_objects import (
    objects_of,
    selects,
)

RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"
COPY = {"name": "away", "endpoint": "https://s3.example.org:9000", "bucket": "rookery-away"}
SPECS: dict[str, dict[str, Any]] = {
    "plain": {},
    "all": {
        "schedules": {"sets": "2h", "base": "12h"},
        "retention": {"sets": "36h", "least": 3},
        "lock": None,
        "copies": [COPY],
        "encryption": {"recipients": [RECIPIENT]},
    },
}
every_spec = pytest.mark.parametrize("name", SPECS)
every_case = pytest.mark.parametrize(
    ("name", "pattern", "provider"),
    [
        ("plain", "production-minimum", "hetzner"),
        ("all", "production-minimum", "existing"),
        ("all", "production-minimum", "lab"),
        ("all", "hyperconverged", "hetzner"),
        ("plain", "compact", "lab"),
        ("plain", "object-heavy", "existing"),
    ],
)


@cache
def of(name: str, pattern: str = "production-minimum", provider: str = "hetzner") -> Design:
    return design(backup=SPECS[name], pattern=pattern, provider=provider)


def items(of_design: Design) -> list[Item]:
    return [item for stage in build_stages(of_design) for item in stage.items]


def tree_objects(of_design: Design) -> list[Manifest]:
    return objects_of(tuple(items(of_design)))


def recovered(of_design: Design) -> dict[str, list[Manifest]]:
    return {item.name: list(item.objects) for _, item in recovery_items(of_design)}


def of_backup(objects: list[Manifest]) -> Iterator[Manifest]:
    labels = {"app.kubernetes.io/name": "backup"}
    yield from (one for one in objects if selects({"matchLabels": labels}, one["metadata"].get("labels", {})))
