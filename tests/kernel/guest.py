"""The machine of `recipe.py`, running: one process that takes everything of it along when it ends.

It has namespaces of its own for network, mounts and processes, which end with it; its memory is a file on a
tmpfs that nobody else sees, and what it writes to its disk goes to a file beside. `ssh` reaches it over a tap
inside its network.

    PYTHONPATH=src .venv/bin/python -m tests.kernel.guest [COMMAND...]

boots it with this checkout in it, and gives a shell or runs a command.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import TracebackType
from typing import Self

from rookery.drivers.machine.files import remove_tree
from rookery.drivers.machine.process import ENDS_WITH_US
from tests.kernel.recipe import ADDRESS, CHECKOUT, GATEWAY, PREFIX, Places, prepare

MEMORY = 8  # GiB
_BOOT_LIMIT = 180.0  # seconds; it takes 10 on a quiet machine
_HOME = "/opt/rookery"

# The tap, and what the kernel's own root needs of this machine. The memory file is mapped executable, which a
# machine's /dev/shm may forbid, and is larger than that of many containers.
_SCRIPT = """
set -e
root=$1 disks=$2 image=$3 checkout=$4 work=$5; shift 5
ip link set lo up
ip tuntap add dev uml0 mode tap
ip addr add {gateway}/{prefix} dev uml0
ip link set uml0 up
mount --rbind /dev "$root/dev"
mount -t proc proc "$root/proc"
mount -t tmpfs -o size={size}G none "$root/tmp"
mount -t tmpfs none "$root/disks"
touch "$root/disks/disk" "$root/disks/image"
mount --bind "$disks" "$root/disks/disk"
mount --bind "$image" "$root/disks/image"
mount --bind "$checkout" "$root/host"
mount --bind "$work" "$root/work"
exec env -i PATH=/usr/sbin:/usr/bin HOME=/tmp TMPDIR=/tmp chroot "$root" /usr/bin/linux.uml "$@"
"""


def obstacle() -> str:
    """Return why no guest can run here, in one line, or nothing."""
    if os.geteuid() != 0:
        return "it makes a network of its own, which only root may: run it with sudo"
    if not Path("/dev/net/tun").exists():
        return "this machine has no /dev/net/tun, by which the guest is reached: `modprobe tun`"
    if os.uname().machine != "x86_64":
        return f"User-mode Linux runs on x86_64 only; this machine is {os.uname().machine}"
    lacks = [
        name for name in ("ssh", "ssh-keygen", "mmdebstrap", "mke2fs", "unshare") if not shutil.which(name)
    ]
    if lacks:
        return f"this machine lacks {', '.join(lacks)}"
    free = (
        int(Path("/proc/meminfo").read_text(encoding="utf-8").partition("MemAvailable:")[2].split()[0]) >> 20
    )
    if free < MEMORY:
        return f"the guest takes {MEMORY} GiB of memory; {free} GiB are free"
    return ""


def _say(line: str) -> None:
    sys.stderr.write(f"{line}\n")


class Guest:
    """A running guest; a context that ends it."""

    def __init__(self) -> None:
        places, image = prepare(_say)
        self._places: Places = places
        self._image = image
        self._work = Path(tempfile.mkdtemp(dir=places.folder, prefix="run-"))
        self.console = self._work / "console.log"
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Self:
        try:
            self.boot()
            self._lay_checkout()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self.cut_power()
        remove_tree(self._work)

    def boot(self) -> float:
        """Start it and wait until it can be reached; return how long that took, in seconds."""
        began = time.monotonic()
        kernel = (
            *(
                f"mem={MEMORY}G",
                "ubd0=/work/disk.cow,/disks/disk",
                "ubd1r=/disks/image",
                "root=/dev/ubda",
                "rw",
            ),
            *("seccomp=on", "vec0:transport=tap,ifname=uml0,depth=128,gro=1"),
            *("con=null", "con0=null,fd:1", "console=tty0"),
        )
        script = _SCRIPT.format(gateway=GATEWAY, prefix=PREFIX, size=MEMORY + 1)
        places = (self._places.kernel, self._places.disk, self._image, CHECKOUT, self._work)
        alone = ("unshare", "--net", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", script, "sh")
        with self.console.open("ab") as console:
            self._process = subprocess.Popen(
                (*ENDS_WITH_US, *alone, *map(str, places), *kernel),
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
            )
        while self.run("true", timeout=20, check=False).returncode != 0:
            if self._process.poll() is not None or time.monotonic() - began > _BOOT_LIMIT:
                raise AssertionError(f"the guest did not boot:\n{self.tail()}")
            time.sleep(0.2)
        return time.monotonic() - began

    def cut_power(self) -> None:
        """End it at once; what it has on its disk stays for the next boot."""
        if self._process is not None:
            self._process.kill()
            self._process.wait(timeout=60)

    def run(
        self, command: str, *, timeout: float = 60.0, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        """Run a line of shell as root in the guest; with `check`, one that fails is an AssertionError with
        all that it said."""
        done = subprocess.run(
            (*self.ssh(), command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            encoding="utf-8",
            timeout=timeout,
            check=False,
        )
        if check and done.returncode != 0:
            raise AssertionError(
                f"`{command}` ended with {done.returncode}:\n{done.stdout}{done.stderr}\n{self.tail()}"
            )
        return done

    def ssh(self, *options: str) -> tuple[str, ...]:
        """Return the command that a line for the guest's shell is added to."""
        assert self._process is not None
        return (
            *(
                "nsenter",
                f"--target={self._process.pid}",
                "--net",
                "--",
                "ssh",
                "-q",
                "-i",
                str(self._places.key),
            ),
            *("-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null"),
            *("-o", "ConnectTimeout=5", *options, f"root@{ADDRESS}"),
        )

    def rookery(
        self, *argv: str, timeout: float = 900.0, check: bool = True
    ) -> subprocess.CompletedProcess[str]:
        return self.run(f"rookery {shlex.join(argv)}", timeout=timeout, check=check)

    def write(self, path: str, text: str) -> None:
        self.run(f"mkdir -p $(dirname {path}) && printf %s {shlex.quote(text)} > {path}")

    def tail(self) -> str:
        """Return what its console said last."""
        return self.console.read_text(encoding="utf-8", errors="replace")[-4000:]

    def _lay_checkout(self) -> None:
        """Copy the program into the guest: over hostfs every look at a module would leave the guest."""
        wrapper = f'#!/bin/sh\nPYTHONPATH={_HOME}/src:{_HOME}/packages exec python3 -m rookery "$@"\n'
        self.write("/usr/local/bin/rookery", wrapper)
        self.run(
            "set -e; chmod +x /usr/local/bin/rookery;"
            " mountpoint -q /host || mount -t hostfs -o hostfs=/host none /host;"
            f" rm -rf {_HOME}/src; cp -r /host/src {_HOME}/src; python3 -m compileall -q {_HOME}/src",
            timeout=180,
        )


def main(argv: list[str]) -> int:
    if reason := obstacle():
        sys.exit(f"no guest can run here: {reason}")
    with Guest() as guest:
        return subprocess.run(
            (*guest.ssh("-t"), shlex.join(argv)) if argv else guest.ssh("-t"), check=False
        ).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
