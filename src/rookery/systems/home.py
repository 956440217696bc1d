"""Where rookery keeps what it has on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return where images and labs are kept: ROOKERY_HOME, or /var/lib/rookery."""
    return Path(os.environ.get("ROOKERY_HOME", "/var/lib/rookery"))


def image_folder() -> Path:
    return home() / "images"


def runtime_folder() -> Path:
    """Return where sockets, locks and runc's state are kept: on a tmpfs, gone after a restart."""
    return Path("/run/rookery")
