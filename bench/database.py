"""Transactions per second of the database with failover, against one PostgreSQL without.

How: pgbench (scale 10, TLS, from the control plane's server), once with many clients that write a row each
(its simple-update script) and once with few that meet in the same rows (its TPC-B-like script), against

- the floor: a single PostgreSQL with the same settings on an RBD volume of the same kind, on the same host as
  the primary, without Patroni, without a replica, reached directly;
- the database with asynchronous replication, through the load balancer as its users come;
- the database as it is by default, where a second instance confirms each commit.

Fair, because host, volume, settings and client are the same; the three take turns in each round, so that each
meets the same caches. Before each turn a checkpoint is made on all of them and everything is written out, so
that nobody pays for what another left in memory. The floor is idle while the others are measured.

Where the machine's cores are busy, the rates are what CPU allows. So the CPU time of a transaction is told
too, by server, without what the lab takes at rest and what the kernel does in threads of its own: what
failover costs, whatever else the machine does.

Run as root: PYTHONPATH=src python bench/database.py [--rounds 3] [--seconds 15] [--json] [--record]
"""

from __future__ import annotations

import re
import statistics
import sys
import time
from dataclasses import dataclass, replace

import harness
from harness import FailedError, Row
from rookery.apps.database.patroni import PARAMETERS, VERSION
from rookery.apps.database.patroni import SOCKETS as PEER_SOCKETS
from rookery.design.model import DaemonKind, Host, Role
from rookery.run.workspace import open_running
from rookery.systems.native.system import NativeSystem

SCALE = 10
# What pgbench runs: script and clients.
WORKLOADS = (("simple-update", 32), ("tpcb-like", 8))
DATABASES = ("floor", "asynchronous", "synchronous")
FLOOR_PORT, FLOOR_PATH, SOCKETS = 5439, "/srv/floor", "/srv/floor"
BIN = f"/usr/lib/postgresql/{VERSION}/bin"
AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
SETTLE = 60.0  # seconds for Patroni to take a changed setting over
REST = 15  # seconds over which the lab's own work is measured


