"""The file system's root, mounted for as long as something is read or brought back.

The mount's client is a process of ours and ends with us, whatever ends us. What a killed run left is
unmounted by the next one, and its client is ended at the monitors, so that nobody waits for what it held.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

from .errors import BackupError
from .told import Told
from .tools import child

_PATH = Path("/run/rookery-backup/files")
_LOG = Path("/run/rookery-backup/ceph-fuse.log")
# As a share's: what `share-client` notes, it finds again by this name.
_NAME = "backup"
_SOCKET = Path(f"/run/ceph/share-{_NAME}.asok")
_NOTE = Path(f"/var/lib/rookery/share-{_NAME}.client")
_SHARE_CLIENT = "/usr/lib/rookery/share-client"
_MOUNTS = 60.0  # seconds until a mount must have become one
_ENDS = 30.0


@contextlib.contextmanager
def mounted(told: Told) -> Iterator[Path]:
    """Mount the root and yield where it is; raises BackupError where it does not become a mount."""
    user = told.config["cluster"]["user"]
    _unmount()
    _PATH.mkdir(parents=True, exist_ok=True)
    _SOCKET.parent.mkdir(parents=True, exist_ok=True)
    _SOCKET.unlink(missing_ok=True)
    if _NOTE.exists():
        subprocess.run((_SHARE_CLIENT, "end", _NAME, user), stdout=subprocess.DEVNULL, check=False)
    argv = child(
        *("ceph-fuse", "-f", "--id", user, "--client_fs", told.config["files"]["fileSystem"]),
        *("-r", "/", str(_PATH), f"--admin-socket={_SOCKET}"),
    )
    with _LOG.open("wb") as log:
        client = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
    note = None
    try:
        _await_mount(client)
        note = subprocess.Popen(child(_SHARE_CLIENT, "note", _NAME), stdout=subprocess.DEVNULL)
        yield _PATH
    finally:
        if note is not None:
            note.kill()
            note.wait()
        _end(client)


def _await_mount(client: subprocess.Popen[bytes]) -> None:
    limit = time.monotonic() + _MOUNTS
    while not os.path.ismount(_PATH):
        if client.poll() is not None or time.monotonic() > limit:
            said = _LOG.read_text(encoding="utf-8", errors="replace").splitlines()
            raise BackupError("the file system cannot be mounted", details=tuple(said[-4:]))
        time.sleep(0.05)


def _end(client: subprocess.Popen[bytes]) -> None:
    """Unmount, and wait for the client's end; one that does not end is killed, and stays noted."""
    _unmount()
    try:
        client.wait(timeout=_ENDS)
        _NOTE.unlink(missing_ok=True)
    except subprocess.TimeoutExpired:
        client.kill()
        client.wait()


def _unmount() -> None:
    """Unmount what is mounted, also what has no client any more; it need not be mounted."""
    for how in ((), ("--lazy",)):
        done = subprocess.run(("umount", *how, str(_PATH)), capture_output=True, check=False)
        if not done.returncode:
            return
