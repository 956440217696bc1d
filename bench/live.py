"""How long the live channel stands still after storage nodes are lost or hang, at default settings.

How: a viewer reads the live playlist through the edges five times a second. On the administration host a
new client, twice a second, asks for the object of the channel's lock: it is answered when, and only when,
the object's PG is active, whatever the managers know. A storage node is lost (its power is cut) or hangs
(frozen: its connections stay and are silent). What counts is the end of the longest standstill against the
moment when the lock's PG was active again for the last time before it. Losses go round all storage nodes;
what hangs is the node that leads the lock's object. Between rounds the node is brought back and the cluster
is healthy again, the viewer reading on.

Run as root: PYTHONPATH=src python bench/live.py [--losses 20] [--hangs 5] [--system NAME] [--json] [--record]
"""

from __future__ import annotations

import contextlib
import itertools
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import harness
from harness import FailedError, Row
from rookery.design.faults import Fault, FaultKind
from rookery.design.model import DaemonKind
from rookery.drivers.clients.http import Browser
from rookery.plan.step import Step
from rookery.run.engine import apply_steps
from rookery.run.prepared import steps_left
from rookery.run.workspace import open_running
from rookery.systems.native.system import NativeSystem

AIM = 15.0  # seconds from the lock's PG being active
PATIENCE = 150.0  # seconds; a channel that stands still for longer does so for good
SETTLES = 20.0  # seconds that a fault is left alone at least: what follows from it comes later
SPEC = f"{harness.SPEC}apps: {{database: null, catalogue: null}}\nbackup: null\n"
FAULTS = {"loss": FaultKind.POWER, "hang": FaultKind.HANG}
_SEQUENCE = re.compile(rb"#EXT-X-MEDIA-SEQUENCE:(\d+)")
# Each try is a client of its own: no map of an earlier one, no connection that might be silent.
PROBE = """
import sys, time, rados
while True:
    cluster = rados.Rados(conffile="/etc/ceph/ceph.conf", name="client.admin")
    for name in ("rados_osd_op_timeout", "rados_mon_op_timeout", "client_mount_timeout"):
        cluster.conf_set(name, "2")
    began, there = time.monotonic(), -1
    try:
        cluster.connect(timeout=2)
        there = 0
        pool = cluster.open_ioctx(sys.argv[1])
        pool.set_namespace("live")
        pool.stat("live-channel")
        there = 1
    except rados.Error:
        pass
    cluster.shutdown()
    if there >= 0:  # a monitor that hangs tells nothing of the PG
        print(began, time.monotonic(), there, flush=True)
    time.sleep(0.5)
"""


@dataclass(frozen=True, kw_only=True)
class Round:
    """One fault: the PG was active again, the channel moved again, and the longest standstill, in seconds.

    `active` counts from the fault, `late` from the PG being active; a channel that never moved has PATIENCE.
    """

    kind: str
    host: str
    active: float
    late: float
    still: float


class Watch:
    """What the viewer and the probe see, as moments of this machine's monotonic clock."""

    def __init__(self, system: NativeSystem) -> None:
        self._system = system
        self._pool = system.design.file_system.data_pools[0] if system.design.file_system else ""
        self.advances: list[float] = []
        self.probes: list[tuple[float, float, bool]] = []
        self._ended = threading.Event()
        self._probe: subprocess.Popen[str] | None = None

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        host = self._system.design.admin_host.name
        argv = self._system.lab.exec_argv(host, ("python3", "-c", PROBE, self._pool))
        with subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
        ) as self._probe:
            threads = [threading.Thread(target=one, daemon=True) for one in (self._look, self._listen)]
            for thread in threads:
                thread.start()
            try:
                yield
            finally:
                self._ended.set()
                self._probe.kill()
                for thread in threads:
                    thread.join(timeout=15)

    def _listen(self) -> None:
        assert self._probe is not None
        assert self._probe.stdout is not None
        for line in self._probe.stdout:
            began, ended, there = line.split()
            self.probes.append((float(began), float(ended), there == "1"))

    def _look(self) -> None:
        site = next(end.url for end in self._system.endpoints() if end.name == "site")
        newest = 0
        with Browser(str(self._system.ca_file)) as browser:
            while not self._ended.wait(0.2):
                body = browser.get(f"{site}live/live.m3u8").body
                found = _SEQUENCE.search(body)
                seen = int(found[1]) + body.count(b"#EXTINF") if found else 0
                if seen > newest:
                    newest = seen
                    self.advances.append(time.monotonic())

    def is_well(self, since: float) -> bool:
        """Whether the PG answers, and the channel has moved twice since it does."""
        if not self.probes or not self.probes[-1][2]:
            return False
        active = self.active_at(since, before=time.monotonic())
        return sum(moment > max(since, active) for moment in self.advances) >= 2

    def active_at(self, since: float, *, before: float) -> float:
        """Return when the PG was last asked in vain before a moment; `since` where it always answered.

        Counted to the end of that try, though it may have become active within it.
        """
        silent = [ended for began, ended, there in self.probes if not there and ended > since]
        return max((moment for moment in silent if moment < before), default=since)

    def standstill(self, since: float) -> tuple[float, float]:
        """Return begin and end of the longest time without a new segment that ended after `since`."""
        earlier = [moment for moment in self.advances if moment <= since]
        later = [moment for moment in self.advances if moment > since]
        moments = [*earlier[-1:], *later, time.monotonic()]
        _, began, ended = max((b - a, a, b) for a, b in itertools.pairwise(moments))
        return began, ended


