"""The ways to a block device, against a folder that looks like the kernel's and a socket like qemu's."""

from __future__ import annotations

import json
import os
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from rookery.drivers.machine import krbd, loop, qmp
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
