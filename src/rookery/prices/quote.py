"""What a design is charged for on a cloud, before it is said for how long.

A charge is a number of equal things with the tariff they are billed by. The load balancer of a design is the
provider's, not a server of ours; every server has a public IPv4 address. What had to be assumed stands in
the quote's notes.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from enum import StrEnum

from rookery.design.model import Design, Drive, Host
from rookery.errors import InputError
from rookery.prices.book import TITLES, Cloud, Currency, DriveType, Price, PriceBook, Region
from rookery.prices.machines import Choice, choose_machines, cpu_note
from rookery.prices.period import Parts, list_parts
from rookery.prices.rules import (
    Tariff,
    Traffic,
    address_tariff,
    balancer_tariff,
    drive_tariff,
    server_tariff,
)
from rookery.units import GB, format_size


class Position(StrEnum):
    """What a charge is for."""

    SERVERS = "servers"
    SYSTEM_DISKS = "system disks"
    DATA_DRIVES = "data drives"
    LOAD_BALANCER = "load balancer"
    ADDRESSES = "IPv4 addresses"
    TRAFFIC = "traffic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What a bill needs to know beside the design.

    `region` empty is the book's first of the provider; `machines` are the only types to take where any are
    named; `traffic` is bytes to the internet in a month of 730 hours.
    """

    region: str = ""
    machines: tuple[str, ...] = ()
    traffic: int = 0


DEFAULT_TERMS = Terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """`count` equal things. `product` is the provider's name; `prices` are what the tariff was made of."""

    item: Position
    product: str
    count: int
    tariff: Tariff
    prices: tuple[Price, ...]

    def amount(self, parts: Parts) -> Decimal:
        """Return the unrounded amount for all of them."""
        return self.count * self.tariff.amount(parts)

    def listed(self, seconds: int) -> Decimal:
        """Return the unrounded amount for `seconds` from the beginning of a month of 730 hours."""
        return self.amount(list_parts(seconds))


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """All charges of a design on one provider, in the currency that the provider bills in."""

    provider: Cloud
    region: str
    currency: Currency
    net: bool
    charges: tuple[Charge, ...]
    choices: tuple[Choice, ...]
    notes: tuple[str, ...]

    def amount(self, parts: Parts) -> Decimal:
        """Return the unrounded total for a stretch of time."""
        return sum((charge.amount(parts) for charge in self.charges), Decimal(0))

    def listed(self, seconds: int) -> Decimal:
        """Return the unrounded total of `seconds` from the beginning of a month of 730 hours."""
        return self.amount(list_parts(seconds))

    @property
    def prices(self) -> tuple[tuple[str, Price], ...]:
        """Every price that the quote uses, with the product it is of."""
        return tuple((charge.product, price) for charge in self.charges for price in charge.prices)

    def older_than(self, days: int, today: date) -> tuple[tuple[str, Price], ...]:
        """Return the prices in use that were read more than `days` before `today`, the oldest first."""
        found = {(name, price) for name, price in self.prices if price.age(today) > days}
        return tuple(sorted(found, key=lambda pair: (pair[1].date, pair[0], pair[1].amount)))


def quote_for(design: Design, book: PriceBook, provider: Cloud, terms: Terms = DEFAULT_TERMS) -> Quote:
    """Return what `design`, as it is, is charged for on `provider`.

    A design for the lab or for existing servers is priced as if it ran on the provider. InputError where the
    book does not know the provider, the region, or a machine type for some host.
    """
    prices = book.of(provider)
    region = prices.region(terms.region)
    choices = choose_machines(provider, region, design.servers, only=terms.machines)
    disks = [choice for choice in choices if choice.machine.disk_gb == 0]
    charges = [
        *(_servers(provider, choice) for choice in choices),
        *_system_disks(provider, region, disks),
        *_data_drives(provider, region, design.servers),
        *_load_balancers(provider, region, design),
        *_addresses(provider, region, design),
        *_traffic(region, terms.traffic),
    ]
    return Quote(
        provider=provider,
        region=region.name,
        currency=prices.currency,
        net=region.address.hourly.net,
        charges=tuple(charges),
        choices=choices,
        notes=_notes(design, provider, region, choices, terms),
    )


def _servers(provider: Cloud, choice: Choice) -> Charge:
    machine = choice.machine
    return Charge(
        item=Position.SERVERS,
        product=machine.name,
        count=len(choice.hosts),
        tariff=server_tariff(provider, machine),
        prices=(machine.hourly, machine.cap) if machine.cap else (machine.hourly,),
    )


def _system_disks(provider: Cloud, region: Region, choices: list[Choice]) -> list[Charge]:
    """Return the system disks of servers whose type has none: drives like those for data, of class ssd."""
    drive = region.drive("ssd")
    sizes: Counter[int] = Counter()
    for choice in choices:
        sizes[_gigabytes(drive, choice.need.disk)] += len(choice.hosts)
    return [
        _drives(Position.SYSTEM_DISKS, provider, drive, size, count) for size, count in sorted(sizes.items())
    ]


