"""A running lab becomes what a changed spec says: drives, servers, gateways and instances, in place.

It is the default lab, which grows when all others are done with it (`tests/lab/conftest.py`).
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.kit.lab_table import DEFAULT
from tests.kit.labs import Lab, rookery, write_spec

# It makes another lab of it.
pytestmark = pytest.mark.on("default", alters=True)
BEFORE = DEFAULT
MORE_DRIVES = "pattern: production-minimum\nhosts: {storage: {drives: [{count: 3}]}}\n"
# An edge on each worker, when nothing else is said.
ANOTHER_EDGE = (
    "pattern: production-minimum\n"
    "hosts: {storage: {count: 5, drives: [{count: 3}]}, workers: {count: 3}}\n"
    "storage: {object: {gateways: 3}}\n"
)
MORE_SERVERS = f"{ANOTHER_EDGE}apps: {{cdn: {{edges: 2}}}}\n"


def up(lab: Lab, folder: Path, text: str) -> None:
    done = rookery("up", str(write_spec(folder, lab.name, text)), "--output", "json")
    assert done.code == 0, done.trouble


def osd_tree(lab: Lab) -> dict[str, list[int]]:
    """Return the numbers of the OSDs that are up, by host."""
    done = rookery("shell", "--system", lab.name, "cp-1", "ceph", "osd", "tree", "--format", "json")
    nodes = {node["id"]: node for node in json.loads(done.out)["nodes"]}
    hosts = (node for node in nodes.values() if node["type"] == "host")
    return {
        host["name"]: sorted(child for child in host["children"] if nodes[child]["status"] == "up")
        for host in hosts
    }


def test_a_drive_on_each_node(lab: Lab, tmp_path: Path) -> None:
    up(lab, tmp_path, MORE_DRIVES)
    assert osd_tree(lab) == {
        "storage-k": [0, 1, 8],
        "storage-l": [2, 3, 9],
        "storage-m": [4, 5, 10],
        "storage-n": [6, 7, 11],
    }


def test_more_servers_and_a_gateway(lab: Lab, tmp_path: Path) -> None:
    up(lab, tmp_path, MORE_SERVERS)
    assert osd_tree(lab)["storage-o"] == [12, 13, 14]


def test_another_edge_on_a_server_that_runs(lab: Lab, tmp_path: Path) -> None:
    up(lab, tmp_path, ANOTHER_EDGE)
    argv = ("shell", "--system", lab.name, "worker-c", "supervisorctl", "status", "cdn-edge")
    assert "RUNNING" in rookery(*argv).out


def test_nothing_is_left_to_do(lab: Lab, tmp_path: Path) -> None:
    spec = write_spec(tmp_path, lab.name, ANOTHER_EDGE)
    left = rookery("plan", str(spec), "--output", "json").data["steps"]
    assert not [step for step in left if step["id"].startswith(("server:", "network", "osds", "pools"))]


def test_what_cannot_be_is_refused_with_its_reason_and_nothing_is_touched(lab: Lab, tmp_path: Path) -> None:
    before = osd_tree(lab)
    done = rookery("up", str(write_spec(tmp_path, lab.name, BEFORE)))
    assert done.code == 3
    assert "storage-o: goes: what it holds would have to move away first" in " ".join(done.err.split())
    assert osd_tree(lab) == before
