"""What promises say, in the words that tests compare, and designs to ask for them."""

from __future__ import annotations

from typing import Any

from rookery.design.model import Design
from rookery.design.survival import Survives
from tests.kit.designs import design as build


def design(data: dict[str, Any]) -> Design:
    return build({"pattern": "production-minimum", **data})


def services(said: Survives) -> dict[str, bool]:
    return {service.name: service.goes_on for service in said.services}


def stopped(said: Survives) -> list[str]:
    return [service.name for service in said.services if not service.goes_on]


def mended(said: Survives) -> dict[str, tuple[int, int, int]]:
    """Return what is left now, what becomes of it, and how many there were."""
    return {one.what: (one.now, one.after, one.of) for one in said.mendings}
