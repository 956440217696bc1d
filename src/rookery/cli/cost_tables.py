"""Bills and price books as tables that fit 80 columns, and as data for a script.

Here, at the edge, amounts are rounded: to cents, prices of an hour to a tenth of a cent. JSON has them whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date
from pathlib import Path
from typing import Any

from rich.console import Console, Group, RenderableType
from rich.table import Table
from rich.text import Text

from rookery.prices.bill import HETZNER_RULE, Amounts, Bill, cents, mills
from rookery.prices.book import (
    MARKED_AFTER_DAYS,
    REFUSED_AFTER_DAYS,
    TITLES,
    Cloud,
    Price,
    PriceBook,
    Region,
)
from rookery.prices.comparison import Comparison, say_break_even, say_whole_month
from rookery.prices.machines import Choice
from rookery.prices.period import format_duration, utc
from rookery.projections.bill.document import bill_notes
from rookery.run.prices import KnownPrices, Refreshed

Block = tuple[str, RenderableType]
_MOST_CHANGES = 12


def print_blocks(width: int | None, blocks: Sequence[Block]) -> None:
    """Print titled blocks with a line between them, as `show` does; that one loads all that the lab needs."""
    console = Console(width=width, markup=False, emoji=False, highlight=False)
    for title, block in blocks:
        console.print()
        if title:
            console.print(Text(title, style="bold"))
        console.print(block)


def bill_view(comparison: Comparison, provider: Cloud, today: date) -> list[Block]:
    """Return one provider's bill, what it is against the others, and what is to be known about it."""
    bill = comparison.of(provider)
    assert bill is not None, "who asks for one bill has made sure that there is one"
    blocks: list[Block] = [("", Group(_head(bill), Text(), _lines(bill))), ("", _periods(comparison.bills))]
    if len(comparison.bills) > 1:
        blocks.append(("When which is cheaper", _evens(comparison)))
    elif bill is comparison.capped:
        blocks.append(("", Text(HETZNER_RULE)))
    blocks.append(("To be known", _list(bill_notes(bill, today))))
    if comparison.unpriced:
        blocks.append(("Not priced", _unpriced(comparison)))
    return blocks


def comparison_view(comparison: Comparison, today: date) -> list[Block]:
    """Return all bills side by side, when which is cheaper, and what is to be known about each."""
    blocks: list[Block] = []
    if comparison.bills:
        blocks += [("", Group(_head(comparison.bills[0], alone=False), Text(), _periods(comparison.bills)))]
        blocks += [("When which is cheaper", _evens(comparison))]
    for bill in comparison.bills:
        title = f"{TITLES[bill.quote.provider]}, {bill.quote.region}"
        blocks.append((title, Group(_lines(bill), Text(), _list(bill_notes(bill, today)))))
    if comparison.unpriced:
        blocks.append(("Not priced", _unpriced(comparison)))
    return blocks


def book_view(known: KnownPrices, own: Path, today: date) -> list[Block]:
    """Return what the book has of each provider, with age and source; how to read it anew."""
    table = _table("provider", "region", "types", "newest", "oldest", "from")
    for prices in known.book.providers:
        source = "your own" if prices.provider in known.own else "shipped"
        for region in prices.regions:
            dates = sorted(price.date for _, price in region.prices)
            age = (today - dates[0]).days
            table.add_row(
                TITLES[prices.provider],
                region.name,
                str(len(region.machines)),
                f"{dates[-1]}",
                Text(f"{age} days", style=_age_style(age)),
                source,
            )
    rate = known.book.rate
    age = (today - rate.date).days
    lines = [
        f"One euro is {rate.usd_per_eur} US dollars: {rate.source}, {rate.date} ({age} days).",
        f"Prices older than {MARKED_AFTER_DAYS} days are marked, than {REFUSED_AFTER_DAYS} refused.",
        f"`rookery prices refresh` keeps what it reads in {own}.",
    ]
    sources = sorted({price.source for prices in known.book.providers for _, price in prices.prices})
    return [("", Group(table, Text(), _list(tuple(lines)))), ("Sources", _list(tuple(sources)))]


