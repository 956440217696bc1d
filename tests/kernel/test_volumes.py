"""A lab on a kernel that has RBD and cgroup v2, under systemd: its volumes, its losses, its end.

One lab goes through everything in turn; each test begins with a lab that runs, and says where it leaves none.
"""

from __future__ import annotations

import json
import time

import pytest

from rookery.units import GIB
from tests.kernel.guest import Guest
from tests.kernel.labs import DATA, NAME, down, inside, remains, up, verified, volume_host

pytestmark = pytest.mark.kernel

# Seconds. What volumes may add to a `down`; the machine is one slow CPU, and the rest of it takes 3 to 6.
_DOWN = 12


def test_a_volume_is_mapped_so_that_an_outage_is_a_pause_and_what_is_freed_is_freed(guest: Guest) -> None:
    up(guest)
    said = guest.run("cat /sys/bus/rbd/devices/*/config_info").stdout
    assert said.count("alloc_size=4194304") == 2
    assert "osd_request_timeout" not in said


def test_a_server_has_the_memory_and_cpus_of_the_design(guest: Guest) -> None:
    limits = guest.run(f"cd /sys/fs/cgroup/rookery/{NAME}/storage-k && cat memory.max cpu.max").stdout.split()
    assert limits == [str(32 * GIB), str(8 * 100_000), "100000"]


def test_an_outage_longer_than_any_limit_was_is_a_pause(guest: Guest) -> None:
    root = f"/proc/{inside(guest, volume_host(guest))}/root{DATA}"
    script = f"""
import os, subprocess, time
pids = subprocess.run(("pgrep", "ceph-osd"), capture_output=True, text=True).stdout.split()
file = os.open("{root}/probe", os.O_CREAT | os.O_WRONLY)
subprocess.run(("kill", "-STOP", *pids))
subprocess.Popen(("sh", "-c", "sleep 40; kill -CONT " + " ".join(pids)))
began = time.monotonic()
os.write(file, bytes(100_000))
os.fsync(file)
print(round(time.monotonic() - began))
os.unlink("{root}/probe")
"""
    guest.write("/root/outage.py", script)
    assert int(guest.run("python3 /root/outage.py", timeout=200).stdout) >= 39


def test_what_is_freed_is_freed(guest: Guest) -> None:
    host = volume_host(guest)
    pid = inside(guest, host)
    file = f"/proc/{pid}/root{DATA}/big"

    def used() -> int:
        argv = f"rbd --id block du --format json block/database-{host}"
        said = guest.rookery("shell", host, "--", *argv.split(), timeout=60).stdout
        return int(json.loads(said)["images"][0]["used_size"])

    before = used()
    guest.run(f"dd if=/dev/urandom of={file} bs=1M count=100 conv=fsync", timeout=200)
    full = used()
    assert full - before >= 100 << 20
    guest.run(f"rm {file} && sync -f /proc/{pid}/root{DATA}", timeout=120)
    # The file system discards what is free by itself, after its log; the database writes meanwhile, at most
    # some segments of its log are new.
    deadline = time.monotonic() + 120
    while used() - before > 48 << 20:
        assert time.monotonic() < deadline, f"{used() - before} bytes are still taken"
        time.sleep(2)


def test_a_lost_server_comes_back_with_its_volume(guest: Guest) -> None:
    host = volume_host(guest)
    guest.run(f"kill -KILL {inside(guest, host)}")
    up(guest)
    assert inside(guest, host)
    verified(guest)


def test_a_file_system_that_was_shut_down_is_mounted_anew(guest: Guest) -> None:
    pid = inside(guest, volume_host(guest))
    going_down = (
        f"import fcntl, os; fcntl.ioctl(os.open('/proc/{pid}/root{DATA}', 0), 0x8004587D, b'\\2\\0\\0\\0')"
    )
    guest.run(f'python3 -c "{going_down}"')
    up(guest)
    verified(guest)


def test_after_a_power_cut_up_brings_everything_back(guest: Guest) -> None:
    up(guest)
    guest.run("sync")
    guest.cut_power()
    guest.boot()
    assert [line for line in remains(guest) if line != NAME] == []
    up(guest)
    verified(guest)


def test_a_volume_grows_while_it_is_used(guest: Guest) -> None:
    """Then the lab goes, for no volume becomes smaller again."""
    up(guest)
    before = guest.run("cat /sys/bus/rbd/devices/*/size").stdout.split()
    up(guest, volume="12GB")
    assert (before, guest.run("cat /sys/bus/rbd/devices/*/size").stdout.split()) == (
        ["10000000000"] * 2,
        ["12000000000"] * 2,
    )
    root = f"/proc/{inside(guest, volume_host(guest))}/root{DATA}"
    blocks, size = guest.run(f"stat --file-system --format='%b %S' {root}").stdout.split()
    assert int(blocks) * int(size) > 11_000_000_000
    verified(guest)


@pytest.mark.parametrize("after", [0.3, 0.8, 1.5])
def test_a_down_that_was_killed_is_gone_on_with(guest: Guest, after: float) -> None:
    """The next one does the rest; the last of these finds what the ones before it left."""
    guest.run(f"timeout -s KILL {after} rookery down {NAME} --no-journal", timeout=60, check=False)
    if after == 1.5:
        down_or_gone(guest)


def down_or_gone(guest: Guest) -> None:
    guest.rookery("down", NAME, "--no-journal", timeout=200, check=False)
    assert remains(guest) == []


def test_down_takes_no_longer_for_its_volumes(guest: Guest) -> None:
    up(guest)
    assert down(guest) < _DOWN


@pytest.mark.parametrize("how", ["the OSDs hang", "every server is dead"])
def test_down_where_ceph_is_dead_already(guest: Guest, how: str) -> None:
    """With something written and not answered in the kernel, which no kill ends."""
    up(guest)
    root = f"/proc/{inside(guest, volume_host(guest))}/root{DATA}"
    guest.run("kill -STOP $(pgrep -x ceph-osd)")
    # Nobody waits for it: no kill ends it, and what it holds open would hold the shell.
    guest.run(
        f"setsid dd if=/dev/zero of={root}/probe bs=1M count=1 conv=fsync < /dev/null > /dev/null 2>&1 &"
    )
    time.sleep(2)
    if how == "every server is dead":
        guest.run(
            f"for s in /run/rookery/labs/{NAME}/*; do runc --root /run/rookery/labs/{NAME} kill"
            " $(basename $s) KILL; done"
        )
    began = time.monotonic()
    down(guest)
    assert time.monotonic() - began < 90


@pytest.mark.parametrize("pattern", ["hyperconverged", "production-minimum"])
def test_other_patterns(guest: Guest, pattern: str) -> None:
    up(guest, pattern)
    assert down(guest) < _DOWN
