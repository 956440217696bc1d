"""Machines that cannot run a lab are told so, and what to do."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rookery.drivers import network
from rookery.errors import ExitCode, NotPossibleError
from rookery.run import preflight


def test_without_root_the_hint_is_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(NotPossibleError) as caught:
        preflight.require_lab_machine()
    assert caught.value.exit_code is ExitCode.NOT_POSSIBLE
    assert "sudo ./rookery" in str(caught.value)


def test_missing_commands_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "runc" else f"/usr/bin/{name}")
    with pytest.raises(NotPossibleError) as caught:
        preflight.require_lab_machine()
    assert str(caught.value) == "this machine lacks runc\n  On Debian and Ubuntu: `apt-get install runc`."


def test_cgroups_without_a_controller_are_refused(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset io pids\n")
    monkeypatch.setattr(preflight, "CGROUP_ROOT", tmp_path)
    with pytest.raises(NotPossibleError, match=r"cgroup v2 here has no cpu and memory controller"):
        preflight._require_cgroups()


def test_cgroups_v2_with_both_controllers_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpuset cpu io memory pids\n")
    monkeypatch.setattr(preflight, "CGROUP_ROOT", tmp_path)
    preflight._require_cgroups()


@pytest.mark.parametrize(
    ("rules", "refused"),
    [
        ("-P FORWARD DROP", True),
        ("-P FORWARD DROP\n-A FORWARD -i rk+ -o rk+ -j ACCEPT", False),
        ("-P FORWARD ACCEPT", False),
    ],
)
def test_a_filter_that_drops_bridged_traffic_is_refused(
    monkeypatch: pytest.MonkeyPatch, rules: str, refused: bool
) -> None:
    monkeypatch.setattr(network, "bridged_traffic_is_filtered", lambda: True)
    monkeypatch.setattr(shutil, "which", lambda name: f"/usr/sbin/{name}")
    monkeypatch.setattr(preflight, "run", lambda _argv: rules)
    if refused:
        with pytest.raises(NotPossibleError, match="iptables -I FORWARD"):
            preflight._require_open_bridges()
    else:
        preflight._require_open_bridges()