def lock_leader(system: NativeSystem) -> str:
    """Return the host of the OSD that leads the lock's object."""
    assert system.design.file_system is not None
    pool = system.design.file_system.data_pools[0]
    told = system.ceph().mon("osd map", pool=pool, object="live-channel", nspace="live")
    name = f"osd.{told['acting_primary']}"
    return next(host.name for host, osd in system.design.with_daemon(DaemonKind.OSD) if osd.name == name)


class _Quiet:
    """Progress that nobody wants to see."""

    def started(self, step: Step) -> None: ...

    def said(self, step: Step, text: str) -> None: ...

    def finished(self, step: Step, seconds: float) -> None: ...

    def failed(self, step: Step, error: BaseException) -> None:
        print(f"{step.title}: {error}", file=sys.stderr, flush=True)


def until_well(watch: Watch, since: float, least: float) -> None:
    while time.monotonic() - since < least or not watch.is_well(since):
        if time.monotonic() - since > PATIENCE:
            return
        time.sleep(0.2)


def suffer(system: NativeSystem, watch: Watch, kind: str, host: str) -> Round:
    """One fault and its end."""
    began = time.monotonic()
    begun = system.faults.begin(Fault(kind=FAULTS[kind], host=host))
    try:
        until_well(watch, began, SETTLES if kind == "loss" else 2 * SETTLES)
    finally:
        if kind == "hang":
            begun.heal()
    apply_steps(steps_left(system), system.apply, _Quiet())
    back = time.monotonic()
    until_well(watch, back, 6.0)
    still_began, still_ended = watch.standstill(began)
    active = watch.active_at(began, before=still_ended)
    return Round(
        kind=kind,
        host=host,
        active=active - began,
        late=max(0.0, still_ended - max(active, still_began)),
        still=still_ended - still_began,
    )


def measure(name: str, losses: int, hangs: int) -> list[Round]:
    """Break what runs, round after round; a round is told as soon as it is over."""
    system = NativeSystem(open_running(name).design)
    watch = Watch(system)
    rounds: list[Round] = []
    nodes = [host.name for host in system.design.hosts if host.daemons_of(DaemonKind.OSD)]
    faults = [("loss", nodes[number % len(nodes)]) for number in range(losses)]
    for number in range(hangs):  # among the losses, so that what one leaves meets the other
        faults.insert((number + 1) * (losses + hangs) // (hangs + 1), ("hang", ""))
    try:
        with watch.running():
            until_well(watch, time.monotonic(), 5.0)
            for kind, host in faults:
                rounds.append(suffer(system, watch, kind, host or lock_leader(system)))
                said = rounds[-1]
                print(
                    f"{said.kind} of {said.host}: PG active after {said.active:.1f} s,"
                    f" channel {said.late:.1f} s later, stood still for {said.still:.1f} s",
                    file=sys.stderr,
                    flush=True,
                )
    finally:
        system.close()
    return rounds


def rows_of(rounds: Sequence[Round]) -> list[Row]:
    rows = []
    for kind in ("loss", "hang"):
        mine = [one for one in rounds if one.kind == kind]
        if mine:
            late = [one.late for one in mine]
            still = [one.still for one in mine]
            rows += [
                Row(name=f"{kind}: tried", value=len(mine), unit=""),
                Row(name=f"{kind}: channel after the PG, median", value=statistics.median(late), unit="s"),
                Row(name=f"{kind}: channel after the PG, longest", value=max(late), unit="s", limit=AIM),
                Row(name=f"{kind}: stood still, median", value=statistics.median(still), unit="s"),
                Row(name=f"{kind}: stood still, longest", value=max(still), unit="s"),
            ]
    return rows


def main() -> int:
    """Print the figures; return 1 where the aim is missed."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--losses", type=int, default=20)
    parser.add_argument("--hangs", type=int, default=5)
    parser.add_argument("--system", default="", help="break this lab, which runs, not one of its own")
    options = parser.parse_args()
    harness.prepare()
    try:
        if options.system:
            rounds = measure(options.system, options.losses, options.hangs)
        else:
            with harness.spec_file(SPEC) as spec, harness.lab_gone_after():
                harness.up(spec)
                rounds = measure(harness.NAME, options.losses, options.hangs)
    except FailedError as error:
        print(error, file=sys.stderr)
        return 1
    rows = rows_of(rounds)
    harness.tell(rows, options, __file__)
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
