"""Commands on clouds: `fake hetzner` is a stand-in for one, on this machine."""

from __future__ import annotations

import contextlib
import re
import signal
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rookery.errors import ExitCode, InputError

if TYPE_CHECKING:
    from rookery.clouds.hetzner.fake.machines import Machines
    from rookery.clouds.hetzner.fake.service import FakeHetzner
    from rookery.clouds.hetzner.fake.settings import Settings

_LIMIT = re.compile(r"(?P<name>[a-z_]+)=(?P<number>\d+)")
_STOCK = re.compile(r"(?P<type>[a-z0-9]+)@(?P<location>[a-z0-9]+)=(?P<number>\d+)")


@click.group(short_help="Clouds, and stand-ins for them.")
def cloud() -> None:
    """Clouds that servers can be had from, and stand-ins for them on this machine."""


@cloud.group(short_help="Start a stand-in for a cloud on this machine.")
def fake() -> None:
    """Stand-ins for clouds: nothing costs money, and what rarely happens there happens when asked for."""


@fake.command("hetzner")
@click.option(
    "--listen",
    default="127.0.0.1:8042",
    show_default=True,
    metavar="ADDRESS:PORT",
    help="Where to listen; port 0 takes one that is free.",
)
@click.option(
    "--state",
    type=click.Path(path_type=Path, file_okay=False),
    help="Keep the account in this folder: it is there again at the next start.",
)
@click.option(
    "--speed",
    type=click.FloatRange(min=0),
    default=1.0,
    show_default=True,
    help="How much faster than at Hetzner things are made; 0 is at once.",
)
@click.option("--limit", "limits", multiple=True, metavar="KIND=N", help="The account may have N of a kind.")
@click.option(
    "--stock",
    "stocks",
    multiple=True,
    metavar="TYPE@LOCATION=N",
    help="There are N servers of a type at a location.",
)
@click.option(
    "--requests",
    type=click.IntRange(min=0),
    default=3600,
    show_default=True,
    help="How many requests an hour has; 0 is without a limit.",
)
@click.option(
    "--servers",
    type=click.Choice(["none", "lab"]),
    default="none",
    show_default=True,
    help="What stands behind servers: nothing, or this machine's containers (root).",
)
@click.option(
    "--without-datacenters",
    is_flag=True,
    help="Answer as since October 2026, when Hetzner took datacenters out of its API.",
)
def hetzner(
    *,
    listen: str,
    state: Path | None,
    speed: float,
    limits: tuple[str, ...],
    stocks: tuple[str, ...],
    requests: int,
    servers: str,
    without_datacenters: bool,
) -> int:
    """Answer as Hetzner Cloud's API does, with one account, until interrupted; then say what it cost.

    Whatever speaks with Hetzner speaks with it: the `hcloud` command, Ansible's modules, rookery itself.
    Prices and stock are those of the price book, times those of the real one: a server takes 15 s, a volume
    5 s. Below /fake tests turn its time and let calls fail (decision 0065).

    With `--servers lab` servers run, as containers with systemd, sshd and cloud-init: one logs in at their
    public addresses, volumes appear in them under /dev/disk/by-id, load balancers balance TCP and HTTP. All
    of it goes when the command ends.

    \b
    rookery cloud fake hetzner
    rookery cloud fake hetzner --state /var/tmp/account --speed 10
    rookery cloud fake hetzner --limit server=5 --stock cpx32@hel1=2
    rookery cloud fake hetzner --servers lab --speed 0

    KIND is server, volume, network, firewall, load_balancer, placement_group, ssh_key, primary_ip, image,
    dedicated_core, or volume_size (in GB).
    """
    from rookery.clouds.hetzner.fake.settings import Settings, Times
    from rookery.mirror.serving.bounded import parse_listen

    at = parse_listen(listen)
    settings = Settings(
        times=Times(speed=speed),
        limits=_limits(limits),
        stock=_stock(stocks),
        per_hour=requests,
        datacenters=not without_datacenters,
    )
    if servers == "lab" and state is not None:
        raise InputError(
            "an account whose servers run is not kept", hint="Leave out --state, or --servers lab."
        )
    with contextlib.ExitStack() as stack:
        machines = _machines(stack) if servers == "lab" else None
        service = _service(settings, state, machines, stack)
        _serve_until_interrupted(service, at.host or "0.0.0.0", at.port, settings.tokens[0])  # noqa: S104 - as asked
    return ExitCode.DONE


def _machines(stack: contextlib.ExitStack) -> Machines:
    """Return what makes servers on this machine; with the stack all of it goes."""
    from rookery.run.lock import hold
    from rookery.systems.lab.cloud.machines import NAME, LabMachines

    found = LabMachines(lambda text: click.echo(text, err=True))
    found.require()
    stack.enter_context(hold(NAME, forget=True))
    found.open()
    stack.callback(found.close)
    return found


def _service(
    settings: Settings, state: Path | None, machines: Machines | None, stack: contextlib.ExitStack
) -> FakeHetzner:
    from rookery.clouds.hetzner.fake.clock import MachineClock
    from rookery.clouds.hetzner.fake.service import FakeHetzner
    from rookery.clouds.hetzner.fake.state import kept_in
    from rookery.run.prices import load_prices

    prices = load_prices().book.of("hetzner")
    if state is None:
        service = FakeHetzner(prices, settings, machines=machines)
        stack.callback(service.close)
        return service
    kept = stack.enter_context(kept_in(state))
    holdings = kept.read()
    clock = MachineClock(holdings.ahead)
    return FakeHetzner(prices, settings, clock=clock, holdings=holdings, keep=kept.write)


def _serve_until_interrupted(service: FakeHetzner, host: str, port: int, token: str) -> None:
    from rookery.clouds.hetzner.fake.serve import serving

    ended = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: ended.set())
    with serving(service, host=host, port=port) as served:
        click.echo(f"export HCLOUD_ENDPOINT={served.endpoint}")
        click.echo(f"export HCLOUD_TOKEN={token}")
        click.echo("a stand-in for Hetzner answers there; Ctrl-C ends it", err=True)
        ended.wait()
    billed = service.bill()
    left = ", ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in service.counts().items())
    amount = sum(one.amount for one in billed)
    cost = f"it would have cost {amount:.4f} {service.currency} without tax"
    click.echo(f"{len(service.calls)} requests; there: {left or 'nothing'}; {cost}", err=True)


def _limits(texts: tuple[str, ...]) -> Mapping[str, int]:
    found = {text: _LIMIT.fullmatch(text) for text in texts}
    wrong = [text for text, match in found.items() if match is None]
    if wrong:
        raise InputError(f"--limit {wrong[0]} is not KIND=N", hint="For instance: --limit server=5")
    return {match["name"]: int(match["number"]) for match in found.values() if match}


def _stock(texts: tuple[str, ...]) -> Mapping[tuple[str, str], int]:
    found = {text: _STOCK.fullmatch(text) for text in texts}
    wrong = [text for text, match in found.items() if match is None]
    if wrong:
        raise InputError(
            f"--stock {wrong[0]} is not TYPE@LOCATION=N", hint="For instance: --stock cpx32@hel1=2"
        )
    return {(match["type"], match["location"]): int(match["number"]) for match in found.values() if match}