def price_lists_view(book: PriceBook, today: date) -> list[Block]:
    """Return every price of a book, a table for each region."""
    return [
        (f"{TITLES[prices.provider]}, {region.name}", _price_list(region, today))
        for prices in book.providers
        for region in prices.regions
    ]


def refresh_lines(done: Refreshed, today: date) -> Iterator[str]:
    """Yield what was read, which amounts are others than before, and what is not of today."""
    prices = done.prices
    for region in prices.regions:
        yield f"{TITLES[prices.provider]}, {region.name}: {len(region.machines)} machine types read"
    before = dict(done.before.prices)
    changed = [
        f"  {name}: {before[name].amount.normalize():f} -> {price.amount.normalize():f} {price.currency}"
        for name, price in prices.prices
        if name in before and before[name].amount != price.amount
    ]
    yield f"{len(changed)} known prices changed{':' if changed else ''}"
    yield from changed[:_MOST_CHANGES]
    if len(changed) > _MOST_CHANGES:
        yield f"  and {len(changed) - _MOST_CHANGES} more"
    if done.kept:
        names = ", ".join(dict.fromkeys(done.kept))
        yield f"not told, kept as known before {today}: {names}"
    yield f"kept in {done.path}"


def cost_data(comparison: Comparison, *, today: date, provider: Cloud | None) -> dict[str, Any]:
    """Return all facts of a comparison for a script; `provider` is the one asked for, if any."""
    return {
        "provider": provider,
        "today": today.isoformat(),
        "bills": [_bill_data(bill, today) for bill in comparison.bills],
        "unpriced": [{"provider": name, "reason": why} for name, why in comparison.unpriced],
        "break_even": [
            {
                "one": even.one,
                "other": even.other,
                "spans": even.spans,
                "if_a_whole_month_were_charged_hours": even.whole_month_hours,
                "said": say_break_even(even),
            }
            for even in comparison.break_evens
        ],
        "hetzner_rule": HETZNER_RULE,
    }


def _bill_data(bill: Bill, today: date) -> dict[str, Any]:
    quote = bill.quote
    return {
        "design": bill.design,
        "provider": quote.provider,
        "region": quote.region,
        "currency": bill.currency,
        "net_of_vat": quote.net,
        "start": utc(bill.start).isoformat(),
        "seconds": round(bill.duration.total_seconds()),
        "rate": {
            "usd_per_eur": str(bill.rate.usd_per_eur),
            "date": str(bill.rate.date),
            "source": bill.rate.source,
        },
        "amounts": _amounts_data(bill.amounts),
        "lines": [
            {
                "item": line.item,
                "product": line.product,
                "count": line.count,
                "amounts": _amounts_data(line.amounts),
            }
            for line in bill.lines
        ],
        "machines": [_choice_data(bill, choice) for choice in quote.choices],
        "prices": [_price_data(name, price, today) for name, price in dict.fromkeys(quote.prices)],
        "notes": bill_notes(bill, today),
    }


def _amounts_data(amounts: Amounts) -> dict[str, str]:
    return {name: format(getattr(amounts, name), "f") for name in Amounts.__dataclass_fields__}


def _choice_data(bill: Bill, choice: Choice) -> dict[str, Any]:
    return {
        "hosts": choice.hosts,
        "need": choice.need,
        "machine": choice.machine.name,
        "available": choice.machine.available,
        "available_on": str(choice.machine.available_on) if choice.machine.available_on else None,
        "sold_out_cheaper": [machine.name for machine in choice.sold_out],
        "sold_out_saving_a_month_each": format(bill.convert(choice.saving), "f"),
    }


def _price_data(name: str, price: Price, today: date) -> dict[str, Any]:
    return {
        "product": name,
        "amount": str(price.amount),
        "currency": price.currency,
        "net_of_vat": price.net,
        "unit": price.unit,
        "date": str(price.date),
        "source": price.source,
        "age_days": price.age(today),
        "old": price.age(today) > MARKED_AFTER_DAYS,
    }