class Bench:
    """The two databases of one lab. Passwords go by files: arguments show to everyone who lists processes."""

    def __init__(self, system: NativeSystem) -> None:
        self.system = system
        self.client = system.design.admin_host.name
        self.primary = next(member.name for member in system.members() if member.is_primary)
        self.meter = Meter(system, self.primary)
        service = system.design.database
        assert service is not None
        self.password = system.database_door("load").password
        doors = {
            "ha": (service.address, service.port),
            "floor": (dict(service.instances)[self.primary], FLOOR_PORT),
        }
        tls = "sslmode=verify-full\nsslrootcert=/etc/rookery/tls/ca.crt\n"
        user = f"dbname=load\nuser=load\npassword={self.password}\n"
        text = "".join(f"[{n}]\nhost={host}\nport={port}\n{user}{tls}" for n, (host, port) in doors.items())
        self._lay(self.client, "root/.pg_service.conf", text, mode=0o600)

    def _lay(self, host: str, path: str, text: str, *, mode: int) -> None:
        file = self.system.lab.paths.server(host).root / path
        file.touch(mode=mode)
        file.write_text(text, encoding="utf-8")

    def start_floor(self) -> None:
        """Start the single PostgreSQL on a volume of its own."""
        design = self.system.design
        volume = next(v for v in design.volumes if v.host == self.primary)
        volume = replace(volume, app="floor", path=FLOOR_PATH)
        self.system.applications.volumes.ensure(volume, print)
        data = f"{FLOOR_PATH}/main"
        self._postgres(f"{BIN}/initdb", "--data-checksums", "--encoding=UTF8", "--locale=C.UTF-8", "-D", data)
        lines = [f"{name} = '{value}'" for name, value in PARAMETERS.items()]
        lines += [f"port = {FLOOR_PORT}", "listen_addresses = '*'", f"unix_socket_directories = '{SOCKETS}'"]
        self._write(f"{data}/postgresql.auto.conf", "\n".join(lines))
        self._write(f"{data}/pg_hba.conf", "local all postgres trust\nhostssl all all all scram-sha-256")
        self._postgres(f"{BIN}/pg_ctl", "-D", data, "-l", f"{FLOOR_PATH}/log", "-w", "start")
        sql = f"CREATE ROLE load LOGIN PASSWORD '{self.password}';\nCREATE DATABASE load OWNER load;\n"
        self._lay(self.primary, "srv/floor.sql", sql, mode=0o600)
        peer = ("psql", "-h", SOCKETS, "-p", str(FLOOR_PORT), "-U", "postgres", "-q", "-f", "/srv/floor.sql")
        self.system.execute(self.primary, peer)

    def _postgres(self, *argv: str) -> str:
        return self.system.execute(self.primary, (*AS_POSTGRES, *argv), timeout=120)

    def _write(self, path: str, text: str) -> None:
        self._postgres("sh", "-c", 'printf "%s\\n" "$1" > "$2"', "sh", text, path)

    def fill(self, service: str) -> None:
        self._pgbench(service, "--initialize", "--quiet", f"--scale={SCALE}")

    def settle(self) -> None:
        """Write out what earlier work left in memory, on both instances and the floor."""
        service = self.system.design.database
        assert service is not None
        places = [(name, PEER_SOCKETS, "5432") for name, _ in service.instances]
        for host, sockets, port in (*places, (self.primary, SOCKETS, str(FLOOR_PORT))):
            psql = ("psql", "-h", sockets, "-p", port, "-U", "postgres", "-qc", "CHECKPOINT")
            self.system.execute(host, (*AS_POSTGRES, *psql), timeout=120)
            self.system.execute(host, ("sync",), timeout=120)

    def turn(self, service: str, workload: tuple[str, int], seconds: int) -> Turn:
        """Return what pgbench gets, and what that takes."""
        self.settle()
        script, count = workload
        before, began = self.meter.seconds(), time.monotonic()
        clients = (f"--builtin={script}", f"--client={count}", "--jobs=2", f"--time={seconds}")
        said = self._pgbench(service, *clients, "--protocol=prepared")
        found = re.search(r"^tps = ([\d.]+)", said, re.MULTILINE)
        if found is None or "number of failed transactions: 0 " not in said:
            raise FailedError(said)
        rate = float(found[1])
        return Turn(rate=rate, cost=self.meter.cost(before, time.monotonic() - began, rate * seconds))

    def _pgbench(self, service: str, *options: str) -> str:
        # It takes the database from its arguments or the user's name, not from the service.
        argv = ("env", f"PGSERVICE={service}", "pgbench", *options, "load")
        return self.system.execute(self.client, argv, timeout=300)

    def replicate(self, *, synchronously: bool) -> None:
        """Switch the database's replication, and wait until it is so."""
        value = f"synchronous_mode={'true' if synchronously else 'false'}"
        self.system.execute(self.primary, ("patronictl", "edit-config", "--force", "-s", value))
        deadline = time.monotonic() + SETTLE
        while any(m.role == "sync_standby" for m in self.system.members()) is not synchronously:
            if time.monotonic() > deadline:
                raise FailedError(f"{value} was not taken over")
            time.sleep(0.5)


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """What one turn of pgbench gave: transactions per second, and CPU milliseconds of each, by part."""

    rate: float
    cost: dict[str, float]


Rates = dict[tuple[str, int], dict[str, list[Turn]]]
PARTS = ("client", "balancer", "primary's server", "replicas' servers", "storage nodes")


