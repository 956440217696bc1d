"""Servers as OCI containers, run by runc."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from rookery.drivers.machine.process import ENDS_WITH_US, CommandError, plain_environment, run

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
HOST_NETWORK, NO_NETWORK = "host", "none"
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

    `binds` are (path inside, path outside), and `shared` those that it may only read; `memory` is bytes,
    `cpus` counts cores; `cgroup` is a path under the machine's cgroup root. `namespace` names a network
    namespace, HOST_NETWORK is the machine's own, NO_NETWORK one with nothing in it.
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
    cwd: str = "/"
    shared: tuple[tuple[str, str], ...] = ()


class Runc:
    """runc with a state directory of its own, so that labs do not see each other's servers."""

    def __init__(self, state: Path) -> None:
        self._base = ("runc", "--root", str(state))
        self.state = state

    def start(
        self, container: Container, *, bundle: Path, console: Path, config: dict[str, Any] | None = None
    ) -> None:
        """Create and start a container; what is left of one with its id is removed first.

        `config` takes the place of the configuration that `build_config` makes of it.
        """
        self._prepare(container, bundle, config)
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
            tail = console.read_text(errors="replace", encoding="utf-8")[-2000:]
            raise CommandError(argv, exit_code=done.returncode, output=tail)

    def run(
        self, container: Container, *, bundle: Path, report: Callable[[str], None], timeout: float
    ) -> None:
        """Run a container to its end; `report` hears each line it says. Raises CommandError where it fails
        or takes longer than `timeout` seconds."""
        self._prepare(container, bundle)
        argv = (*self._base, "run", "--bundle", str(bundle), container.id)
        said: list[str] = []
        process = subprocess.Popen(
            (*ENDS_WITH_US, *argv),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            encoding="utf-8",
            errors="replace",
            env=plain_environment(),
        )
        limit = threading.Timer(timeout, lambda: self.delete(container.id))
        limit.start()
        try:
            assert process.stdout is not None
            for line in process.stdout:
                said = [*said[-20:], line.rstrip()]
                report(line.rstrip())
            code = process.wait()
        finally:
            limit.cancel()
            self.delete(container.id)
        if code != 0:
            raise CommandError(argv, exit_code=code, output="\n".join(said))

    def _prepare(self, container: Container, bundle: Path, config: dict[str, Any] | None = None) -> None:
        self.delete(container.id)
        (bundle / "config.json").write_text(
            json.dumps(config or build_config(container), indent=1), encoding="utf-8"
        )

    def delete(self, container_id: str) -> None:
        """End a container at once, as a power cut would, and forget it. Missing ones are fine."""
        if (self.state / container_id).is_dir():
            run((*self._base, "delete", "--force", container_id))

    def kill(self, container_id: str, signal: str) -> None:
        """Send a signal (`TERM`) to a container's first process; one that is gone already is fine.

        `KILL` ends one that is paused, too.
        """
        try:
            run((*self._base, "kill", container_id, signal))
        except CommandError:
            if self._init_pid(self.state / container_id) is not None:
                raise

    def pause(self, container_id: str) -> None:
        """Freeze all processes of a container: they are there, and none of them goes on."""
        run((*self._base, "pause", container_id))

    def resume(self, container_id: str) -> None:
        """Let the processes of a container go on that was paused."""
        run((*self._base, "resume", container_id))

    def paused(self) -> frozenset[str]:
        """Return the containers that are paused: runc knows where either version of cgroups says so."""
        if not self.state.is_dir():
            return frozenset()
        found = json.loads(run((*self._base, "list", "--format", "json")) or "null") or ()
        return frozenset(str(one["id"]) for one in found if one["status"] == "paused")

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

    def began(self, container_id: str) -> float | None:
        """Return when a running container was started, in seconds since 1970; None where it does not run."""
        folder = self.state / container_id
        if self._init_pid(folder) is None:
            return None
        created = str(json.loads((folder / "state.json").read_text(encoding="utf-8"))["created"])
        return datetime.fromisoformat(created).timestamp()

    def _init_pid(self, path: Path) -> int | None:
        """Read runc's own state file: a process for each question would cost 15 ms each.

        A container has this fifo from when it was created until it is started. Where whoever ran `runc run`
        was killed in between, its first process waits there for ever, and is nobody's server.
        """
        if (path / "exec.fifo").exists():
            return None
        try:
            state = json.loads((path / "state.json").read_text(encoding="utf-8"))
            pid, started = int(state["init_process_pid"]), str(state["init_process_start"])
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
            # One that is being ended, for as long as the kernel takes, has no root any more.
            Path(f"/proc/{pid}/root").stat()
        except (OSError, ValueError, KeyError):
            return None
        return pid if fields[19] == started and fields[0] not in "ZX" else None

    def command(self, *words: str) -> list[str]:
        """Return a command of runc's on this state, for people."""
        return [*self._base, *words]

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
            # runc would pass on the umask of whoever calls it.
            "user": {"uid": 0, "gid": 0, "umask": 0o022},
            "args": list(container.argv),
            "env": [_PATH, "HOME=/root", "LANG=C.UTF-8"],
            "cwd": container.cwd,
            "noNewPrivileges": False,
            "capabilities": {kind: list(CAPABILITIES) for kind in ("bounding", "effective", "permitted")},
        },
        "mounts": [
            *_mounts(),
            *(_bind(inside, outside, "rw") for inside, outside in container.binds),
            *(_bind(inside, outside, "ro") for inside, outside in container.shared),
        ],
        "linux": {
            "namespaces": _namespaces(container),
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


def _namespaces(container: Container) -> list[dict[str, str]]:
    own = [{"type": kind} for kind in ("pid", "mount", "ipc", "uts")]
    if container.namespace == HOST_NETWORK:
        return own
    if container.namespace == NO_NETWORK:
        return [*own, {"type": "network"}]
    return [*own, {"type": "network", "path": f"/run/netns/{container.namespace}"}]


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


def _bind(inside: str, outside: str, access: str) -> dict[str, Any]:
    return {"destination": inside, "type": "bind", "source": outside, "options": ["bind", access, "nosuid"]}
