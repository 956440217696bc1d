"""The ways to a block device, against a folder that looks like the kernel's and a socket like qemu's."""

from __future__ import annotations

import base64
import errno
import json
import os
import socket
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from rookery.drivers.ceph.session import build_cephx_key
from rookery.drivers.machine import keyrings, krbd, loop, qmp
from rookery.errors import RookeryError

IMAGE = krbd.Image(fsid="f-1", pool="block", name="database-worker-a")


def mapped(bus: Path, number: int, image: krbd.Image) -> None:
    folder = bus / "devices" / str(number)
    folder.mkdir(parents=True)
    for name, text in (("cluster_fsid", image.fsid), ("pool", image.pool), ("name", image.name)):
        (folder / name).write_text(f"{text}\n")


@pytest.fixture
def bus(tmp_path: Path) -> Path:
    for name in ("add_single_major", "remove_single_major"):
        (tmp_path / name).write_text("")
    return tmp_path


def test_only_the_images_of_ones_own_cluster_are_ones_own(bus: Path) -> None:
    mapped(bus, 0, krbd.Image(fsid="another", pool="block", name="x"))
    mapped(bus, 10, IMAGE)
    assert [m.path for m in krbd.mappings("f-1", bus)] == ["/dev/rbd10"]


WAY = krbd.Way(monitors=("10.0.0.1:3300", "10.0.0.2:3300"), user="block", key="k==", encryption=True)


def test_a_mapped_image_is_not_mapped_twice(bus: Path) -> None:
    mapped(bus, 3, IMAGE)
    assert krbd.ensure_mapped(IMAGE, way=WAY, object_size=4 << 20, bus=bus).number == 3
    assert (bus / "add_single_major").read_text() == ""


def test_mapping_tells_the_kernel_monitors_user_key_mode_and_what_an_object_is(bus: Path) -> None:
    # The folder stands still, so the image that was asked for never appears there.
    with pytest.raises(StopIteration):
        krbd.ensure_mapped(IMAGE, way=WAY, object_size=4 << 20, bus=bus)
    assert (bus / "add_single_major").read_text() == (
        "10.0.0.1:3300,10.0.0.2:3300 name=block,secret=k==,ms_mode=secure,alloc_size=4194304 "
        "block database-worker-a -"
    )


AES = build_cephx_key(b"s" * 16, kind="aes", created=7)
AES256K = build_cephx_key(b"s" * 32, kind="aes256k", created=7)


class Kernel:
    """A kernel that has rbd, and answers keys as it is told; remembers what it was asked."""

    def __init__(self, answer: int) -> None:
        self.answer = answer
        self.asked: list[tuple[str, bytes]] = []

    def refusal_of(self, kind: str, payload: bytes) -> int:
        self.asked.append((kind, payload))
        return self.answer


def kernel(monkeypatch: pytest.MonkeyPatch, answer: int) -> Kernel:
    found = Kernel(answer)
    monkeypatch.setattr(krbd, "is_available", lambda: True)
    monkeypatch.setattr(krbd, "refusal_of", found.refusal_of)
    monkeypatch.setattr(os, "uname", lambda: os.uname_result(("Linux", "m", "6.1.176", "1", "x86_64")))
    krbd._refusal.cache_clear()
    return found


@pytest.fixture(autouse=True)
def nothing_remembered() -> Iterator[None]:
    yield
    krbd._refusal.cache_clear()


def test_a_kernel_without_rbd_maps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    found = kernel(monkeypatch, 0)
    monkeypatch.setattr(krbd, "is_available", lambda: False)
    assert [krbd.obstacle(key) for key in (AES, AES256K)] == ["this machine's kernel has no rbd"] * 2
    assert found.asked == []


@pytest.mark.parametrize(
    ("answer", "name"),
    [(errno.EINVAL, "EINVAL"), (524, "524"), (errno.EPERM, "EPERM"), (errno.ENODEV, "ENODEV")],
)
def test_a_kernel_that_takes_no_new_key_is_told_from_what_it_says(
    monkeypatch: pytest.MonkeyPatch, answer: int, name: str
) -> None:
    """Debian 12's says EINVAL; 524 is the kernel's own ENOTSUPP, which no table of user space has."""
    kernel(monkeypatch, answer)
    assert krbd.obstacle(AES256K) == (
        f"this machine's kernel, 6.1.176, takes no cephx key of this kind for rbd ({name})"
    )


def test_keys_of_the_old_type_are_asked_of_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    found = kernel(monkeypatch, errno.EPERM)
    assert (krbd.obstacle(AES), found.asked) == ("", [])


