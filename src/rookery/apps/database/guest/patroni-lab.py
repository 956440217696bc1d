"""Patroni with a shorter least time to live of the primary's lock: see docs/decisions/0013-failover-time.md.

Everything else is Patroni's own. Should a later Patroni name its floor otherwise, this says so and does not
start: silently waiting longer than designed would be worse.
"""

from __future__ import annotations

import sys
from typing import Any

from patroni import config
from patroni.__main__ import main

LEAST_TTL = 5
_FLOOR = "_Config__get_and_maybe_adjust_int_value"


def lower_floor() -> None:
    original = getattr(config.Config, _FLOOR, None)
    if original is None:
        sys.exit("this Patroni has no floor for ttl by the name known here; see 0013-failover-time.md")

    def adjusted(self: Any, settings: dict[str, Any], name: str, least: int) -> int:
        return int(original(self, settings, name, LEAST_TTL if name == "ttl" else least))

    setattr(config.Config, _FLOOR, adjusted)


if __name__ == "__main__":
    lower_floor()
    sys.argv[0] = "patroni"
    main()
