"""What the programs are told: a configuration, and the keys in a file of their own."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .errors import BackupError

CONFIG = Path("/etc/rookery/backup.json")
KEYS = Path("/etc/rookery/backup-keys.json")


@dataclass(frozen=True, kw_only=True)
class Place:
    """A bucket of an S3 service, and who comes to it. `authority` is a file, empty for the machine's own;
    `way` is the HTTP proxy that leads there, empty where none does."""

    name: str
    endpoint: str
    bucket: str
    authority: str
    access: str
    secret: str
    region: str = "default"
    way: str = ""


@dataclass(frozen=True, kw_only=True)
class Told:
    """The configuration (`config.py` writes it), and what is secret beside it."""

    config: dict[str, Any]
    keys: dict[str, Any]

    @property
    def kinds(self) -> tuple[str, ...]:
        """The kinds that this system has, in the order in which their moments are taken."""
        return tuple(self.config["kinds"])

    @property
    def place(self) -> Place:
        """Where backups go first: the system's own bucket."""
        store = self.config["store"]
        return Place(
            name="here",
            endpoint=store["endpoint"],
            bucket=store["bucket"],
            authority=store["authority"],
            access=self.keys["access"],
            secret=self.keys["secret"],
        )


def read_told(*, patience: float = 0.0) -> Told:
    """Return what is told, waiting some seconds for the keys, which are laid when their users are made.

    Raises BackupError where they are not there then.
    """
    limit = time.monotonic() + patience
    while True:
        try:
            keys = json.loads(KEYS.read_text(encoding="utf-8"))
            return Told(config=json.loads(CONFIG.read_text(encoding="utf-8")), keys=keys)
        except (FileNotFoundError, json.JSONDecodeError):
            if time.monotonic() >= limit:
                raise BackupError(
                    f"there are no keys for the backups' bucket in {KEYS}",
                    hint="`rookery up` makes them and lays them there.",
                    kind="not-possible",
                ) from None
        time.sleep(0.5)