def _head(bill: Bill, *, alone: bool = True) -> Text:
    tax = "net of VAT" if bill.quote.net else "VAT included"
    where = f" on {TITLES[bill.quote.provider]}, {bill.quote.region}" if alone else ""
    rate = bill.rate
    head = Text.assemble((bill.design, "bold"), where, f"  {bill.currency}, {tax}")
    if not alone or bill.quote.currency != bill.currency:
        head.append(f", 1 EUR = {rate.usd_per_eur} USD ({rate.date})")
    return head


def _lines(bill: Bill) -> Table:
    table = _table("for", "what", "hour", "month", _duration(bill), right=3)
    for line in bill.lines:
        table.add_row(line.item, f"{line.count} x {line.product}", *_money(line.amounts))
    table.add_row(*(Text(cell, style="bold") for cell in ("all", "", *_money(bill.amounts))))
    return table


def _money(amounts: Amounts) -> tuple[str, str, str]:
    return f"{mills(amounts.hour):,}", f"{cents(amounts.month):,}", f"{cents(amounts.total):,}"


def _periods(bills: tuple[Bill, ...]) -> RenderableType:
    """Return what an hour, a day, a week, a month and the wished time cost, a row for each bill."""
    first = bills[0]
    month = f"{utc(first.start):%b %Y}"
    table = _table("", "hour", "day", "week", "month", month, _duration(first), right=6)
    for bill in bills:
        amounts = bill.amounts
        whole = (amounts.day, amounts.week, amounts.month, amounts.calendar_month, amounts.total)
        table.add_row(
            TITLES[bill.quote.provider], f"{mills(amounts.hour):,}", *(f"{cents(value):,}" for value in whole)
        )
    note = (
        f"A month has 730 hours; {month} is the whole calendar month; {_duration(first)} from "
        f"{utc(first.start):%Y-%m-%d %H:%M} UTC. Rounded to cents at last, an hour to a tenth of one."
    )
    return Group(table, Text(note, style="dim"))


def _evens(comparison: Comparison) -> RenderableType:
    """Return the real rule, the real break-even, and the one that was believed."""
    lines: list[RenderableType] = [Text(HETZNER_RULE), Text()] if comparison.capped else []
    lines += [Text(say_break_even(found)) for found in comparison.break_evens]
    if comparison.capped and comparison.break_evens:
        whose = TITLES[comparison.capped.quote.provider]
        lines += [Text(), Text(f"Were a whole month of {whose} charged on provisioning, which it is not:")]
        lines += [Text(f"  {say_whole_month(found)}") for found in comparison.break_evens]
    return Group(*lines)


def _unpriced(comparison: Comparison) -> RenderableType:
    return _list(tuple(f"{TITLES[provider]}: {why}" for provider, why in comparison.unpriced))


def _price_list(region: Region, today: date) -> Table:
    table = _table("what", "amount", "unit", "read", "stock")
    table.columns[1].justify = "right"
    stock = {machine.name: machine.available for machine in region.machines}
    for name, price in region.prices:
        age = price.age(today)
        told = {True: "yes", False: "sold out", None: ""}[stock.get(name)]
        table.add_row(
            name,
            f"{price.amount.normalize():f}",
            f"{price.currency} a {price.unit}",
            Text(f"{price.date}", style=_age_style(age)),
            Text(told, style="yellow" if told == "sold out" else ""),
        )
    return table


def _list(lines: tuple[str, ...]) -> RenderableType:
    """Return lines with a hanging dash, so that folded ones stay apart."""
    table = Table.grid(padding=(0, 1, 0, 0))
    for line in lines:
        table.add_row("-", Text(line, style="yellow" if line.startswith("older than") else ""))
    return table


def _duration(bill: Bill) -> str:
    return format_duration(round(bill.duration.total_seconds()))


def _age_style(days: int) -> str:
    if days > REFUSED_AFTER_DAYS:
        return "bold red"
    return "yellow" if days > MARKED_AFTER_DAYS else ""


def _table(*columns: str, right: int = 0) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for number, column in enumerate(columns):
        justify = "right" if number >= len(columns) - right else "left"
        table.add_column(column, header_style="dim", overflow="fold", justify=justify)  # type: ignore[arg-type]
    return table
