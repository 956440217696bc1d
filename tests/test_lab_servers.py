"""Servers of a lab on Kubernetes: what runc is told of them, and of pods where limits cannot be raised."""

from __future__ import annotations

import json
import os
import runpy
import sys
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from rookery.apps.ground.names import BLOCK_CLASS, FILE_CLASS
from rookery.drivers.containers.machine_server import capabilities, machine_config
from rookery.drivers.containers.runc import Container
from rookery.drivers.machine.loop import BlockDevice
from rookery.projections.kubernetes import build_stages
from rookery.projections.kubernetes.volumes import volume_classes
from tests.kit.designs import design

_RUNTIME = files("rookery.systems.lab.nodes") / "guest" / "runtime"
_LAB: dict[str, Any] = {"platform": "kubernetes", "kubernetes": {"monitoring": False}}


def config() -> dict[str, Any]:
    server = Container(
        id="lab.storage-k",
        hostname="storage-k",
        root=Path("/root"),
        namespace="rookery.lab.storage-k",
        argv=("/sbin/init",),
        cgroup="/rookery/lab/storage-k",
        memory=4 << 30,
        cpus=2,
        binds=(("/var/lib/kubelet", "/somewhere"),),
        fuse=True,
        shared=(("/srv/mirror", "/mirror"),),
    )
    return machine_config(server, [BlockDevice(path="/dev/loop6", number=os.makedev(7, 6))])


def test_a_server_has_groups_of_its_own_and_leaves_the_machines_kernel_alone() -> None:
    linux = config()["linux"]
    assert {"type": "cgroup"} in linux["namespaces"]
    assert {"/proc/sys/vm", "/proc/sys/kernel", "/proc/sys/fs"} <= set(linux["readonlyPaths"])
    # Its network's parameters are its own.
    assert "/proc/sys" not in linux["readonlyPaths"]
    assert linux["resources"]["memory"] == {"limit": 4 << 30}
    assert linux["cgroupsPath"] == "/rookery/lab/storage-k"


def test_a_server_sees_its_own_drives_and_no_kernel_log() -> None:
    nodes = {
        node["path"]: (node["type"], node["major"], node["minor"]) for node in config()["linux"]["devices"]
    }
    assert nodes["/dev/loop6"] == ("b", 7, 6)
    assert nodes["/dev/kmsg"] == ("c", 1, 3)
    assert [path for path, (kind, _, _) in nodes.items() if kind == "b"] == ["/dev/loop6"]


def test_what_containers_stand_on_may_raise_their_rights_and_the_mirror_is_read_only() -> None:
    mounts = {mount["destination"]: mount for mount in config()["mounts"]}
    assert mounts["/var/lib/kubelet"]["options"] == ["bind", "rw"]
    assert mounts["/srv/mirror"]["options"] == ["bind", "ro"]
    assert mounts["/sys/fs/cgroup"]["type"] == "cgroup"
    assert "ro" not in mounts["/sys"]["options"]


def test_a_server_has_all_that_this_machine_can_give() -> None:
    granted = config()["process"]["capabilities"]
    assert set(granted["bounding"]) == {f"CAP_{name}" for name in capabilities()}
    assert granted["bounding"] == granted["permitted"] == granted["effective"]


def run_runtime(monkeypatch: pytest.MonkeyPatch, *words: str) -> list[str]:
    """Run the wrapper around runc up to runc itself, and return what that would be told."""
    told: list[str] = []

    def execv(_program: str, argv: list[str]) -> None:
        told.extend(argv)

    monkeypatch.setattr(os, "execv", execv)
    monkeypatch.setattr(sys, "argv", ["runtime", *words])
    runpy.run_path(str(_RUNTIME))
    return told


@pytest.mark.parametrize("form", [("--bundle", "{}"), ("--bundle={}",), ("-b", "{}")])
def test_what_would_fail_is_left_out_of_a_container(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, form: tuple[str, ...]
) -> None:
    process = {
        "args": ["sleep"],
        "oomScoreAdj": -998,
        "rlimits": [{"type": "RLIMIT_NOFILE", "hard": 1, "soft": 1}],
        "capabilities": {"bounding": ["CAP_CHOWN", "CAP_SYS_RESOURCE"]},
    }
    resources = {"hugepageLimits": [], "memory": {"limit": 1}}
    bundle = tmp_path / "config.json"
    bundle.write_text(json.dumps({"process": process, "linux": {"resources": resources}}))
    words = ("--root", "/run/x", "create", *(word.format(tmp_path) for word in form), "abc")
    assert run_runtime(monkeypatch, *words) == ["/usr/sbin/runc", *words]
    assert json.loads(bundle.read_text()) == {
        "process": {"args": ["sleep"], "capabilities": {"bounding": ["CAP_CHOWN"]}},
        "linux": {"resources": {"memory": {"limit": 1}}},
    }


def test_of_what_is_executed_too_and_nothing_else_is_changed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    process = tmp_path / "process.json"
    process.write_text(json.dumps({"args": ["ls"], "oomScoreAdj": 500, "rlimits": []}))
    run_runtime(monkeypatch, "exec", "--process", str(process), "abc")
    assert json.loads(process.read_text()) == {"args": ["ls"], "oomScoreAdj": 500}
    assert run_runtime(monkeypatch, "state", "abc") == ["/usr/sbin/runc", "state", "abc"]


@pytest.mark.parametrize(
    ("apps", "classes"),
    [
        ({"cdn": {}}, frozenset()),
        ({"cdn": {}, "streaming": {}}, frozenset({FILE_CLASS})),
        ({"cdn": {}, "streaming": {}, "database": {}}, frozenset({BLOCK_CLASS, FILE_CLASS})),
    ],
)
def test_which_volumes_are_asked_for_follows_from_the_applications(
    apps: dict[str, Any], classes: frozenset[str]
) -> None:
    asked = volume_classes(build_stages(design({**_LAB, "apps": apps})))
    assert asked & {BLOCK_CLASS, FILE_CLASS} == classes


def test_monitoring_asks_for_block_volumes() -> None:
    made = design({"platform": "kubernetes", "apps": {"cdn": {}}})
    assert BLOCK_CLASS in volume_classes(build_stages(made))
