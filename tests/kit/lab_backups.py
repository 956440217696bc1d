"""Commands on a lab's backups, which its agent takes too: one at a time; and who comes to their bucket."""

from __future__ import annotations

import time
from typing import Any

from rookery.drivers.clients import s3
from rookery.systems.native.system import NativeSystem
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


def take_set(lab: Lab) -> str:
    taken = backups(lab, "backup", "now", "--only", "database")
    assert taken["state"] == "partial"
    assert taken["parts"][0]["moved"] > 0
    return str(taken["label"])


def beside(system: NativeSystem, restored: Any, table: str = "kept") -> str:
    """Return count and sum of the numbers in the scratch database."""
    argv = (*restored["command"].split(), "load", "-XAtc", f"SELECT count(*), sum(n) FROM {table}")
    return system.execute(restored["host"], argv).strip()


def client_of(system: NativeSystem, user: str) -> Any:
    """Return a client of the lab's S3 service that comes as a user."""
    keys = system.s3_credentials(user)
    url = next(one.url for one in system.endpoints() if one.name == "s3")
    return s3.connect(
        url.rstrip("/"), access_key=keys.user, secret_key=keys.password, ca_file=str(system.ca_file)
    )
