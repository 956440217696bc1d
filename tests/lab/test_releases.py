"""The release of Ceph before the default one in a whole lab: every check passes there too."""

from __future__ import annotations

from pathlib import Path

import pytest

from rookery.releases import RELEASES
from rookery.run.workspace import open_running, open_spec
from rookery.systems.native.system import NativeSystem
from tests.kit.labs import Lab, rookery

pytestmark = pytest.mark.on("former")


def test_every_check_passes_with_the_former_release(lab: Lab) -> None:
    checks = lab.arrival["verify"]["checks"]
    assert {check["name"]: check["outcome"] for check in checks if check["outcome"] != "pass"} == {}
    assert len(checks) >= 15


def test_status_says_which_ceph_runs(lab: Lab) -> None:
    done = rookery("status", lab.name, "--output", "json")
    assert done.code == 0, done.err
    (version,) = done.data["ceph"]
    assert version.startswith(f"{RELEASES['18'].line}.")
    line = f"HEALTH_OK, {done.data['health'].partition(', ')[2]}, Ceph {version}"
    assert line in rookery("status", lab.name).out


def test_monitors_were_made_for_the_release(lab: Lab) -> None:
    system = NativeSystem(open_running(lab.name).design)
    try:
        told = system.ceph().mon("mon dump")
        assert told["min_mon_release_name"] == RELEASES["18"].code_name
    finally:
        system.close()


def test_a_drill_brings_back_all_that_it_lost(lab: Lab) -> None:
    """By the tools that Debian has beside that release: another Barman, another restic, another librbd."""
    done = rookery("drill", "--system", lab.name, "--yes", "--no-journal", "--output", "json")
    assert done.code == 0, done.err + done.out
    verdicts = {one["kind"]: one["verdict"] for one in done.data["drill"]["kinds"]}
    assert verdicts == dict.fromkeys(("database", "objects", "files", "block"), "same")


def test_a_spec_that_names_none_keeps_the_release_that_runs(lab: Lab, tmp_path: Path) -> None:
    spec = tmp_path / "demo.yaml"
    spec.write_text(lab.spec.read_text(encoding="utf-8").replace('ceph: "18"', ""), encoding="utf-8")
    assert open_spec(str(spec)).design.ceph == "18"
