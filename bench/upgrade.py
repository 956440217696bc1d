"""How long an upgrade of Ceph takes under load, and what its users notice, at default settings.

How: the default lab comes up with Ceph 18. Viewers watch films and the live channel, transactions and objects
come and go (`rookery load`), and one more client commits small rows as fast as they are acknowledged, 20 ms
apart. Then `rookery up` with `storage.ceph: "20"` runs; its own steps tell how long each part took. In the
end every acknowledged row must be there, the load's books must balance, and health is HEALTH_OK.

A kind's errors are requests that failed; stalls are segments that came after the picture needed them.

Run as root: PYTHONPATH=src python bench/upgrade.py [--viewers 20] [--json] [--record]
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import harness
from harness import FailedError, Row
from rookery.drivers.clients.ledger import Account, Ledger
from rookery.plan.upgrade import UPGRADE
from rookery.run.workspace import open_running
from rookery.systems.native.system import NativeSystem

OLD, NEW = "18", "20"
AIM = 240.0  # seconds
LIMIT = 900.0  # seconds; past them something hangs, which is no measurement
QUIET = 15.0  # seconds of load before and after, so that figures have something to stand against


def seconds_of(report: dict[str, Any]) -> float:
    """Return the seconds from the first step of the upgrade to the end of its last."""
    for phase in report["phases"]:
        if phase["phase"] == UPGRADE:
            return float(phase["to"]) - float(phase["from"])
    raise FailedError("`up` took no step of an upgrade")


def load(verb: str, *words: str) -> harness.Done:
    return harness.rookery("load", verb, "--system", harness.NAME, *words, limit=180.0)


def upgrade_under_load(
    spec: Path, system: NativeSystem, options: argparse.Namespace
) -> tuple[dict[str, Any], dict[str, Any], Account]:
    """Return what `up` reports, what the load does, and the ledger's account."""
    wishes = ("--viewers", str(options.viewers), "--transactions", str(options.transactions))
    harness.require(load("start", *wishes, "--churn", str(options.churn)))
    with Ledger(system.database_door("load"), "bench-upgrade") as ledger:
        time.sleep(QUIET)
        spec.write_text(harness.spec_with(NEW), encoding="utf-8")
        _, report = harness.up(spec, limit=LIMIT)
        time.sleep(QUIET)
    account = ledger.account()  # before the load tidies up its database, which the ledger lies in
    return report, json.loads(load("stop", "--output", "json").out), account


def measure(options: argparse.Namespace) -> list[Row]:
    with harness.spec_file(harness.spec_with(OLD)) as spec, harness.lab_gone_after():
        harness.up(spec)
        system = NativeSystem(open_running(harness.NAME).design)
        try:
            report, figures, account = upgrade_under_load(spec, system, options)
        finally:
            system.close()
    return rows_of(report, figures, account)


def rows_of(report: dict[str, Any], figures: dict[str, Any], account: Account) -> list[Row]:
    kinds = {kind["name"]: kind for kind in figures["kinds"] if kind["count"]}
    rows = [
        Row(
            name="the upgrade, from its first step to HEALTH_OK",
            value=seconds_of(report),
            unit="s",
            limit=AIM,
        ),
        Row(name="`up` in all, verified", value=report["seconds"], unit="s"),
        Row(name="rows acknowledged", value=account.acknowledged, unit=""),
        Row(name="acknowledged rows lost", value=len(account.lost), unit="", limit=0),
        Row(name="longest wait between two rows", value=account.longest_wait, unit="s"),
        Row(name="books of the load violated", value=figures["books"] != "held", unit="", limit=0),
    ]
    for name, kind in kinds.items():
        rows.append(Row(name=f"{name}: requests", value=kind["count"], unit=""))
        rows.append(Row(name=f"{name}: failed", value=kind["errors"], unit=""))
        if kind["stalls"]:
            rows.append(Row(name=f"{name}: stalls", value=kind["stalls"], unit=""))
    return rows


def main() -> int:
    """Print the figures; return 1 where a limit is passed or a row is lost."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--viewers", type=int, default=20)
    parser.add_argument("--transactions", type=float, default=10)
    parser.add_argument("--churn", type=float, default=2)
    options = parser.parse_args()
    harness.prepare()
    harness.require_image(OLD, NEW)
    return harness.conclude(lambda: measure(options), options, __file__)


if __name__ == "__main__":
    sys.exit(main())