def _data_drives(provider: Cloud, region: Region, hosts: tuple[Host, ...]) -> list[Charge]:
    counted = Counter((drive.device_class, drive.size) for host in hosts for drive in host.drives)
    sizes: Counter[tuple[str, int]] = Counter()
    for (device_class, size), count in counted.items():
        drive = region.drive(device_class)
        sizes[drive.name, _gigabytes(drive, size)] += count
    types = {drive.name: drive for drive in region.drives}
    return [
        _drives(Position.DATA_DRIVES, provider, types[name], size, count)
        for (name, size), count in sorted(sizes.items())
    ]


def _drives(item: Position, provider: Cloud, drive: DriveType, size_gb: int, count: int) -> Charge:
    return Charge(
        item=item,
        product=f"{drive.name} {size_gb} GB",
        count=count,
        tariff=drive_tariff(provider, drive, size_gb),
        prices=(drive.price,),
    )


def _load_balancers(provider: Cloud, region: Region, design: Design) -> list[Charge]:
    if design.load_balancer is None:
        return []
    balancer = region.load_balancer
    return [
        Charge(
            item=Position.LOAD_BALANCER,
            product=balancer.name,
            count=1,
            tariff=balancer_tariff(provider, balancer),
            prices=(balancer.hourly, balancer.cap) if balancer.cap else (balancer.hourly,),
        )
    ]


def _addresses(provider: Cloud, region: Region, design: Design) -> list[Charge]:
    balancers = 1 if design.load_balancer else 0
    count = len(design.servers) + balancers * region.load_balancer.addresses
    address = region.address
    charge = Charge(
        item=Position.ADDRESSES,
        product=address.name,
        count=count,
        tariff=address_tariff(provider, address),
        prices=(address.hourly, address.cap) if address.cap else (address.hourly,),
    )
    return [charge] if count else []


def _traffic(region: Region, monthly_bytes: int) -> list[Charge]:
    if not monthly_bytes:
        return []
    through = region.load_balancer.traffic
    prices = tuple(tier.price for tier in region.egress.tiers)
    return [
        Charge(
            item=Position.TRAFFIC,
            product=f"{format_size(monthly_bytes)} a month",
            count=1,
            tariff=Traffic(
                monthly_bytes=monthly_bytes,
                egress=region.egress,
                through=through.amount if through else Decimal(0),
            ),
            prices=(*prices, through) if through else prices,
        )
    ]


def _gigabytes(drive: DriveType, size: int) -> int:
    """Return what is ordered for a drive of `size` bytes: whole GB, at least the provider's smallest."""
    ordered = max(math.ceil(size / GB), drive.min_gb)
    if drive.max_gb and ordered > drive.max_gb:
        raise InputError(
            f"a drive of {format_size(size)} is larger than a {drive.name} can be ({drive.max_gb} GB)",
            hint="Use more and smaller drives: hosts.storage.drives.",
        )
    return ordered


def _notes(
    design: Design, provider: Cloud, region: Region, choices: tuple[Choice, ...], terms: Terms
) -> tuple[str, ...]:
    notes = []
    if design.provider != provider:
        kind = "the lab, where it costs nothing" if design.traits.here else design.provider
        notes.append(f"the design is for {kind}; it is priced as if it ran on {TITLES[provider]}")
    notes += list(dict.fromkeys(note for choice in choices if (note := cpu_note(provider, choice.machine))))
    notes += _drive_notes(region, design.servers)
    balancer = region.load_balancer
    if design.load_balancer and 0 < balancer.services < len(design.frontends):
        notes.append(
            f"one {balancer.name} is priced; it serves {balancer.services} ports and the design has "
            f"{len(design.frontends)}: share a port by name, or pay for a second"
        )
    if not terms.traffic:
        notes.append("traffic to the internet is taken as none; --traffic 500GB adds it")
    notes += _stock_notes(choices)
    return tuple(notes)


def _drive_notes(region: Region, hosts: tuple[Host, ...]) -> list[str]:
    notes = []
    drives: set[Drive] = {drive for host in hosts for drive in host.drives}
    for device_class in sorted({drive.device_class for drive in drives}):
        taken = region.drive(device_class)
        if device_class not in taken.classes:
            notes.append(f"{device_class} drives are priced as {taken.name}, a network drive")
    for drive in sorted(drives, key=lambda drive: drive.size):
        taken = region.drive(drive.device_class)
        if drive.size < taken.min_gb * GB:
            size = format_size(drive.size)
            notes.append(f"the smallest {taken.name} has {taken.min_gb} GB: drives of {size} cost as much")
    most = max((len(host.drives) for host in hosts), default=0)
    limit = min((drive.max_per_server for drive in region.drives if drive.max_per_server), default=0)
    if limit and most > limit:
        notes.append(
            f"a server has {most} data drives, but may have {limit}: this cannot be ordered as it is"
        )
    return list(dict.fromkeys(notes))


def _stock_notes(choices: tuple[Choice, ...]) -> list[str]:
    notes = []
    for choice in choices:
        machine = choice.machine
        if machine.available is False:
            notes.append(f"{machine.name} was sold out on {machine.available_on}; it was asked for by name")
        elif machine.available is None and choice.sold_out:
            notes.append(f"whether {machine.name} is in stock is not known")
    return list(dict.fromkeys(notes))