class Meter:
    """The CPU time of the lab's parts, by their cgroups; a volume's daemon counts to its server."""

    def __init__(self, system: NativeSystem, primary: str) -> None:
        self._design, self._paths, self._primary = system.design, system.lab.paths, primary
        self._rest = dict.fromkeys(PARTS, 0.0)

    def learn_rest(self) -> None:
        """Measure what the lab takes by itself, to be left out."""
        before = self.seconds()
        time.sleep(REST)
        self._rest = {part: (now - before[part]) / REST for part, now in self.seconds().items()}

    def seconds(self) -> dict[str, float]:
        found = dict.fromkeys(PARTS, 0.0)
        for host in self._design.hosts:
            found[self._part(host)] += harness.cpu_seconds(self._paths.cgroup(host.name))
        for volume in self._paths.folder.joinpath("volumes").iterdir():
            owner = next(h for h in self._design.hosts if volume.name.endswith(f"-{h.name}"))
            found[self._part(owner)] += harness.cpu_seconds(self._paths.cgroup(f"volume.{volume.name}"))
        return found

    def cost(self, before: dict[str, float], took: float, transactions: float) -> dict[str, float]:
        """Return the CPU milliseconds of a transaction since `before`, which was `took` seconds ago."""
        since = {part: now - before[part] - self._rest[part] * took for part, now in self.seconds().items()}
        return {part: seconds / transactions * 1000 for part, seconds in since.items()}

    def _part(self, host: Host) -> str:
        if host.daemons_of(DaemonKind.OSD):
            return "storage nodes"
        if host.name == self._primary:
            return "primary's server"
        if Role.LOAD_BALANCER in host.roles:
            return "balancer"
        return "client" if host is self._design.admin_host else "replicas' servers"


def measure(bench: Bench, rounds: int, seconds: int) -> Rates:
    found: Rates = {workload: {name: [] for name in DATABASES} for workload in WORKLOADS}
    bench.start_floor()
    for service in ("floor", "ha"):
        bench.fill(service)
    bench.settle()
    bench.meter.learn_rest()
    for _ in range(rounds):
        for name in DATABASES:
            if name != "floor":
                bench.replicate(synchronously=name == "synchronous")
            for workload in WORKLOADS:
                service = "floor" if name == "floor" else "ha"
                turn = bench.turn(service, workload, seconds)
                found[workload][name].append(turn)
                costs = ", ".join(f"{part} {cost:.2f} ms" for part, cost in turn.cost.items())
                print(f"{workload[0]} {name} {turn.rate:.0f} tps: {costs}", file=sys.stderr, flush=True)
    return found


def rows_of(found: Rates) -> list[Row]:
    rows = []
    for (script, clients), rates in found.items():
        what = f"{script}, {clients} clients"
        floor, relaxed, safe = (statistics.median(t.rate for t in rates[name]) for name in DATABASES)
        rows += [
            Row(name=f"{what}: one PostgreSQL on an RBD volume", value=floor, unit="tps"),
            Row(name=f"{what}: with failover, asynchronous", value=relaxed, unit="tps"),
            Row(name=f"{what}: with failover, synchronous (the default)", value=safe, unit="tps"),
            Row(
                name=f"{what}: asynchronous to the floor",
                value=relaxed / floor,
                unit="",
                limit=0.8,
                at_least=True,
            ),
            Row(name=f"{what}: synchronous to the floor", value=safe / floor, unit=""),
        ]
        for name in DATABASES[:2]:
            parts = {part: statistics.median(t.cost[part] for t in rates[name]) for part in PARTS}
            whole = f"{what}: CPU of a transaction, {name}"
            rows.append(Row(name=whole, value=sum(parts.values()), unit="ms"))
            rows += [Row(name=f"{whole}, {part}", value=cost, unit="ms") for part, cost in parts.items()]
    return rows


def main() -> int:
    """Print the figures; return 1 where a limit is passed."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=15, choices=range(5, 121))
    options = parser.parse_args()
    harness.prepare()
    try:
        with harness.spec_file() as spec, harness.lab_gone_after():
            harness.up(spec)
            system = NativeSystem(open_running(harness.NAME).design)
            try:
                found = measure(Bench(system), max(1, options.rounds), options.seconds)
            finally:
                system.close()
    except FailedError as error:
        print(error, file=sys.stderr)
        return 1
    rows = rows_of(found)
    harness.tell(rows, options, __file__)
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
