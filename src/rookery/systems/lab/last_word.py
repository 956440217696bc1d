"""A cluster that is dead says once more that its pools are gone, so that the kernel can let go of their
images.

The kernel's client of RBD never gives a request up, and nothing on the machine makes it: neither a kill, nor
an unmount, nor an unmapping by force, which waits for the requests under way. It listens to monitors alone,
and answers all requests to a pool that the OSD map has no more with ENOENT, by itself, without any OSD. So
the lab's monitors are started once more, from the stores that their servers had, and remove the pools of
block storage.

They run as our own children, in the networks of their servers, and are gone with us.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rookery.drivers.machine import network
from rookery.drivers.machine.process import ENDS_WITH_US, CommandError, run
from rookery.systems.lab.paths import LabPaths
from rookery.systems.protocol import Report

# Seconds. The monitors need one or two for their quorum on a machine that is not busy.
_QUORUM = 30.0

# In a server's root: what programs expect of one, away from everybody's eyes, and gone with the process.
_ENTER = (
    'mount --rbind /dev "$1/dev" && mount -t proc none "$1/proc" && mount -t tmpfs none "$1/run" && '
    'install -d -m 1777 "$1/run/ceph" && root=$1 && shift && '
    'exec chroot --userspec=ceph:ceph "$root" setpriv --pdeathsig KILL "$@"'
)
_REMOVE = """
import json, sys, rados
keyring, limit = sys.argv[1], sys.argv[2]
cluster = rados.Rados(conffile="/etc/ceph/ceph.conf", name="mon.", conf={"keyring": keyring})
cluster.conf_set("rados_mon_op_timeout", limit)
cluster.connect(timeout=int(limit))
def ask(**command):
    code, out, status = cluster.mon_command(json.dumps({"format": "json", **command}), b"")
    if code:
        sys.exit(status)
    return json.loads(out) if out else None
for pool in ask(prefix="osd pool ls", detail="detail"):
    if "rbd" in pool["application_metadata"]:
        name = pool["pool_name"]
        ask(prefix="osd pool rm", pool=name, pool2=name, yes_i_really_really_mean_it=True)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Monitor:
    """A monitor that is not running: where its server's root is, and the namespace of its network."""

    id: str
    host: str
    root: Path
    namespace: str

    @property
    def store(self) -> str:
        return f"/var/lib/ceph/mon/ceph-{self.id}"

    def argv(self, *program: str) -> tuple[str, ...]:
        """Return the command that runs a program of its server's root in its server's network."""
        alone = ("unshare", "--mount", "--pid", "--fork", "--kill-child", "sh", "-c", _ENTER, "sh")
        return ("nsenter", f"--net=/run/netns/{self.namespace}", *alone, str(self.root), *program)


@contextlib.contextmanager
def pools_removed(paths: LabPaths, report: Report) -> Iterator[bool]:
    """Start the monitors of a lab whose servers have all ended, and let them remove the pools of block
    storage.

    They run inside the `with`, which is told whether the pools are gone.
    """
    monitors = _monitors(paths)
    if not monitors:
        yield False
        return
    report("Ceph is silent: its monitors are started once more, to say that the volumes are gone")
    _plug_in(paths, monitors)
    running = [_start(one, paths.server(one.host).console) for one in monitors]
    try:
        yield _remove_pools(monitors[0], report)
    finally:
        for process in running:
            process.kill()
            process.wait(timeout=10)


def _start(monitor: _Monitor, console: Path) -> subprocess.Popen[bytes]:
    with console.open("ab") as said:
        return subprocess.Popen(
            (*ENDS_WITH_US, *monitor.argv("ceph-mon", "-f", "--id", monitor.id)),
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=said,
        )


def _monitors(paths: LabPaths) -> tuple[_Monitor, ...]:
    stores = (paths.folder / "servers").glob("*/root/var/lib/ceph/mon/ceph-*/.made")
    return tuple(
        _Monitor(
            id=store.parent.name.removeprefix("ceph-"),
            host=store.parents[6].name,
            root=store.parents[5],
            namespace=paths.namespace(store.parents[6].name),
        )
        for store in sorted(stores)
        if paths.namespace(store.parents[6].name) in network.namespace_names()
    )


def _plug_in(paths: LabPaths, monitors: tuple[_Monitor, ...]) -> None:
    """Turn on what somebody may have turned off of the lab's network."""
    with contextlib.suppress(CommandError):
        network.turn_on([name for name in network.link_names() if name.startswith(paths.link_prefix)])
    for one in monitors:
        with contextlib.suppress(CommandError):
            network.turn_on(["eth0"], namespace=one.namespace)


def _remove_pools(monitor: _Monitor, report: Report) -> bool:
    script = ("python3", "-c", _REMOVE, f"{monitor.store}/keyring", str(int(_QUORUM)))
    try:
        run(monitor.argv(*script), timeout=_QUORUM + 10)
    except CommandError as error:
        report(f"the monitors did not remove the pools: {' '.join(error.details[-1:])}")
        return False
    return True
