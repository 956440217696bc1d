"""Commands on a lab's backups, which its agent takes too: one at a time."""

from __future__ import annotations

import time
from typing import Any

from tests.kit.labs import Lab, rookery

AT_WORK = "is at work on backups"
LEASE_LIMIT = 180.0  # seconds; the agent takes its own sets


def backups(lab: Lab, *arguments: str, code: int = 0) -> Any:
    """Run a command on backups until none of the agent's is in its way; return what it says."""
    limit = time.monotonic() + LEASE_LIMIT
    while True:
        done = rookery(*arguments, "--system", lab.name, "--output", "json")
        if AT_WORK not in done.err or time.monotonic() > limit:
            break
        time.sleep(1)
    assert done.code == code, done.err + done.out
    return done.data if done.out else done.err