def test_a_kernel_is_asked_once_and_never_told_the_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    found = kernel(monkeypatch, 0)
    assert [krbd.obstacle(AES256K) for _ in range(3)] == [""] * 3
    question = build_cephx_key(bytes(32), kind="aes256k", created=0)
    assert found.asked == [("ceph", base64.b64decode(question))]


@pytest.mark.skipif(not Path("/proc/keys").exists(), reason="this machine's kernel has no keyrings")
def test_a_key_that_was_asked_about_is_gone() -> None:
    """The kernel forgets it in the background, a moment after it was taken out of the last keyring."""
    assert keyrings.refusal_of("user", b"payload") == 0
    deadline = time.monotonic() + 20
    while "rookery:question" in Path("/proc/keys").read_text():
        assert time.monotonic() < deadline, "the key is there still"
        time.sleep(0.02)


@pytest.mark.skipif(not Path("/proc/keys").exists(), reason="this machine's kernel has no keyrings")
def test_a_type_that_the_kernel_has_not_is_refused() -> None:
    assert keyrings.refusal_of("rookery-none", b"payload") == errno.ENODEV


def test_unmapping_is_a_process_of_its_own(bus: Path) -> None:
    child = krbd.start_unmap(krbd.Mapping(image=IMAGE, number=3), bus=bus)
    assert child.wait(timeout=20) == 0
    assert (bus / "remove_single_major").read_text() == "3"


def test_a_device_has_its_number_while_it_is_there(tmp_path: Path) -> None:
    (tmp_path / "rbd3").mkdir()
    (tmp_path / "rbd3" / "dev").write_text("254:48\n")
    numbers = [krbd.device_number(krbd.Mapping(image=IMAGE, number=n), tmp_path) for n in (3, 4)]
    assert numbers == ["254:48", ""]


def test_no_loop_device_stands_on_an_unused_folder(tmp_path: Path) -> None:
    assert loop.devices_of(tmp_path) == ()


@pytest.mark.skipif(os.geteuid() != 0, reason="loop devices need root: sudo ./rookery test")
@pytest.mark.skipif(
    not Path("/dev/loop-control").exists(), reason="this machine has no loop devices: modprobe loop"
)
def test_a_loop_device_shows_its_file_and_goes_when_let_go(tmp_path: Path) -> None:
    path = tmp_path / "disk"
    path.write_bytes(bytes(4096) + b"here" + bytes((1 << 20) - 4100))
    file = os.open(path, os.O_RDWR)
    try:
        with loop.attached(file) as device:
            assert loop.devices_of(tmp_path) == (device.path,)
            with Path(device.path).open("rb") as disk:
                disk.seek(4096)
                assert disk.read(4) == b"here"
            os.truncate(path, 2 << 20)
            loop.adopt_size(device.path)
            size = Path(f"/sys/block/{Path(device.path).name}/size").read_text()
            assert int(size) * 512 == 2 << 20
    finally:
        os.close(file)
    assert loop.devices_of(tmp_path) == ()


@pytest.fixture
def answers() -> Iterator[tuple[Path, list[dict[str, object]]]]:
    """A control socket that greets, agrees to everything but `refuse`, and throws an event in."""
    heard: list[dict[str, object]] = []
    # The path of a Unix socket has 107 characters; pytest's folders may be longer.
    with tempfile.TemporaryDirectory(prefix="qmp-") as folder:
        path = Path(folder) / "control"
        server = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        server.bind(str(path))
        server.listen()

        def serve() -> None:
            connection, _ = server.accept()
            with connection, connection.makefile("rwb") as stream:
                stream.write(b'{"QMP": {}}\n')
                stream.flush()
                for line in stream:
                    request = json.loads(line)
                    heard.append(request)
                    refused = request["execute"] == "refuse"
                    answer = {"error": {"desc": "no"}} if refused else {"return": {}}
                    stream.write(b'{"event": "X"}\n' + json.dumps(answer).encode() + b"\n")
                    stream.flush()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield path, heard
        thread.join(timeout=5)
        server.close()


def test_a_command_is_sent_after_the_greeting(answers: tuple[Path, list[dict[str, object]]]) -> None:
    path, heard = answers
    qmp.execute(path, "block_resize", {"node-name": "disk", "size": 5})
    assert [request["execute"] for request in heard] == ["qmp_capabilities", "block_resize"]
    assert heard[1]["arguments"] == {"node-name": "disk", "size": 5}


def test_a_refusal_is_an_error_with_qemus_words(answers: tuple[Path, list[dict[str, object]]]) -> None:
    with pytest.raises(RookeryError, match=r"^qemu's storage daemon refused refuse: no$"):
        qmp.execute(answers[0], "refuse", {})


def test_a_socket_that_is_none_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(RookeryError, match="does not answer"):
        qmp.execute(tmp_path / "nothing", "x", {})
