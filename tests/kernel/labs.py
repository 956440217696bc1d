"""A small lab with databases only, in the guest: brought up, looked at from outside, taken down."""

from __future__ import annotations

import json
import re

from rookery.releases import DEFAULT_RELEASE
from tests.kernel.guest import Guest

NAME = "kernel"
SPEC = """
name: kernel
pattern: PATTERN
hosts:
  storage:
    drives: [{count: 1, size: 20GB, class: ssd}]
storage:
  ceph: "CEPH"
  file: {enabled: false}
  object: {enabled: false}
  dashboard: false
apps:
  cdn: null
  streaming: null
  catalogue: null
  database: {instances: 2, volume: VOLUME}
"""
DATA = "/var/lib/postgresql"


def up(
    guest: Guest,
    pattern: str = "compact",
    *,
    volume: str = "10GB",
    ceph: str = DEFAULT_RELEASE,
    program: str = "rookery",
) -> None:
    """Bring the lab up; where that fails, with what its databases said last."""
    text = SPEC.replace("PATTERN", pattern).replace("VOLUME", volume).replace("CEPH", ceph)
    guest.write("/root/spec.yaml", text)
    try:
        guest.run(f"{program} up /root/spec.yaml --no-journal", timeout=1800)
    except AssertionError as error:
        logs = f"/var/lib/rookery/labs/{NAME}/servers/*/upper/var/log/supervisor/database-*.log"
        error.add_note(guest.run(f"tail -n 60 {logs} 2>&1 || true").stdout)
        raise


def down(guest: Guest) -> float:
    """Take the lab down; return how long it took by its own account, having looked that nothing is left."""
    said = guest.rookery("down", NAME, "--no-journal", timeout=200).stdout
    found = re.fullmatch(rf"{NAME}: \d+ things removed, nothing left, ([\d.]+) s\n", said)
    assert found is not None, said
    assert remains(guest) == []
    return float(found[1])


def remains(guest: Guest) -> list[str]:
    """Return what the guest has of a lab, asked of the kernel and not of the program."""
    looks = (
        *("ls /sys/bus/rbd/devices", "grep -h /dev/rbd /proc/*/mountinfo", "mount | grep /labs/"),
        *(
            "ip -o link | grep ' rk'",
            "ls /run/netns",
            "ls /var/lib/rookery/labs",
            "pgrep -l '^(ceph-|postgres|qemu-storage)'",
        ),
        "find /sys/fs/cgroup/rookery -name kernel; losetup --list --noheadings",
    )
    return guest.run(f"({'; '.join(looks)}) 2> /dev/null || true").stdout.splitlines()


def inside(guest: Guest, host: str) -> str:
    """Return the process of a server, as the guest sees it."""
    state = guest.run(f"cat /run/rookery/labs/{NAME}/{NAME}.{host}/state.json").stdout
    return str(json.loads(state)["init_process_pid"])


def volume_host(guest: Guest) -> str:
    return guest.run("cat /sys/bus/rbd/devices/*/name").stdout.split()[0].removeprefix("database-")


def verified(guest: Guest) -> None:
    guest.rookery("verify", NAME, timeout=300)
