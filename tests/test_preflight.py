"""Machines that cannot run a lab are told so, and what to do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from rookery.drivers.machine import krbd, network
from rookery.drivers.machine.process import CommandError
from rookery.errors import ExitCode, NotPossibleError
from rookery.run.workspace import open_spec
from rookery.systems.lab import preflight
from rookery.systems.native.preflight import _require_attachment, require_native_lab


def test_without_root_the_hint_is_sudo(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(NotPossibleError) as caught:
        require_native_lab()
    assert caught.value.exit_code is ExitCode.NOT_POSSIBLE
    assert "sudo ./rookery" in str(caught.value)


def test_missing_commands_are_named_with_their_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 0)
    monkeypatch.setattr(shutil, "which", lambda name: None if name == "runc" else f"/usr/bin/{name}")
    with pytest.raises(NotPossibleError) as caught:
        require_native_lab()
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
    assert [path.name for path in tmp_path.iterdir()] == ["cgroup.controllers"]


def test_a_controller_of_v1_that_is_not_mounted_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("cpu", "memory"):
        (tmp_path / name).mkdir()
    (tmp_path / "cpu/cgroup.procs").touch()
    monkeypatch.setattr(preflight, "CGROUP_ROOT", tmp_path)
    with pytest.raises(NotPossibleError) as caught:
        preflight._require_cgroups()
    assert str(caught.value) == (
        "cgroup v1 here has no memory controller, so servers cannot be given their size\n"
        "  In a container, run it privileged with the machine's cgroups; on a machine, enable them."
    )


needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")


def _mounted(words: str, tmp_path: Path, **environment: str) -> tuple[int, str]:
    """Run `rookery up` in a mount namespace of its own, after a command that changes it."""
    done = subprocess.run(
        (
            "unshare",
            "--mount",
            "sh",
            "-ec",
            f'{words}; exec "$@"',
            "sh",
            sys.executable,
            "-m",
            "rookery",
            "up",
        ),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[1] / "src"), **environment},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=120,
        check=False,
    )
    return done.returncode, done.stderr


@needs_root
def test_a_read_only_home_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    words = "mount -t tmpfs -o ro none home"
    assert _mounted(words, tmp_path, ROOKERY_HOME=str(tmp_path / "home")) == (
        3,
        (
            f"error: {tmp_path}/home cannot be written: Read-only file system\n"
            "  Set ROOKERY_HOME to a folder on a disk of this machine that can be written (ext4, xfs).\n"
        ),
    )


@needs_root
def test_a_home_that_is_a_file_or_full_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    code, said = _mounted("true", tmp_path, ROOKERY_HOME=str(tmp_path / "file"))
    assert code == 3
    assert said.startswith(f"error: {tmp_path}/file/")
    assert said.endswith("A file stands where a folder should be: move it, or name another place.\n")
    (tmp_path / "full").mkdir()
    words = "mount -t tmpfs -o size=4k none full; head -c 4096 /dev/zero > full/all"
    code, said = _mounted(words, tmp_path, ROOKERY_HOME=str(tmp_path / "full"))
    assert (code, said.splitlines()) == (
        3,
        [
            f"error: {tmp_path}/full cannot be written: No space left on device",
            (
                "  Free some space there. Set ROOKERY_HOME to a folder on a disk of this machine that can be"
                " written (ext4, xfs)."
            ),
        ],
    )


@needs_root
def test_a_run_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    code, said = _mounted("mount -t tmpfs -o ro none /run", tmp_path, ROOKERY_HOME=str(tmp_path / "home"))
    assert (code, said) == (
        3,
        (
            "error: /run/rookery cannot be written: Read-only file system\n"
            "  Mount a tmpfs at /run that can be written, as systemd does.\n"
        ),
    )


@needs_root
def test_cgroups_that_are_not_there_or_read_only_are_refused(tmp_path: Path) -> None:
    code, said = _mounted("mount -t tmpfs none /sys/fs/cgroup", tmp_path)
    assert (code, said.splitlines()[0]) == (
        3,
        "error: cgroup v1 here has no cpu and memory controller, so servers cannot be given their size",
    )


@needs_root
@pytest.mark.parametrize(
    ("device", "why"),
    [
        ("loop-control", "volumes are attached by loop devices"),
        ("fuse", "volumes are attached by a program, through FUSE"),
    ],
)
def test_a_missing_device_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, device: str, why: str
) -> None:
    monkeypatch.setattr(krbd, "is_available", lambda: False)
    exists = Path.exists
    monkeypatch.setattr(Path, "exists", lambda path: path.name != device and exists(path))
    said = f"there is no /dev/{device}, and {why}: this machine's kernel has no rbd"
    with pytest.raises(NotPossibleError, match=said):
        _require_attachment(open_spec("production-minimum", as_new=True).design)


@needs_root
def test_a_kernel_without_bridges_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    preflight._require_networks()

    def refuse(argv: tuple[str, ...]) -> str:
        if "bridge" in argv:
            raise CommandError(argv, exit_code=2, output="Error: Unknown device type.\n")
        return ""

    monkeypatch.setattr(preflight, "run", refuse)
    with pytest.raises(NotPossibleError) as caught:
        preflight._require_networks()
    assert str(caught.value) == (
        "this machine's kernel makes no bridges, of which a lab's network is made\n"
        "    Error: Unknown device type.\n"
        "  In a container, run it privileged. On a machine, load it: `modprobe bridge`."
    )


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
