"""How the programs speak with whoever started them: lines of JSON on standard output."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from typing import Any

from .errors import BackupError

Report = Callable[[str], None]
"""Hears, in a few words, what a long piece of work is at."""


def say(words: str) -> None:
    """Tell what is being done."""
    _write({"at": words})


def answer(result: Any) -> None:
    """Give what was asked for; the last line of a command that did what it should."""
    _write({"result": result})


def refuse(error: BackupError) -> None:
    """Say why not; the last line of a command that failed."""
    told = {"what": error.what, "hint": error.hint, "details": list(error.details), "kind": error.kind}
    _write({"error": told})


def _write(line: dict[str, Any]) -> None:
    try:
        sys.stdout.write(json.dumps(line) + "\n")
        sys.stdout.flush()
    except BrokenPipeError:
        # Whoever listened was killed. The work goes on to its end: half a set helps nobody.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
