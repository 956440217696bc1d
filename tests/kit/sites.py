"""Designs with a site, for tests."""

from __future__ import annotations

from dataclasses import replace

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.model import AppDesign, Design
from rookery.spec.model import AppSettings
from rookery.spec.parse import parse_spec


def no_pattern(name: str) -> tuple[str, str]:
    raise AssertionError(f"no spec here builds on a pattern, not on {name} either")


def make(text: str = "") -> Design:
    spec = f"apiVersion: rookery/v1\napps: {{cdn: {{}}}}\n{text}"
    return build_design(
        parse_spec(spec, file="x", settings=SETTINGS, read_pattern=no_pattern), placers=PLACERS
    )


class ChannelSettings(AppSettings):
    """Settings with the one attribute that the page asks for."""

    channel: bool = True


def with_media(design: Design, *, channel: bool = True, catalogue: bool = True) -> Design:
    """Return the design with the applications that the page for watching is about."""
    names = ("streaming", "catalogue") if catalogue else ("streaming",)
    settings = ChannelSettings(channel=channel)
    added = (AppDesign(name=name, settings=settings, placements=()) for name in names)
    return replace(design, apps=(*design.apps, *added))
