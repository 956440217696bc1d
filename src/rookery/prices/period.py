"""Time as bills count it: by calendar month.

A provider's rules look at how long a thing existed within each calendar month (a cap, a monthly price and a
discount begin anew on the first). So a stretch of time is a tuple of parts, one for each month that it
touches. Price lists speak of a month of 730 hours; `list_parts` makes parts of that kind, without a date.
All times are UTC.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from rookery.errors import InputError

HOUR = 3600
DAY = 24 * HOUR
WEEK = 7 * DAY
LIST_MONTH = 730 * HOUR
"""A twelfth of 8,760 hours: the month of price lists and calculators."""

_UNITS = {
    "s": 1,
    "sec": 1,
    "min": 60,
    "m": 60,
    "h": HOUR,
    "hour": HOUR,
    "d": DAY,
    "day": DAY,
    "w": WEEK,
    "week": WEEK,
}
_WORD = re.compile(r"(\d+(?:\.\d+)?)\s*([a-z]+)")
_LONGEST = timedelta(days=3660)


@dataclass(frozen=True, slots=True, kw_only=True)
class MonthPart:
    """How many seconds of a month of `month_seconds` something existed."""

    seconds: int
    month_seconds: int

    @property
    def started_hours(self) -> int:
        return -(-self.seconds // HOUR)


Parts = tuple[MonthPart, ...]


def calendar_parts(start: datetime, duration: timedelta) -> Parts:
    """Return a part for each calendar month between `start` and `start + duration`.

    Both are counted in whole seconds; a fraction of one counts as a whole second.
    """
    parts = []
    moment, end = utc(start), utc(start) + duration
    while moment < end:
        first = moment.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
        following = add_months(first, 1)
        seconds = -((moment - min(end, following)) // timedelta(seconds=1))
        parts.append(MonthPart(seconds=seconds, month_seconds=_seconds(following - first)))
        moment = following
    return tuple(parts)


def list_parts(seconds: int) -> Parts:
    """Return `seconds` from the beginning of a month of 730 hours, and of further such months."""
    whole, rest = divmod(seconds, LIST_MONTH)
    parts = (MonthPart(seconds=LIST_MONTH, month_seconds=LIST_MONTH),) * whole
    return parts + ((MonthPart(seconds=rest, month_seconds=LIST_MONTH),) if rest else ())


def calendar_month(moment: datetime) -> Parts:
    """Return the whole calendar month that `moment` is in."""
    first = utc(moment).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    return calendar_parts(first, add_months(first, 1) - first)


def parse_duration(text: str, start: datetime) -> timedelta:
    """Return the duration that `90min`, `8h`, `3d`, `1d12h`, `2w` or `1month` means from `start` on.

    A month goes to the same day and hour of the next one (or its last day), so its length depends on `start`.
    """
    words = _WORD.findall(text.strip().lower())
    if not words or _WORD.sub("", text.strip().lower()).strip():
        raise _unclear(text)
    end = utc(start)
    for number, word in words:
        unit = word.removesuffix("s") if len(word) > 2 else word
        try:
            if unit in ("month", "mo"):
                end = add_months(end, int(number))
            elif unit in _UNITS:
                end += timedelta(seconds=float(number) * _UNITS[unit])
            else:
                raise _unclear(text)
        except OverflowError:
            raise _unclear(text) from None
        except ValueError:
            raise _unclear(text) from None
    duration = end - utc(start)
    if not timedelta(seconds=1) <= duration <= _LONGEST:
        raise InputError(f"the duration {text!r} is out of range", hint="From one second to ten years.")
    return duration


def add_months(moment: datetime, months: int) -> datetime:
    """Return the same day and time of a later month; its last day where it has no such day."""
    year, month = divmod(moment.year * 12 + moment.month - 1 + months, 12)
    for day in range(moment.day, 27, -1):
        try:
            return moment.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return moment.replace(year=year, month=month + 1)


def utc(moment: datetime) -> datetime:
    """Return the moment in UTC; one without a zone is taken as UTC."""
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def format_duration(seconds: int) -> str:
    """Write a duration for people, exactly: `38 min`, `1 h 15 min`, `3 d`, `1 d 12 h`."""
    names = (("d", DAY), ("h", HOUR), ("min", 60), ("s", 1))
    words = []
    for name, size in names:
        count, seconds = divmod(seconds, size)
        words += [f"{count} {name}"] if count else []
    return " ".join(words) or "0 s"


def _seconds(span: timedelta) -> int:
    return span // timedelta(seconds=1)


def _unclear(text: str) -> InputError:
    return InputError(f"{text!r} is no duration", hint="Write it like 90min, 8h, 3d, 1d12h, 2w or 1month.")
