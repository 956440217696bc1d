"""Which accounts this version works with, and what is in them: what it has cost, until when it is wanted."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from rookery.clouds.cloud import Cloud, Made
from rookery.clouds.lease import lease_end
from rookery.clouds.patience import Patience, patiently
from rookery.design.model import Design
from rookery.errors import MissingLibraryError, NotPossibleError
from rookery.plan.resources import Kind, many
from rookery.prices.bill import mills
from rookery.prices.book import Cloud as PricedCloud
from rookery.prices.book import ProviderPrices, Region
from rookery.prices.machines import choose_machines
from rookery.prices.spent import Possession, Spent, spent_on
from rookery.run.prices import load_prices
from rookery.systems.home import own_home
from rookery.units import GB


def _hetzner(place: str) -> Cloud:
    from rookery.clouds.hetzner.access import find_access
    from rookery.clouds.hetzner.account import Account
    from rookery.clouds.hetzner.cloud import HetznerCloud

    return HetznerCloud(Account(find_access(os.environ, Path.home())), place=place)


def _aws(place: str) -> Cloud:
    from rookery.clouds.aws.api import AwsApi, require_credentials
    from rookery.clouds.aws.cloud import AwsCloud

    require_credentials()
    return AwsCloud(
        AwsApi(place),
        machines=lambda: [one.name for one in region_of("aws").machines],
        zone=os.environ.get("ROOKERY_AWS_ZONE", ""),
    )


def _gcp(place: str) -> Cloud:
    from rookery.clouds.gcp.access import find_access
    from rookery.clouds.gcp.account import Account
    from rookery.clouds.gcp.cloud import GoogleCloud

    return GoogleCloud(Account(find_access(os.environ, Path.home(), place)), place=place)


_PAID = (Kind.SERVER, Kind.VOLUME, Kind.BALANCER)  # an address comes with a server

# A row for each cloud that servers are made on: from a place of it, and who one is by the environment.
CONNECTIONS: Mapping[PricedCloud, Callable[[str], Cloud]] = {"hetzner": _hetzner, "aws": _aws, "gcp": _gcp}


def connect(provider: PricedCloud) -> Cloud:
    """Return the account that the environment leads to; raises TokenError where nothing lets one in."""
    return CONNECTIONS[provider](region_of(provider).name)


def login_folder(name: str) -> Path:
    """Return where the key is that logs in on a system's servers: its own place, for no system is noted yet
    when a server is first asked for."""
    return own_home() / "logins" / name


def machines_of(design: Design, provider: PricedCloud) -> Mapping[str, str]:
    """Return the machine type that each server of a design gets, by its host's name."""
    choices = choose_machines(provider, region_of(provider), design.servers)
    return {host: choice.machine.name for choice in choices for host in choice.hosts}


def prices_of(provider: PricedCloud) -> ProviderPrices:
    """Return the prices that this machine knows of a cloud."""
    return load_prices().book.of(provider)


def region_of(provider: PricedCloud) -> Region:
    """Return the region of a cloud where systems are made: the price book's first."""
    return prices_of(provider).regions[0]


def reached(providers: Iterable[PricedCloud] = tuple(CONNECTIONS)) -> Iterator[tuple[PricedCloud, Cloud]]:
    """Yield those clouds whose account the environment leads to; raises MissingLibraryError where it leads to
    one that cannot be asked from here yet."""
    for provider in providers:
        try:
            yield provider, connect(provider)
        except MissingLibraryError:
            raise
        except NotPossibleError:
            continue


@dataclass(frozen=True, slots=True, kw_only=True)
class Lease:
    """A system of an account: how many things it has, since when, what it has cost, and until when it is
    wanted; `end` is None where nobody said."""

    provider: PricedCloud
    system: str
    things: int
    since: datetime | None
    spent: Spent
    end: datetime | None

    def is_over(self, now: datetime) -> bool:
        return self.end is not None and self.end <= now


def leases(provider: PricedCloud, cloud: Cloud, now: datetime) -> tuple[Lease, ...]:
    """Return every system of an account, by name."""
    seen = patiently(f"the systems at {cloud.title}", cloud.systems, Patience(), lambda _: None)
    names = sorted({one.system for one in seen})
    return tuple(_lease(provider, name, [one for one in seen if one.system == name], now) for name in names)


def _lease(provider: PricedCloud, name: str, things: list[Made], now: datetime) -> Lease:
    since = [one.since for one in things if one.since is not None]
    return Lease(
        provider=provider,
        system=name,
        things=sum(one.kind not in (Kind.ATTACHMENT, Kind.TARGET) for one in things),
        since=datetime.fromtimestamp(min(since), UTC) if since else None,
        spent=spent_so_far(provider, things, now),
        end=lease_of(things),
    )


def lease_of(things: Iterable[Made]) -> datetime | None:
    """Return until when things are wanted; None where nobody said.

    All of a system has one end; where a command was killed while it moved that, the later one is meant.
    """
    ends = (end for one in things if (end := lease_end(one.until)) is not None)
    return max(ends, default=None)


def spent_so_far(provider: PricedCloud, things: Iterable[Made], now: datetime) -> Spent:
    """Return what things of an account have cost until `now`, by the prices that this machine knows."""
    prices = prices_of(provider)
    region = prices.regions[0]
    return spent_on(_possessions(things, region), prices, region, now)


def standing(provider: PricedCloud, things: Iterable[Made], now: datetime) -> str:
    """Say what of a system is there and costs money, and how much an hour; empty where nothing does."""
    paid = sorted(
        (one for one in things if one.product and one.kind in _PAID), key=lambda one: _PAID.index(one.kind)
    )
    if not paid:
        return ""
    counted = Counter(one.kind for one in paid)
    spent = spent_so_far(provider, paid, now)
    named = ", ".join(many(count, kind) for kind, count in counted.items())
    tax = "net" if spent.net else "with VAT"
    return f"made so far: {named}, for {mills(spent.hourly)} {spent.currency} an hour, {tax}"


def _possessions(things: Iterable[Made], region: Region) -> Iterator[Possession]:
    """Yield what is paid for; a server has a public address beside itself, a balancer what the book says."""
    for one in things:
        if one.since is None or not one.product or one.kind is Kind.ADDRESS:
            continue
        since = datetime.fromtimestamp(one.since, UTC)
        yield Possession(product=one.product, since=since, gigabytes=one.size // GB)
        addresses = int(bool(one.public)) if one.kind is Kind.SERVER else 0
        if one.kind is Kind.BALANCER:
            addresses = region.load_balancer.addresses
        for _ in range(addresses):
            yield Possession(product=region.address.name, since=since)
