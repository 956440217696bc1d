"""What standard output and standard error can show: what a terminal's encoding lacks is replaced.

Without this the first check mark ends a command with a traceback, where a locale is not UTF-8.
"""

from __future__ import annotations

import io
import sys


def soften_output() -> None:
    """Let both streams replace what their encoding has no sign for; called once, at the program's start."""
    for stream in (sys.stdout, sys.stderr):
        # Something else stands there in tests; it is a text in memory then, which takes everything.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
