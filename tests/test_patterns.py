"""The library of patterns: each is a complete spec, and survives what it says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.checks import Severity, check_design, render_patterns_document
from rookery.design.model import DaemonKind, Design, Role
from rookery.design.survival import survival
from rookery.spec.load import load_pattern, pattern_names

ROOT = Path(__file__).parent.parent


def design(name: str) -> Design:
    return build_design(load_pattern(name, settings=SETTINGS), placers=PLACERS)


def test_the_library() -> None:
    assert pattern_names() == (
        "compact",
        "database",
        "file-heavy",
        "ha-control-plane",
        "hyperconverged",
        "object-heavy",
        "production-minimum",
    )


@pytest.mark.parametrize("name", pattern_names())
def test_every_pattern_designs_without_errors(name: str) -> None:
    spec = load_pattern(name, settings=SETTINGS)
    assert spec.name == name
    assert [
        str(finding) for finding in check_design(design(name)) if finding.severity is Severity.ERROR
    ] == []


@pytest.mark.parametrize("name", pattern_names())
def test_every_description_says_use_trade_off_and_what_it_survives(name: str) -> None:
    text = load_pattern(name, settings=SETTINGS).description
    assert text.startswith(("Use it for ", "Use it where "))
    assert "It trades " in text or "It gives up " in text
    assert "It survives " in text or "it survives " in text


def test_production_minimum_is_the_drawing() -> None:
    found = design("production-minimum")
    assert [(host.name, host.cpus, host.memory, host.disk) for host in found.servers] == [
        (name, 2, 4 * 1024**3, 20 * 1000**3)
        for name in ("cp-1", "worker-a", "worker-b", "storage-k", "storage-l", "storage-m", "storage-n")
    ]
    for host in found.with_role(Role.STORAGE):
        assert [(drive.size, drive.device_class) for drive in host.drives] == [(20 * 1000**3, "ssd")] * 2
    assert found.file_system is not None
    assert found.object_store is not None
    placed = [(host, instance.name) for app in found.apps for host, instance in app.placements]
    components = (
        *("backup-agent", "catalogue-api", "cdn-edge"),
        *("database-postgres", "streaming-channel", "streaming-origin"),
    )
    assert sorted(placed) == [
        ("cp-1", "database-etcd"),
        *((worker, name) for worker in ("worker-a", "worker-b") for name in components),
    ]


def test_production_minimum_warns_of_its_small_machines_and_where_its_backups_lie() -> None:
    found = [(str(f.severity), f.code, f.path) for f in check_design(design("production-minimum"))]
    assert found == [
        ("warning", "RK001", "backup.copies"),
        ("warning", "RK502", "hosts.storage.memory"),
        ("warning", "RK503", "hosts.storage.cpus"),
        ("info", "RK111", "hosts.controlPlane.count"),
        ("info", "RK401", "hosts.storage.drives"),
        ("info", "RK704", "network.encryption"),
    ]


# What the descriptions claim, as (data, service, heals) for the loss of a drive and of a storage node.
CLAIMS = {
    "compact": ((True, True, True), (True, True, False)),
    "database": ((True, True, True), (True, True, True)),
    "file-heavy": ((True, True, True), (True, True, True)),
    "ha-control-plane": ((True, True, True), (True, True, True)),
    "hyperconverged": ((True, True, True), (True, True, True)),
    "object-heavy": ((True, True, True), (True, True, False)),
    "production-minimum": ((True, True, True), (True, True, True)),
}


@pytest.mark.parametrize("name", pattern_names())
def test_every_pattern_survives_what_it_claims(name: str) -> None:
    found = {said.subject: (said.data, said.service, said.heals) for said in survival(design(name))}
    assert (found["any one drive"], found["any one storage node"]) == CLAIMS[name]
    assert found["any two storage nodes at once"][:2] == (True, False)
    assert found.get("any one worker", (True, True))[:2] == (True, True)
    assert found.get("any one control plane", (True, True))[:2] == (True, True)


def test_each_pattern_is_tuned_for_its_use() -> None:
    base = design("production-minimum")
    assert len(design("ha-control-plane").with_role(Role.CONTROL_PLANE)) == 3
    assert {host.roles for host in design("compact").servers} == {
        (Role.CONTROL_PLANE, Role.WORKER, Role.STORAGE)
    }
    assert len(design("compact").servers) == 3
    assert {host.name for host in design("hyperconverged").with_role(Role.WORKER)} == {
        f"storage-{letter}" for letter in "klmn"
    }
    for name, kind in (("object-heavy", DaemonKind.RGW), ("file-heavy", DaemonKind.MDS)):
        assert len(design(name).with_daemon(kind)) > len(base.with_daemon(kind))
    data = {pool.name: pool for pool in design("object-heavy").pools}["default.rgw.buckets.data"]
    assert data.erasure_code is not None
    assert (data.erasure_code.k, data.erasure_code.m) == (2, 2)
    database = design("database")
    assert database.network.encryption
    assert database.file_system is None
    assert {drive.device_class for host in database.hosts for drive in host.drives} == {"nvme"}


def test_the_document_is_current() -> None:
    text = render_patterns_document((name, design(name)) for name in pattern_names())
    assert (ROOT / "docs/patterns.md").read_text() == text, "write render_patterns_document() to it"


def test_the_document_compares_them_before_it_tells_of_each() -> None:
    text = (ROOT / "docs/patterns.md").read_text().partition("\n## ")[0]
    rows = re.findall(
        r"^\| \[(.+)\]\(#\1\) \| (\d+) \| (Use it .+\.) \| service (.+) \|$", text, re.MULTILINE
    )
    assert {row[0]: (int(row[1]), row[3]) for row in rows} == {
        "compact": (3, "goes on, heals when the node is back"),
        "database": (10, "goes on, heals"),
        "file-heavy": (7, "goes on, heals"),
        "ha-control-plane": (9, "goes on, heals"),
        "hyperconverged": (5, "goes on, heals"),
        "object-heavy": (7, "goes on, heals when the node is back"),
        "production-minimum": (7, "goes on, heals"),
    }
