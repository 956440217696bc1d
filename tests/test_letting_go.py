"""Letting go of the images that a kernel has mapped: who uses them, how long they are waited for, and the
monitors that say a last word."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rookery.drivers.machine import krbd, network
from rookery.systems.lab import last_word, letting_go
from rookery.systems.lab.letting_go import LettingGo, mounts_of, users_of
from rookery.systems.lab.paths import LabPaths

_LINE = "36 35 {number} / {point} rw,relatime shared:1 - xfs /dev/rbd0 rw\n"


def process(proc: Path, pid: int, *, namespace: str, mounts: dict[str, str]) -> None:
    """Lay what /proc says of a process: its mount namespace, and device number by mount point."""
    (proc / str(pid) / "ns").mkdir(parents=True)
    (proc / str(pid) / "ns/mnt").symlink_to(f"mnt:[{namespace}]")
    text = "".join(_LINE.format(number=number, point=point) for point, number in mounts.items())
    (proc / str(pid) / "mountinfo").write_text(text, encoding="utf-8")


def test_a_mount_is_found_once_for_a_namespace(tmp_path: Path) -> None:
    process(tmp_path, 10, namespace="1", mounts={"/": "254:0", "/var/lib/a\\040b": "252:16"})
    process(tmp_path, 11, namespace="1", mounts={"/var/lib/a\\040b": "252:16"})
    process(tmp_path, 12, namespace="2", mounts={"/var/lib/c": "252:32", "/d": "252:48"})
    found = [
        (one.pid, one.number, one.point) for one in mounts_of({"252:16", "252:32"}, (10, 11, 12), tmp_path)
    ]
    # A blank in a name is written as \040 there (proc_pid_mountinfo(5)).
    assert found == [(10, "252:16", "/var/lib/a b"), (12, "252:32", "/var/lib/c")]


def test_a_process_that_ends_while_it_is_looked_at_has_no_mounts(tmp_path: Path) -> None:
    process(tmp_path, 10, namespace="1", mounts={"/a": "252:16"})
    (tmp_path / "10/mountinfo").unlink()
    assert list(mounts_of({"252:16"}, (9, 10), tmp_path)) == []


@pytest.fixture
def held(tmp_path: Path) -> Iterator[tuple[int, int, int]]:
    """A process that holds a file on a device of its own (a tmpfs), one that does not, and the device."""
    script = "import sys, time; file = open(sys.argv[1]); print('open', flush=True); time.sleep(60)"
    other = tmp_path / "file"
    other.write_text("", encoding="utf-8")
    with Path(f"/dev/shm/rookery-test-{os.getpid()}").open("w", encoding="utf-8") as shared:
        files = (shared.name, str(other))
        children = [
            subprocess.Popen((sys.executable, "-c", script, file), stdout=subprocess.PIPE, cwd="/proc")
            for file in files
        ]
        try:
            for child in children:
                assert child.stdout is not None
                assert child.stdout.readline() == b"open\n"
            yield children[0].pid, children[1].pid, os.fstat(shared.fileno()).st_dev
        finally:
            for child in children:
                child.kill()
                child.communicate()
            Path(shared.name).unlink()


def test_who_holds_a_file_on_a_device_uses_it(held: tuple[int, int, int]) -> None:
    holder, other, device = held
    assert users_of({device}, (holder, other)) == (holder,)
    assert users_of(set(), (holder, other)) == ()


class Unmapping:
    """The kernel's part: images that go when they are unmapped, each after some time, or never."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *, seconds: dict[str, float]) -> None:
        self.seconds = seconds
        self.asked: dict[str, list[float]] = {name: [] for name in seconds}
        self.killed: list[str] = []
        monkeypatch.setattr(krbd, "start_unmap", self._start)
        monkeypatch.setattr(krbd, "device_number", lambda mapping: f"252:{mapping.number}")
        monkeypatch.setattr(letting_go, "mounts_of", lambda *_: ())
        monkeypatch.setattr(letting_go, "users_of", lambda *_: ())

    def _start(self, mapping: krbd.Mapping) -> subprocess.Popen[bytes]:
        name = mapping.image.name
        self.asked[name].append(time.monotonic())
        child = subprocess.Popen(("sleep", "60" if self.seconds[name] > 10 else "0"))
        kill = child.kill

        def killed() -> None:
            self.killed.append(name)
            kill()

        child.kill = killed  # type: ignore[method-assign]
        return child

    def left(self) -> tuple[krbd.Mapping, ...]:
        now = time.monotonic()
        return tuple(
            krbd.Mapping(number=number, image=krbd.Image(fsid="f", pool="block", name=name))
            for number, (name, seconds) in enumerate(self.seconds.items())
            if not self.asked[name] or now < self.asked[name][0] + seconds
        )


def test_each_image_that_goes_begins_the_time_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    kernel = Unmapping(monkeypatch, seconds={"a": 0.5, "b": 1.1})
    assert LettingGo(left=kernel.left, pids=tuple).wait(seen.append, limit=0.9)
    assert seen == ["volumes: the kernel is to let go of a, b", "volumes: the kernel is to let go of b"]
    # At the same time, and not one after the other: before the first one is gone.
    assert kernel.asked["b"][0] < kernel.asked["a"][0] + kernel.seconds["a"]


def test_who_never_goes_is_not_waited_for_longer_than_the_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(letting_go, "_ASKING", 0.2)
    kernel = Unmapping(monkeypatch, seconds={"a": 0.1, "b": 1000})
    going = LettingGo(left=kernel.left, pids=tuple)
    assert not going.wait(lambda _: None, limit=0.7)
    # Killed while it asks its cluster, a process unmaps the image without; then it is asked again.
    assert "b" in kernel.killed
    assert len(kernel.asked["b"]) > 1
    for _, child in going._unmapping.values():
        child.kill()
        child.wait(timeout=5)


def test_monitors_are_found_by_stores_that_were_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path))
    paths = LabPaths(name="tried")
    for host, made in (("storage-k", True), ("storage-l", False), ("storage-m", True)):
        store = paths.server(host).root / "var/lib/ceph/mon" / f"ceph-{host}"
        store.mkdir(parents=True)
        if made:
            (store / ".made").touch()
    # One whose network is gone already cannot be reached by the kernel.
    monkeypatch.setattr(
        network, "namespace_names", lambda: (paths.namespace("storage-k"), paths.namespace("storage-l"))
    )
    (found,) = last_word._monitors(paths)
    assert (found.id, found.host, found.root) == ("storage-k", "storage-k", paths.server("storage-k").root)
    assert found.store == "/var/lib/ceph/mon/ceph-storage-k"


def test_without_monitors_no_last_word_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path))
    said: list[str] = []
    with last_word.pools_removed(LabPaths(name="tried"), said.append) as removed:
        assert not removed
    assert said == []
