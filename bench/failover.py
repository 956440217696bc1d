"""How long writers wait when the host of the primary is lost, at default settings.

How: one client commits small rows through the load balancer's port for writes as fast as they are
acknowledged, 20 ms apart, and connects again when its connection breaks. The primary's server is killed as a
power cut would end it, at a moment that moves through Patroni's loop from round to round. What counts is the
longest time between two acknowledged rows; every acknowledged row must be there afterwards. Between rounds
`up` brings the lost server back, which then follows the new primary.

Run as root: PYTHONPATH=src python bench/failover.py [--rounds 6] [--json] [--record]
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import harness
from harness import FailedError, Row
from rookery.apps.database.patroni import LOOP
from rookery.design.faults import Fault, FaultKind
from rookery.drivers.clients.ledger import Account, Ledger
from rookery.run.workspace import open_running
from rookery.systems.native.system import NativeSystem

LIMIT = 20.0
PATIENCE = 90.0  # seconds; past them it is no failover


def until(condition: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise FailedError(f"waited {PATIENCE:.0f} s for {what}")
        time.sleep(0.05)


def lose_primary(system: NativeSystem, *, number: int, rounds: int) -> Account:
    """One loss: kill, wait until rows are acknowledged again, and tell what became of them."""
    primary = next((member.name for member in system.members() if member.is_primary), "")
    if not primary:
        raise FailedError("there is no primary to lose")
    with Ledger(system.database_door("load"), f"bench-{number}") as ledger:
        until(lambda: ledger.acknowledged > 50, "the first rows")
        time.sleep(LOOP * number / rounds)
        before = ledger.acknowledged
        system.faults.begin(Fault(kind=FaultKind.POWER, host=primary))
        until(lambda: ledger.acknowledged > before + 50, "rows after the loss")
    return ledger.account()


def measure(rounds: int) -> list[Account]:
    accounts = []
    with harness.spec_file() as spec, harness.lab_gone_after():
        harness.up(spec)
        system = NativeSystem(open_running(harness.NAME).design)
        try:
            for number in range(rounds):
                accounts.append(lose_primary(system, number=number, rounds=rounds))
                print(f"round {number + 1}: {accounts[-1].longest_wait:.1f} s", file=sys.stderr, flush=True)
                harness.up(Path(spec))
        finally:
            system.close()
    return accounts


def main() -> int:
    """Print the figures; return 1 where a limit is passed or a row is lost."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    options = parser.parse_args()
    harness.prepare()
    try:
        accounts = measure(max(1, options.rounds))
    except FailedError as error:
        print(error, file=sys.stderr)
        return 1
    waits = [account.longest_wait for account in accounts]
    lost = sum(len(account.lost) for account in accounts)
    rows = [
        Row(
            name="writes back after losing the primary's host, median",
            value=statistics.median(waits),
            unit="s",
        ),
        Row(name="writes back, longest", value=max(waits), unit="s", limit=LIMIT),
        Row(name="rows acknowledged", value=sum(a.acknowledged for a in accounts), unit=""),
        Row(name="acknowledged rows lost", value=lost, unit="", limit=0),
    ]
    harness.tell(rows, options, __file__)
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
