"""By which way volumes are attached: by the kernel where it takes the cluster's keys, else by a program.

The guest's kernel takes keys of both releases. One that does not know the new ones is the same kernel below a
filter, which answers `add_key` as net/ceph/crypto.c of older ones does. The whole program runs under it, and
what it starts.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Iterator

import pytest

from tests.kernel.guest import Guest
from tests.kernel.labs import DATA, NAME, down, inside, up, verified

pytestmark = pytest.mark.kernel

_REFUSING = "/usr/local/bin/refusing"
# prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ...): call 248 (add_key) fails, all others go on.
_FILTER = f"""#!/usr/bin/python3
import ctypes, os, struct, sys
code = b"".join(struct.pack("HBBI", *line) for line in (
    (0x20, 0, 0, 0), (0x15, 0, 1, 248), (0x06, 0, 0, 0x00050000 | {errno.EINVAL}), (0x06, 0, 0, 0x7FFF0000)))
text = ctypes.create_string_buffer(code)
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", 4, ctypes.addressof(text)))
libc = ctypes.CDLL(None, use_errno=True)
if libc.prctl(22, 2, ctypes.c_void_p(ctypes.addressof(program)), 0, 0) != 0:
    sys.exit(f"no filter: {{os.strerror(ctypes.get_errno())}}")
os.execvp(sys.argv[1], sys.argv[1:])
"""
_WITHOUT = f"{_REFUSING} rookery"
_ASK = """
import os
from rookery.drivers.ceph.session import build_cephx_key, key_bytes
from rookery.drivers.machine import krbd
for kind in ("aes", "aes256k"):
    key = build_cephx_key(bytes(key_bytes(kind)), kind=kind, created=0)
    print(krbd.obstacle(key).replace(os.uname().release, "N"))
"""


@pytest.fixture(scope="module", autouse=True)
def programs(guest: Guest) -> None:
    guest.write(_REFUSING, _FILTER)
    guest.write("/root/ask.py", _ASK)
    guest.run(f"chmod +x {_REFUSING}")


@pytest.fixture(autouse=True)
def nothing_left(guest: Guest) -> Iterator[None]:
    """Take down what a test that failed left, for the next one's sake."""
    yield
    guest.rookery("down", NAME, "--no-journal", timeout=300, check=False)


def answers(guest: Guest, before: str = "") -> list[str]:
    """Return what stands against mapping, by keys of the old and of the new type."""
    home = "/opt/rookery"
    said = guest.run(f"PYTHONPATH={home}/src:{home}/packages {before} python3 /root/ask.py").stdout
    return said.split("\n")[:2]


Volumes = Callable[[Guest], list[str]]


def mapped(guest: Guest) -> list[str]:
    return sorted(guest.run("cat /sys/bus/rbd/devices/*/name 2> /dev/null || true").stdout.split())


def served(guest: Guest) -> list[str]:
    """Return the volumes that a storage daemon serves below a loop device."""
    files = guest.run("losetup --list --noheadings --output BACK-FILE").stdout.split()
    ours = [file.removesuffix("/export/image") for file in files if file.endswith("/export/image")]
    assert len(guest.run("pgrep qemu-storage || true").stdout.split()) == len(ours)
    return sorted(file.rpartition("/")[2] for file in ours)


def size(guest: Guest, host: str) -> int:
    """Return the bytes of the file system of a host's volume."""
    said = guest.run(f"stat --file-system --format='%b %S' /proc/{inside(guest, host)}/root{DATA}").stdout
    blocks, each = said.split()
    return int(blocks) * int(each)


def lose(guest: Guest, host: str) -> None:
    """Kill a server and wait until it is gone: what it was writing ends when its cluster answers again, for
    one of the OSDs died with it."""
    pid = inside(guest, host)
    guest.run(f"kill -KILL {pid}; while [ -e /proc/{pid} ]; do sleep 0.5; done", timeout=180)


def status(guest: Guest, program: str) -> str:
    """Return what `status` says, without its line breaks."""
    return " ".join(guest.run(f"{program} status {NAME}").stdout.split())


def key(guest: Guest) -> str:
    secrets = json.loads(guest.run(f"cat /var/lib/rookery/labs/{NAME}/secrets.json").stdout)
    return str(secrets["cephx.client.block"])


def test_the_kernel_says_which_keys_it_takes(guest: Guest) -> None:
    assert answers(guest) == ["", ""]
    assert answers(guest, _REFUSING) == [
        "",
        "this machine's kernel, N, takes no cephx key of this kind for rbd (EINVAL)",
    ]
    assert "rookery:question" not in guest.run("sleep 1; cat /proc/keys").stdout


@pytest.mark.parametrize(
    ("program", "found", "other", "way"),
    [
        (_WITHOUT, served, mapped, "by a storage daemon: this machine's kernel, "),
        ("rookery", mapped, served, "by this machine's kernel."),
    ],
    ids=["without", "with"],
)
def test_volumes_of_20_are_mapped_where_the_kernel_takes_the_key(
    guest: Guest, program: str, found: Volumes, other: Volumes, way: str
) -> None:
    up(guest, ceph="20", program=program)
    assert key(guest)[:2] == "Ag"
    volumes = found(guest)
    assert (len(volumes), other(guest)) == (2, [])
    assert f"Volumes are attached {way}" in status(guest, program)
    verified(guest)
    host = volumes[0].removeprefix("database-")
    guest.run(f"touch /proc/{inside(guest, host)}/root{DATA}/probe")
    lose(guest, host)
    up(guest, ceph="20", program=program, volume="12GB")
    assert (found(guest), other(guest)) == (volumes, [])
    guest.run(f"rm /proc/{inside(guest, host)}/root{DATA}/probe")
    assert size(guest, host) > 11_000_000_000
    verified(guest)
    down(guest)


def test_volumes_of_18_are_mapped_by_any_kernel_and_move_with_the_key(guest: Guest) -> None:
    up(guest, ceph="18", program=_WITHOUT)
    assert key(guest)[:2] == "AQ"
    volumes = mapped(guest)
    assert (len(volumes), served(guest)) == (2, [])
    verified(guest)
    up(guest, ceph="20", program=_WITHOUT)
    assert key(guest)[:2] == "Ag"
    assert (served(guest), mapped(guest)) == (volumes, [])
    verified(guest)
    down(guest)
