"""How a command works on a running system, with an entry in the journal and words on standard error."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING

from rich.console import Console

from rookery.cli.journaling import Keeping, Record, recorded
from rookery.cli.options import terminal_width
from rookery.run.journal import spec_digest

if TYPE_CHECKING:
    from rookery.systems.protocol import System


@contextlib.contextmanager
def about(system: str | None, keeping: Keeping) -> Iterator[tuple[System, Record]]:
    """Yield the running system with what the journal will say of the command."""
    from rookery.run.systems import opened

    with (
        opened(system) as running,
        recorded(keeping, system=running.design.name, digest=spec_digest(running.workspace.spec)) as record,
    ):
        yield running.system, record


def say(text: str) -> None:
    """Tell what is being done."""
    Console(stderr=True, markup=False, emoji=False, highlight=False, width=terminal_width()).print(text)
