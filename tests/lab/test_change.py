"""A running lab becomes what a changed spec says: drives, servers, gateways and instances, in place."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.lab.conftest import Lab, bring_up, rookery, write_spec

NAME = "test-change"
BEFORE = "pattern: production-minimum\napps: {cdn: {edges: 1}}\n"
MORE_DRIVES = "pattern: production-minimum\nhosts: {storage: {drives: [{count: 3}]}}\n"
MORE_SERVERS = (
    "pattern: production-minimum\n"
    "hosts: {storage: {count: 5, drives: [{count: 3}]}, workers: {count: 3}}\n"
    "storage: {object: {gateways: 3}}\n"
)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    yield from bring_up(tmp_path_factory.mktemp("lab"), NAME, BEFORE)


def up(folder: Path, text: str) -> None:
    done = rookery("up", str(write_spec(folder, NAME, text)), "--output", "json")
    assert done.code == 0, done.trouble


def osd_tree() -> dict[str, list[int]]:
    """Return the numbers of the OSDs that are up, by host."""
    done = rookery("shell", "--system", NAME, "cp-1", "ceph", "osd", "tree", "--format", "json")
    nodes = {node["id"]: node for node in json.loads(done.out)["nodes"]}
    hosts = (node for node in nodes.values() if node["type"] == "host")
    return {
        host["name"]: sorted(child for child in host["children"] if nodes[child]["status"] == "up")
        for host in hosts
    }


def test_a_drive_on_each_node_and_another_edge(lab: Lab, tmp_path: Path) -> None:
    up(tmp_path, MORE_DRIVES)
    assert osd_tree() == {
        "storage-k": [0, 1, 8],
        "storage-l": [2, 3, 9],
        "storage-m": [4, 5, 10],
        "storage-n": [6, 7, 11],
    }


def test_more_servers_and_a_gateway(lab: Lab, tmp_path: Path) -> None:
    up(tmp_path, MORE_SERVERS)
    assert osd_tree()["storage-o"] == [12, 13, 14]


def test_nothing_is_left_to_do(lab: Lab, tmp_path: Path) -> None:
    spec = write_spec(tmp_path, NAME, MORE_SERVERS)
    left = rookery("plan", str(spec), "--output", "json").data["steps"]
    assert not [step for step in left if step["id"].startswith(("server:", "network", "osds", "pools"))]


def test_what_cannot_be_is_refused_with_its_reason_and_nothing_is_touched(lab: Lab, tmp_path: Path) -> None:
    before = osd_tree()
    done = rookery("up", str(write_spec(tmp_path, NAME, BEFORE)))
    assert done.code == 3
    assert "storage-o: goes: what it holds would have to move away first" in " ".join(done.err.split())
    assert osd_tree() == before
