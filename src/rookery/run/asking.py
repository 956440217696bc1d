"""What is asked of a person before a cloud is asked for anything: the bill, and what of it is made now."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from rookery.clouds.lease import lease_end
from rookery.design.cluster import has_cilium
from rookery.design.model import Design
from rookery.plan.resources import Kind, Resource, ServerWish, many
from rookery.prices.bill import Bill, mills
from rookery.prices.book import cloud_of
from rookery.prices.comparison import Comparison, Judgement, bill_for
from rookery.prices.quote import Position
from rookery.run.prepared import Prepared
from rookery.run.prices import load_prices
from rookery.run.systems import cloud_servers

_A_DAY = timedelta(days=1)
# What costs money while it is there; an address comes with a server.
_PAID = (Kind.SERVER, Kind.VOLUME, Kind.BALANCER)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asking:
    """What is to be agreed to: the bill of the whole design, what is made of it now, and where.

    The bill is for the lease where there is one, `until`, else for a day. `notes` are what nobody can tell.
    """

    title: str
    place: str
    bill: Bill
    made: tuple[str, ...]
    until: datetime | None
    notes: tuple[str, ...]

    @property
    def comparison(self) -> Comparison:
        """The bill, as tables of bills are made of it."""
        return Comparison(bills=(self.bill,), unpriced=(), break_evens=())


def asking_of(ready: Prepared, now: datetime, *, until: str = "", notes: Sequence[str] = ()) -> Asking | None:
    """Return what has to be agreed to before a system comes up; None where nothing new costs money."""
    servers = cloud_servers(ready.system)
    if servers is None:
        return None
    left = {step.id for step in ready.steps}
    missing = [one for one in servers.resources if one.id in left and one.id not in servers.there()]
    counted = Counter((one.kind, _type(one)) for one in missing if one.kind in _PAID)
    if not counted:
        return None
    end = lease_end(until)
    book, provider = load_prices().book, cloud_of(ready.design.provider)
    bill = bill_for(
        ready.design,
        book,
        provider,
        now,
        max(end - now, timedelta(hours=1)) if end is not None else _A_DAY,
        judgement=Judgement(today=now.date()),
    )
    return Asking(
        title=servers.cloud.title,
        place=servers.cloud.place,
        bill=bill,
        made=tuple(f"{many(count, kind)}{type_}" for (kind, type_), count in counted.items()),
        until=end,
        notes=(*notes, *_controllers(ready.design, bill)),
    )


def _type(one: Resource) -> str:
    return f" of type {one.wish.machine}" if isinstance(one.wish, ServerWish) else ""


def _controllers(design: Design, bill: Bill) -> Iterator[str]:
    """Yield what the cluster's own controller makes later, which no bill of a design has."""
    balancer = next((one for one in bill.lines if one.item is Position.LOAD_BALANCER), None)
    if design.traits.controller and has_cilium(design) and balancer is not None:
        hour = mills(balancer.amounts.hour / balancer.count)
        yield (
            f"the cluster's controller makes a load balancer more, for the applications: {hour}"
            f" {bill.currency} an hour beside this bill"
        )
