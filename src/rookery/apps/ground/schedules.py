"""How often something is done, as cron says it.

Cron knows times of a day, no spans: only what divides an hour or a day comes at even distances. Another span
becomes the next shorter one that does, so that nothing is ever longer ago than was asked for.
"""

from __future__ import annotations

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def cron(seconds: int, *, minute: int = 0, hour: int = 0) -> str:
    """Return the five fields of cron for something that is done each so many seconds, a minute at least.

    `minute` is when within the hour what comes hourly or less often is done, `hour` when within the day what
    comes daily or less often is.
    """
    if seconds >= _DAY:
        days = seconds // _DAY
        return f"{minute} {hour} * * *" if days == 1 else f"{minute} {hour} */{min(days, 31)} * *"
    if seconds >= _HOUR:
        return f"{minute} */{_divisor(24, seconds // _HOUR)} * * *"
    return f"*/{_divisor(60, max(1, seconds // _MINUTE))} * * * *"


def _divisor(whole: int, most: int) -> int:
    """Return the largest divisor of a whole that is not larger than `most`."""
    return next(number for number in range(most, 0, -1) if whole % number == 0)
