"""Servers with systemd as their first process, which may run containers themselves: what kubelet needs.

Such a server has a control group tree of its own, a /sys that udev works in, and its data drives as block
devices. It shares its machine's kernel: parameters that belong to all of the machine stay as they are.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rookery.drivers.containers.runc import Container, build_config
from rookery.drivers.machine.loop import BlockDevice

# Numbers of <linux/capability.h>, in their order.
_NAMES = (
    *("CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP"),
    *("LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK"),
    *("IPC_OWNER", "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN"),
    *("SYS_BOOT", "SYS_NICE", "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE"),
    *("AUDIT_CONTROL", "SETFCAP", "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND"),
    *("AUDIT_READ", "PERFMON", "BPF", "CHECKPOINT_RESTORE"),
)
_ENVIRONMENT = ("container=runc", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin")
_QUIET = ["nosuid", "noexec", "nodev"]
# systemd's journal and kubelet's look for killed processes read the kernel's log where there is one. It is
# the whole machine's, so they find an empty one.
_EMPTY_LOG = (1, 3, "/dev/kmsg")


def capabilities() -> frozenset[str]:
    """Return the capabilities that processes of this machine can have at all, without `CAP_`."""
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    bounding = int(next(line for line in status.splitlines() if line.startswith("CapBnd:")).split()[1], 16)
    return frozenset(name for number, name in enumerate(_NAMES) if bounding >> number & 1)


def machine_config(container: Container, drives: Iterable[BlockDevice]) -> dict[str, Any]:
    """Return the OCI runtime configuration of such a server; `drives` appear in it under their own paths."""
    config = build_config(container)
    # All that there are: a privileged pod asks for all, and what its server lacks it cannot be given.
    granted = sorted(f"CAP_{name}" for name in capabilities())
    kinds = ("bounding", "effective", "permitted")
    config["process"]["env"] = list(_ENVIRONMENT)
    config["process"]["capabilities"] = dict.fromkeys(kinds, granted)
    linux = config["linux"]
    linux["namespaces"].append({"type": "cgroup"})
    # Only what is this server's own may be set: its network's parameters.
    linux["readonlyPaths"] = ["/proc/sys/fs", "/proc/sys/kernel", "/proc/sys/vm", "/proc/sysrq-trigger"]
    linux["devices"] += [_node("b", os.major(one.number), os.minor(one.number), one.path) for one in drives]
    linux["devices"].append(_node("c", *_EMPTY_LOG))
    # A privileged pod may have every device, and no group below may have what this one has not. What there
    # is no node for in /dev is out of sight all the same.
    linux["resources"]["devices"] = [{"allow": True, "access": "rwm"}]
    # Containers stand on what is bound into it: their programs may raise their rights there.
    for mount in config["mounts"]:
        if mount["type"] == "bind":
            mount["options"].remove("nosuid")
    config["mounts"] = [*_without(config["mounts"], "/sys"), *_system_mounts()]
    return config


def _node(kind: str, major: int, minor: int, path: str) -> dict[str, Any]:
    return {"type": kind, "major": major, "minor": minor, "path": path, "fileMode": 0o660}


def _without(mounts: list[dict[str, Any]], destination: str) -> list[dict[str, Any]]:
    return [mount for mount in mounts if mount["destination"] != destination]


def _system_mounts() -> list[dict[str, Any]]:
    return [
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": _QUIET},
        # Of whichever version the machine has, from the server's own group down.
        {"destination": "/sys/fs/cgroup", "type": "cgroup", "source": "cgroup", "options": [*_QUIET, "rw"]},
    ]
