"""The bill as a part of the design document: Markdown, all amounts in one currency, prices with dates."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from rookery.prices.bill import HETZNER_RULE, Bill, cents, mills
from rookery.prices.book import CAPPED, MARKED_AFTER_DAYS, TITLES
from rookery.prices.comparison import Comparison, say_break_even, say_whole_month
from rookery.prices.period import format_duration, utc
from rookery.units import format_size


def render_bill(comparison: Comparison, *, today: date, level: int = 2) -> str:
    """Return the section on cost, with a heading of `level`; empty where nothing could be priced."""
    if not comparison.bills:
        return ""
    marks = "#" * level
    parts = [
        f"{marks} What it costs on a cloud",
        _introduction(comparison.bills[0]),
        _totals(comparison),
        *_unpriced(comparison),
        f"{marks}# When which is cheaper",
        _break_evens(comparison),
    ]
    for bill in comparison.bills:
        parts += [
            f"{marks}# {TITLES[bill.quote.provider]}, {bill.quote.region}",
            _lines(bill),
            _notes(bill, today),
        ]
    return "\n\n".join(part for part in parts if part) + "\n"


def money(amount: Decimal, *, fine: bool = False) -> str:
    """Write an amount rounded to cents; `fine` to a tenth of a cent, for prices of an hour."""
    return f"{mills(amount) if fine else cents(amount):,}"


def _introduction(bill: Bill) -> str:
    tax = "net of VAT" if bill.quote.net else "VAT included"
    return (
        f"All amounts are {bill.currency}, {tax}, rounded to cents once they are added up (prices of an hour "
        f"to tenths of a cent). A month has 730 hours; the last two columns go by the calendar: all of "
        f"{utc(bill.start):%B %Y}, and {_span(bill)}.{_rate(bill)}"
    )


def _rate(bill: Bill) -> str:
    rate = bill.rate
    return f" One euro is {rate.usd_per_eur} US dollars ({rate.date}, {rate.source})."


def _span(bill: Bill) -> str:
    seconds = round(bill.duration.total_seconds())
    return f"{format_duration(seconds)} from {utc(bill.start):%Y-%m-%d %H:%M} UTC"


def _totals(comparison: Comparison) -> str:
    seconds = round(comparison.bills[0].duration.total_seconds())
    month = f"{utc(comparison.bills[0].start):%B}"
    rows = [
        (
            f"{TITLES[bill.quote.provider]}, {bill.quote.region}",
            _machines(bill),
            money(bill.amounts.hour, fine=True),
            money(bill.amounts.day),
            money(bill.amounts.week),
            money(bill.amounts.month),
            money(bill.amounts.calendar_month),
            money(bill.total),
        )
        for bill in comparison.bills
    ]
    head = ("provider", "servers", "hour", "day", "week", "month", month, format_duration(seconds))
    return _table(head, rows, right=6)


def _machines(bill: Bill) -> str:
    return ", ".join(f"{len(choice.hosts)} x {choice.machine.name}" for choice in bill.quote.choices)


def _unpriced(comparison: Comparison) -> list[str]:
    return [f"Not priced: {TITLES[provider]}, because {why}." for provider, why in comparison.unpriced]


def _break_evens(comparison: Comparison) -> str:
    lines = [HETZNER_RULE] if comparison.capped else []
    lines += [f"- {say_break_even(found)}" for found in comparison.break_evens]
    if lines and comparison.break_evens and comparison.break_evens[0].one == CAPPED:
        lines.append("")
        lines.append(f"Were a whole month of {TITLES[CAPPED]} charged on provisioning, which it is not:")
        lines.append("")
        lines += [f"- {say_whole_month(found)}" for found in comparison.break_evens]
    return "\n".join([*lines[:1], "", *lines[1:]]) if lines else ""


def _lines(bill: Bill) -> str:
    rows = [
        (
            str(line.item),
            f"{line.count} x {line.product}",
            money(line.amounts.hour, fine=True),
            money(line.amounts.month),
            money(line.amounts.total),
        )
        for line in bill.lines
    ]
    rows.append(
        ("all", "", money(bill.amounts.hour, fine=True), money(bill.amounts.month), money(bill.total))
    )
    seconds = round(bill.duration.total_seconds())
    return _table(("for", "what", "hour", "month", format_duration(seconds)), rows, right=3)


def _notes(bill: Bill, today: date) -> str:
    return "\n".join(f"- {_sentence(note)}" for note in bill_notes(bill, today))


def _sentence(note: str) -> str:
    """Begin with a capital, unless with a product's name (`cpx22`)."""
    return f"{note[0].upper() if note.partition(' ')[0].isalpha() else note[0]}{note[1:]}."


def bill_notes(bill: Bill, today: date) -> tuple[str, ...]:
    """Return what is to be known about a bill: choice of machines, assumptions, age of the prices."""
    notes = [*_sold_out(bill), *bill.quote.notes]
    dates = sorted({price.date for _, price in bill.quote.prices})
    read = f"{dates[0]}" if dates[0] == dates[-1] else f"between {dates[0]} and {dates[-1]}"
    notes.append(f"prices were read {read}")
    old = bill.quote.older_than(MARKED_AFTER_DAYS, today)
    if old:
        names = ", ".join(dict.fromkeys(name for name, _ in old))
        notes.append(f"older than {MARKED_AFTER_DAYS} days, the oldest {old[0][1].age(today)}: {names}")
    return tuple(notes)


def _sold_out(bill: Bill) -> list[str]:
    notes = []
    for choice in bill.quote.choices:
        if choice.sold_out:
            first, own = choice.sold_out[0], choice.machine
            saving = money(bill.convert(choice.saving))
            need = f"{choice.need.cpus} CPU and {format_size(choice.need.memory)}"
            notes.append(
                f"{first.name} would do for {need} but was sold out on {first.available_on}; "
                f"{own.name} is the next that fits, for {saving} {bill.currency} more a month and server"
            )
    return notes


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]], *, right: int) -> str:
    """Return a Markdown table whose last `right` columns are aligned to the right."""
    rules = ("---",) * (len(head) - right) + ("---:",) * right
    lines = [head, rules, *rows]
    return "\n".join(f"| {' | '.join(str(cell) for cell in line)} |" for line in lines)
