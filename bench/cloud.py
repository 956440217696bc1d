"""How long a cloud's servers take to be there and to be gone, against what must wait for each other.

Run: PYTHONPATH=src python bench/cloud.py [--json] [--record]
The cloud is the stand-in for Hetzner with times of the real ones' order (a server 15 s, a volume 5 s, an
attachment 3 s, a load balancer 10 s, a network 2 s), in this process, over HTTP and the SDK. No root, no
account. The longest chain is printed; Hetzner does one thing at a time with a server, so its drives are
attached one after the other. Exits 1 where a limit is passed.
"""

from __future__ import annotations

import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import harness
from harness import Row
from rookery.apps.table import PLACERS, SETTINGS
from rookery.clouds.hetzner.access import Access
from rookery.clouds.hetzner.account import Account
from rookery.clouds.hetzner.cloud import HetznerCloud
from rookery.clouds.hetzner.fake.serve import Served, serving
from rookery.clouds.hetzner.fake.service import FakeHetzner
from rookery.clouds.hetzner.fake.settings import DEFAULT_TOKEN, Settings, Times
from rookery.design.build import build_design
from rookery.design.model import Design
from rookery.plan.cloud import longest_chain
from rookery.plan.step import Observation, Step, plan_rest
from rookery.run.clouds import machines_of, prices_of
from rookery.run.engine import apply_steps
from rookery.spec.load import read_pattern
from rookery.spec.parse import parse_spec
from rookery.systems.cloud.servers import CloudServers

SIZES = (
    ("seven servers, eight volumes", "{}", 1.2, 1.2),
    (
        "100 servers, 200 volumes",
        (
            "{controlPlane: {count: 3}, workers: {count: 47},"
            " storage: {count: 50, drives: [{count: 4, size: 20GB}]}}"
        ),
        1.5,
        None,
    ),
)
REQUESTS_AN_HOUR = 3600
TIMES = Times()


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """What one size took, in seconds, its longest chains, and how many requests both ways were."""

    name: str
    up: float
    chain: tuple[tuple[str, float], ...]
    down: float
    requests: int

    @property
    def longest(self) -> float:
        return sum(seconds for _, seconds in self.chain)


class Silent:
    """Hears of steps, and says nothing."""

    def started(self, step: Step) -> None: ...

    def said(self, step: Step, text: str) -> None: ...

    def finished(self, step: Step, seconds: float) -> None: ...

    def failed(self, step: Step, error: BaseException) -> None: ...


def _design(hosts: str) -> Design:
    spec = parse_spec(
        f"apiVersion: rookery/v1\nname: bench\nprovider: hetzner\nhosts: {hosts}\n",
        file="bench.yaml",
        settings=SETTINGS,
        read_pattern=lambda name: read_pattern(name, relative_to=Path()),
    )
    return build_design(spec, placers=PLACERS)


def _seconds(design: Design) -> Callable[[Step], float]:
    """Return what each step takes of the stand-in's time; the last drive of a server waits for the others."""
    drives = max(len(host.drives) for host in design.servers)
    takes = {
        "network": TIMES.of("create_network"),
        "server": sum(map(TIMES.of, ("create_server", "attach_to_network", "start_server"))),
        "volume": TIMES.of("create_volume"),
        "attached": drives * TIMES.of("attach_volume"),
        "balancer": TIMES.of("create_load_balancer") + TIMES.of("attach_to_network"),
        "target": TIMES.of("add_target"),
    }
    return lambda step: takes.get(step.id.partition(":")[0], 0.0)


def _servers(design: Design, served: Served, folder: Path) -> CloudServers:
    account = Account(Access(token=DEFAULT_TOKEN, endpoint=served.endpoint, source="bench"))
    return CloudServers(
        design,
        lambda: HetznerCloud(account, place="hel1"),
        machines=lambda: machines_of(design, "hetzner"),
        folder=folder,
        lets_in=lambda _: True,
    )


def measure(name: str, hosts: str) -> Measured:
    """Bring servers up and take them down, once."""
    design = _design(hosts)
    settings = Settings(times=TIMES, per_hour=REQUESTS_AN_HOUR)
    with (
        tempfile.TemporaryDirectory() as folder,
        serving(FakeHetzner(prices_of("hetzner"), settings)) as served,
    ):
        servers = _servers(design, served, Path(folder))
        steps = plan_rest(servers.steps(), Observation(facts=frozenset(servers.facts())))
        began = time.monotonic()
        apply_steps(steps, servers.apply, Silent())
        up = time.monotonic() - began
        removal = servers.removal(noted=Path(folder) / "noted")
        began = time.monotonic()
        removal.take_down(lambda _: None)
        down = time.monotonic() - began
        assert removal.leftovers() == (), "something is left"
        takes = _seconds(design)
        chain = longest_chain(servers.steps(), takes)
        return Measured(
            name=name,
            up=up,
            chain=tuple((step.title, takes(step)) for step in chain if takes(step)),
            down=down,
            requests=len(served.fake.calls),
        )


def rows_of(measured: Measured, up_limit: float, down_limit: float | None) -> list[Row]:
    gone = TIMES.of("delete_server")
    name = measured.name
    return [
        Row(name=f"{name}, there", value=measured.up, unit="s"),
        Row(
            name=f"{name}, by the longest chain",
            value=measured.up / measured.longest,
            unit="times",
            limit=up_limit,
        ),
        Row(name=f"{name}, gone", value=measured.down, unit="s"),
        Row(
            name=f"{name}, gone by the longest chain",
            value=measured.down / gone,
            unit="times",
            limit=down_limit,
        ),
        Row(name=f"{name}, requests", value=measured.requests, unit="", limit=REQUESTS_AN_HOUR),
    ]


def main() -> int:
    """Print the longest chains and the table; return 1 where a limit is passed."""
    options = harness.arguments(__doc__).parse_args()
    rows: list[Row] = []
    for name, hosts, up_limit, down_limit in SIZES:
        measured = measure(name, hosts)
        if not options.json:
            chain = " > ".join(f"{title} {seconds:g} s" for title, seconds in measured.chain)
            print(f"{name}: the longest chain takes {measured.longest:g} s: {chain}")
        rows += rows_of(measured, up_limit, down_limit)
    harness.tell(rows, options, __file__)
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
