"""Whether a running system can become another design."""

from __future__ import annotations

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.change import changed_parts, only_grows, shrunk_volumes
from rookery.design.model import Design
from rookery.spec.parse import parse_spec


def designed(apps: str, rest: str = "") -> Design:
    source = f"apiVersion: rookery/v1\napps: {apps}\n{rest}"
    spec = parse_spec(source, file="x", settings=SETTINGS, read_pattern=lambda name: (name, ""))
    return build_design(spec, placers=PLACERS)


def test_a_volume_may_grow() -> None:
    before, after = designed("{database: {volume: 10GB}}"), designed("{database: {volume: 20GB}}")
    assert only_grows(before, after)
    assert only_grows(before, before)


def test_a_volume_may_not_shrink() -> None:
    before, after = designed("{database: {volume: 20GB}}"), designed("{database: {volume: 10GB}}")
    assert not only_grows(before, after)
    assert shrunk_volumes(before, after) == ("database-worker-a", "database-worker-b")


def test_another_setting_beside_the_size_is_a_change() -> None:
    before = designed("{database: {volume: 10GB}}")
    after = designed("{database: {volume: 20GB, synchronous: false}}")
    assert not only_grows(before, after)


def test_what_differs_is_named_and_a_description_is_no_change() -> None:
    before = designed("{database: {}}", "description: one\n")
    assert only_grows(before, designed("{database: {}}", "description: two\n"))
    after = designed("{database: {}}", "storage: {dashboard: false}\n")
    assert changed_parts(before, after) == ("dashboard", "frontends")
