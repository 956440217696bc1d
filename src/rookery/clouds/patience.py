"""Patience with a cloud: what it may be asked again is asked again, with pauses that grow, up to a limit.

No SDK does this alike: one sends a creation again that may have taken effect, one gives up at the first cut
connection, none waits for as long as a rate limit says. So below every call is tried once, and this is the
one place that tries again. Whatever is called here looks before it makes.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from rookery.clouds.cloud import BusyError, CloudError, Reporter, UnsureError
from rookery.drivers.machine.waiting import awaited

T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long one waits, in seconds: in all without an answer, at first between two tries, at most.

    `sleep` and `now` are the clock's.
    """

    limit: float = 600.0
    first: float = 1.0
    longest: float = 30.0
    sleep: Callable[[float], None] = time.sleep
    now: Callable[[], float] = time.monotonic


def patiently(what: str, call: Callable[[], T], patience: Patience, report: Reporter) -> T:
    """Return what a call returns, tried again while the cloud says that it may be.

    Raises the last error at the limit, with how long was waited.
    """
    began, pause = patience.now(), patience.first
    with awaited(what):
        while True:
            try:
                return call()
            except (BusyError, UnsureError) as error:
                waited = patience.now() - began
                after = max(pause, error.after) if isinstance(error, BusyError) else pause
                if waited + after > patience.limit:
                    raise _given_up(what, error, waited) from error
                report(f"{what}: {error.what}; again in {after:.0f} s")
                patience.sleep(after)
                pause = min(2 * pause, patience.longest)


def _given_up(what: str, error: CloudError, waited: float) -> CloudError:
    return CloudError(
        f"waited {waited:.0f} s for {what}, in vain: {error.what}",
        details=error.details,
        hint="The same command goes on from here.",
    )
