"""A command that writes a journal entry, and does what it is told to: ends well, fails, or is killed."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import click

from rookery.cli.journaling import Keeping, journal_options, recorded
from rookery.errors import ExitCode, NotPossibleError


@click.command()
@click.argument("spec", required=False)
@click.option("--viewers", type=int)
@click.option("--keep", is_flag=True)
@click.option("-o", "--output", default="text")
@journal_options
def work(spec: str | None, *, viewers: int | None, keep: bool, output: str, keeping: Keeping) -> int:
    beside = Path(spec) if spec is not None and spec.endswith(".yaml") else None
    with recorded(keeping, system="demo", digest="0123456789ab", beside=beside) as record:
        record.did = "11 steps"
        if keep:
            record.empty = True
        if viewers == 1:
            raise NotPossibleError("no overlay\ncan be mounted", details=("password: x",))
        if viewers == 2:
            raise KeyboardInterrupt
        if viewers == 3:
            raise ZeroDivisionError("by hand")
        if viewers == 4:
            os.kill(os.getpid(), signal.SIGTERM)
        return record.ends(ExitCode.VIOLATED, "1 fail")
