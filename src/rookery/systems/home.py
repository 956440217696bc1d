"""Where rookery keeps what it has on this machine."""

from __future__ import annotations

import os
from pathlib import Path


def home() -> Path:
    """Return where images and labs are kept, which are the machine's: ROOKERY_HOME, or /var/lib/rookery."""
    return Path(os.environ.get("ROOKERY_HOME", "/var/lib/rookery"))


def own_home() -> Path:
    """Return where whoever runs this keeps what is their own: the systems on servers elsewhere.

    For root, and where ROOKERY_HOME is set, that is where everything is; for others, `rookery` in
    XDG_STATE_HOME or ~/.local/state.
    """
    return home() if os.geteuid() == 0 or "ROOKERY_HOME" in os.environ else user_state()


def user_state() -> Path:
    """Return the folder of a user who is not root: `rookery` in XDG_STATE_HOME or ~/.local/state."""
    state = os.environ.get("XDG_STATE_HOME", "")
    return (Path(state) if state.startswith("/") else Path.home() / ".local/state") / "rookery"


def image_folder() -> Path:
    return home() / "images"


def runtime_folder() -> Path:
    """Return where sockets, root's locks and runc's state are kept: on a tmpfs, gone after a restart."""
    return Path("/run/rookery")
