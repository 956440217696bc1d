"""Copies buckets of a cluster to an S3 service outside, each below the system's and its own name.

    python3 -m backups.copy_buckets CONFIG.json

The configuration has the `system`, its `sources` (each an `endpoint`, `authority`, `region`, `bucket`, and
the `variables` of the environment with its keys), the `target`, which is told alike, and the days of its
`lock`. Nothing is removed there: who empties a bucket here, by mistake or not, empties no copy.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from .copies import Side, copy
from .errors import BackupError
from .store import Store
from .told import Place

Open = Callable[[Place], Store]


def place_of(told: Mapping[str, Any], environment: Mapping[str, str]) -> Place:
    """Return a bucket and who comes to it; raises BackupError where its keys are not in the environment."""
    access, secret = (environment.get(name, "") for name in told["variables"])
    if not access or not secret:
        raise BackupError(
            f"bucket {told['bucket']} at {told['endpoint']}: there are no keys for it",
            hint="The tree's guide says which Secret has them.",
            kind="not-possible",
        )
    authority = told["authority"]
    return Place(
        name=told["bucket"],
        endpoint=told["endpoint"],
        bucket=told["bucket"],
        # A public service is signed by an authority that the image knows, and brings none.
        authority=authority if Path(authority).exists() else "",
        access=access,
        secret=secret,
        region=told["region"],
    )


def copy_all(config: Mapping[str, Any], environment: Mapping[str, str], opened: Open = Store) -> list[str]:
    """Copy every bucket; return what went wrong, a sentence for each. One that fails keeps no other from
    being copied."""
    problems = []
    target = opened(place_of(config["target"], environment))
    for told in config["sources"]:
        side = Side(store=target, prefix=f"{config['system']}/{told['bucket']}/")
        try:
            source = Side(store=opened(place_of(told, environment)))
            moved = copy(source, side, _say, lock=config["lock"])
            _say(f"{told['bucket']}: {moved} bytes")
        except BackupError as error:
            problems.append("; ".join((f"{told['bucket']}: {error.what}", *error.details)))
    return problems


def _say(text: str) -> None:
    print(text, flush=True)


def main(path: str) -> int:
    """Copy what the configuration names."""
    try:
        problems = copy_all(json.loads(Path(path).read_text(encoding="utf-8")), os.environ)
    except BackupError as error:
        problems = [f"{error.what}. {error.hint}"]
    for problem in problems:
        print(problem, file=sys.stderr)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
