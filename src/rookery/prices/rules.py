"""Each provider's billing rule, as a tariff: from parts of calendar months to money.

A tariff knows its prices and nothing of dates; `amount` takes the stretch of time as parts of months and
returns the unrounded amount in the tariff's currency. No tariff is ever cheaper for a longer stretch.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import Protocol

from rookery.prices.book import Cloud, DriveType, Egress, LoadBalancer, MachineType, Metered, Price, Unit
from rookery.prices.period import HOUR, LIST_MONTH, Parts
from rookery.units import GIB

_SUSTAINED_USE_FAMILIES = ("n2", "n2d", "c2")
_SUSTAINED_USE_QUARTERS = (Decimal(1), Decimal("0.8678"), Decimal("0.733"), Decimal("0.6"))
_MINIMUM_SECONDS = 60


class Tariff(Protocol):
    """What something costs for a stretch of time."""

    def amount(self, parts: Parts) -> Decimal:
        """Return the unrounded amount for one of it."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedHours:
    """Hetzner's rule for servers, load balancers and primary IPs; AWS's for load balancers, without a cap.

    In each calendar month min(started hours x hourly price, monthly cap); no hours are charged in advance.
    It counts from creating to deleting: a server that is switched off costs the same, and one that is
    deleted and made again within the hour is a second resource with a started hour of its own.
    Sources: https://docs.hetzner.com/cloud/billing/faq, https://aws.amazon.com/elasticloadbalancing/pricing/
    ("each hour or partial hour")
    """

    hourly: Decimal
    cap: Decimal | None = None

    def amount(self, parts: Parts) -> Decimal:
        return sum((self._month(part.started_hours) for part in parts), Decimal(0))

    def _month(self, hours: int) -> Decimal:
        cost = hours * self.hourly
        return cost if self.cap is None else min(cost, self.cap)


@dataclass(frozen=True, slots=True, kw_only=True)
class StartedHoursOfMonth:
    """Hetzner's rule for volumes, as far as it is known.

    The API has a monthly price only (`price_per_gb_month`, https://docs.hetzner.cloud/reference/cloud#pricing).
    The billing FAQ says of other resources with a monthly price that less than a month costs its part. It is
    taken here in started hours of the calendar month, since all that Hetzner measures is in started hours.
    """

    monthly: Decimal

    def amount(self, parts: Parts) -> Decimal:
        return sum(
            (
                self.monthly * min(Decimal(part.started_hours * HOUR) / part.month_seconds, Decimal(1))
                for part in parts
            ),
            Decimal(0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PerSecond:
    """The rule of AWS and GCP for servers and addresses, and of GCP for load balancers.

    Per second, at least a minute. Sources: https://aws.amazon.com/ec2/pricing/on-demand/ (Linux),
    https://aws.amazon.com/vpc/pricing/, https://cloud.google.com/compute/vm-instance-pricing
    """

    hourly: Decimal

    def amount(self, parts: Parts) -> Decimal:
        return self.hourly * _billed_seconds(parts) / HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class SustainedUse:
    """GCP's rule for machine families with a sustained-use discount of 20 % (N2, N2D, C2; E2 has none).

    Each quarter of a calendar month has a price of its own: the list price, then 86.78 %, 73.3 % and 60 % of
    it, 80 % of the list price over a whole month. Per second, at least a minute.
    Source: https://cloud.google.com/compute/docs/sustained-use-discounts
    """

    hourly: Decimal

    def amount(self, parts: Parts) -> Decimal:
        if sum(part.seconds for part in parts) < _MINIMUM_SECONDS:
            return self.hourly * _billed_seconds(parts) / HOUR
        weighted = Decimal(0)
        for part in parts:
            quarter = Decimal(part.month_seconds) / 4
            for number, factor in enumerate(_SUSTAINED_USE_QUARTERS):
                weighted += factor * min(max(part.seconds - number * quarter, Decimal(0)), quarter)
        return self.hourly * weighted / HOUR


@dataclass(frozen=True, slots=True, kw_only=True)
class PerSecondOfMonth:
    """The rule of AWS and GCP for drives: the part of the calendar month, per second, at least a minute.

    Sources: https://aws.amazon.com/ebs/pricing/ (its examples divide by the seconds of the month),
    https://cloud.google.com/compute/disks-image-pricing
    """

    monthly: Decimal

    def amount(self, parts: Parts) -> Decimal:
        if not parts:
            return Decimal(0)
        short = max(_MINIMUM_SECONDS - sum(part.seconds for part in parts), 0)
        share = sum((Decimal(part.seconds) / part.month_seconds for part in parts), Decimal(0))
        return self.monthly * (share + Decimal(short) / parts[0].month_seconds)


@dataclass(frozen=True, slots=True, kw_only=True)
class Traffic:
    """Egress to the internet: `monthly_bytes` in 730 hours, evenly spread.

    What is free, and where a tier ends, counts anew in each calendar month; of a month in part, all that is
    free counts. `through` is what a load balancer takes for each GiB. Ingress is free with all providers.
    Sources: https://docs.hetzner.com/cloud/billing/faq, https://aws.amazon.com/ec2/pricing/on-demand/,
    https://cloud.google.com/vpc/network-pricing
    """

    monthly_bytes: int
    egress: Egress
    through: Decimal

    def amount(self, parts: Parts) -> Decimal:
        return sum((self._month(part.seconds) for part in parts), Decimal(0))

    def _month(self, seconds: int) -> Decimal:
        sent = Decimal(self.monthly_bytes) * seconds / LIST_MONTH
        total = self.through * sent / GIB
        begin = self.egress.free
        for tier in self.egress.tiers:
            units = sent / bytes_of(tier.price.unit)
            end = units if tier.up_to is None else min(units, tier.up_to)
            total += max(end - begin, Decimal(0)) * tier.price.amount
            begin = max(begin, end)
        return total


def server_tariff(provider: Cloud, machine: MachineType) -> Tariff:
    """Return the rule that a server of this type is billed by."""
    if provider == "gcp" and machine.name.split("-")[0] in _SUSTAINED_USE_FAMILIES:
        return SustainedUse(hourly=machine.hourly.amount)
    return _metered(provider, machine.hourly, machine.cap)


def balancer_tariff(provider: Cloud, balancer: LoadBalancer) -> Tariff:
    """Return the rule that a load balancer is billed by, without what passes through it."""
    if provider == "aws":
        return StartedHours(hourly=balancer.hourly.amount)
    return _metered(provider, balancer.hourly, balancer.cap)


def address_tariff(provider: Cloud, address: Metered) -> Tariff:
    """Return the rule that a public IPv4 address is billed by."""
    return _metered(provider, address.hourly, address.cap)


def drive_tariff(provider: Cloud, drive: DriveType, size_gb: int) -> Tariff:
    """Return the rule for one network drive of `size_gb`."""
    monthly = drive.price.amount * size_gb
    if provider == "hetzner":
        return StartedHoursOfMonth(monthly=monthly)
    return PerSecondOfMonth(monthly=monthly)


def bytes_of(unit: Unit) -> int:
    """Return the bytes of a unit of traffic."""
    return {Unit.GB: 1000**3, Unit.GIB: GIB, Unit.TB: 1000**4}[unit]


def _metered(provider: Cloud, hourly: Price, cap: Price | None) -> Tariff:
    if provider == "hetzner":
        return StartedHours(hourly=hourly.amount, cap=cap.amount if cap else None)
    return PerSecond(hourly=hourly.amount)


def _billed_seconds(parts: Parts) -> int:
    seconds = sum(part.seconds for part in parts)
    return max(seconds, _MINIMUM_SECONDS) if seconds else 0
