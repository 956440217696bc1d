"""Servers as OCI containers, run by runc."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rookery.drivers.process import ENDS_WITH_US, CommandError, run

# A server's root may do what root of a virtual machine does, short of loading modules, setting the clock
# or touching raw memory. SYS_ADMIN is there for FUSE mounts (ceph-fuse); SYS_RESOURCE is absent because
# limits cannot be raised on every machine, and nothing of ours needs it.
CAPABILITIES = tuple(
    f"CAP_{name}"
    for name in (
        *("AUDIT_WRITE", "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "IPC_LOCK", "KILL"),
        *("MKNOD", "NET_ADMIN", "NET_BIND_SERVICE", "NET_RAW", "SETFCAP", "SETGID", "SETPCAP", "SETUID"),
        *("SYS_ADMIN", "SYS_CHROOT", "SYS_NICE", "SYS_PTRACE"),
    )
)
_PATH = "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_CPU_PERIOD = 100_000
_DEVICES = (
    (1, 3, "null"),
    (1, 5, "zero"),
    (1, 7, "full"),
    (1, 8, "random"),
    (1, 9, "urandom"),
    (5, 0, "tty"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Container:
    """A server as runc sees it.

    `binds` are (path inside, path outside); `memory` is bytes, `cpus` counts cores; `cgroup` is a path
    under the machine's cgroup root.
    """

    id: str
    hostname: str
    root: Path
    namespace: str
    argv: tuple[str, ...]
    cgroup: str
    memory: int
    cpus: int
    binds: tuple[tuple[str, str], ...]
    fuse: bool


class Runc:
    """runc with a state directory of its own, so that labs do not see each other's servers."""

    def __init__(self, state: Path) -> None:
        self._base = ("runc", "--root", str(state))
        self.state = state

    def start(self, container: Container, *, bundle: Path, console: Path) -> None:
        """Create and start a container; what is left of one with its id is removed first."""
        self.delete(container.id)
        config = build_config(container)
        (bundle / "config.json").write_text(json.dumps(config, indent=1))
        argv = (*self._base, "run", "--detach", "--bundle", str(bundle), container.id)
        with console.open("ab") as out:
            done = subprocess.run(
                (*ENDS_WITH_US, *argv),
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=out,
                timeout=60,
                check=False,
            )
        if done.returncode != 0:
            tail = console.read_text(errors="replace")[-2000:]
            raise CommandError(argv, exit_code=done.returncode, output=tail)

    def delete(self, container_id: str) -> None:
        """End a container at once, as a power cut would, and forget it. Missing ones are fine."""
        if (self.state / container_id).is_dir():
            run((*self._base, "delete", "--force", container_id))

    def running(self) -> dict[str, int]:
        """Return the init process' pid, as the machine sees it, of each running container."""
        if not self.state.is_dir():
            return {}
        found = {}
        for path in self.state.iterdir():
            pid = self._init_pid(path)
            if pid is not None:
                found[path.name] = pid
        return found

    def _init_pid(self, path: Path) -> int | None:
        """Read runc's own state file: a process for each question would cost 15 ms each."""
        try:
            state = json.loads((path / "state.json").read_text())
            pid, started = int(state["init_process_pid"]), str(state["init_process_start"])
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError, KeyError):
            return None
        return pid if fields[19] == started and fields[0] not in "ZX" else None

    def exec_argv(self, container_id: str, argv: Sequence[str], *, terminal: bool = False) -> list[str]:
        """Return the command that runs `argv` inside a container."""
        options = ["--tty", "--env", f"TERM={os.environ.get('TERM', 'xterm')}"] if terminal else []
        return [*self._base, "exec", "--cwd", "/root", "--env", "HOME=/root", *options, container_id, *argv]


def build_config(container: Container) -> dict[str, Any]:
    """Return the OCI runtime configuration of a server. No rlimits: raising them fails on some machines."""
    devices = [
        {"type": "c", "major": a, "minor": b, "path": f"/dev/{n}", "fileMode": 0o666} for a, b, n in _DEVICES
    ]
    allowed = [{"allow": True, "type": "c", "major": a, "minor": b, "access": "rwm"} for a, b, _ in _DEVICES]
    allowed.append({"allow": True, "type": "c", "major": 136, "access": "rwm"})
    allowed.append({"allow": True, "type": "c", "major": 5, "minor": 2, "access": "rwm"})
    if container.fuse:
        devices.append({"type": "c", "major": 10, "minor": 229, "path": "/dev/fuse", "fileMode": 0o666})
        allowed.append({"allow": True, "type": "c", "major": 10, "minor": 229, "access": "rwm"})
    return {
        "ociVersion": "1.0.2",
        "hostname": container.hostname,
        "root": {"path": str(container.root)},
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": list(container.argv),
            "env": [_PATH, "HOME=/root", "LANG=C.UTF-8"],
            "cwd": "/",
            "noNewPrivileges": False,
            "capabilities": {kind: list(CAPABILITIES) for kind in ("bounding", "effective", "permitted")},
        },
        "mounts": [*_mounts(), *(_bind(inside, outside) for inside, outside in container.binds)],
        "linux": {
            "namespaces": [
                *({"type": kind} for kind in ("pid", "mount", "ipc", "uts")),
                {"type": "network", "path": f"/run/netns/{container.namespace}"},
            ],
            "cgroupsPath": container.cgroup,
            "devices": devices,
            "resources": {
                "memory": {"limit": container.memory},
                "cpu": {"quota": container.cpus * _CPU_PERIOD, "period": _CPU_PERIOD},
                "devices": [{"allow": False, "access": "rwm"}, *allowed],
            },
            "maskedPaths": ["/proc/kcore", "/proc/keys", "/proc/timer_list", "/sys/firmware"],
            "readonlyPaths": ["/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"],
        },
    }


def _mounts() -> list[dict[str, Any]]:
    def tmpfs(path: str, *options: str) -> dict[str, Any]:
        return {"destination": path, "type": "tmpfs", "source": "tmpfs", "options": ["nosuid", *options]}

    return [
        {"destination": "/proc", "type": "proc", "source": "proc"},
        tmpfs("/dev", "strictatime", "mode=755", "size=1m"),
        {
            "destination": "/dev/pts",
            "type": "devpts",
            "source": "devpts",
            "options": ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"],
        },
        tmpfs("/dev/shm", "noexec", "nodev", "mode=1777"),  # noqa: S108 - a mount point of the server
        tmpfs("/run", "nodev", "mode=755"),
        tmpfs("/tmp", "nodev", "mode=1777"),  # noqa: S108 - a mount point of the server
        {
            "destination": "/sys",
            "type": "sysfs",
            "source": "sysfs",
            "options": ["nosuid", "noexec", "nodev", "ro"],
        },
    ]


def _bind(inside: str, outside: str) -> dict[str, Any]:
    return {"destination": inside, "type": "bind", "source": outside, "options": ["bind", "rw", "nosuid"]}
