"""Sees how full the cluster is, for a generator in another container that has no librados.

Every few seconds it writes what Ceph says to a file, whole or not at all. It runs on the Python of Ceph's own
image, which may be 3.9. Arguments: the folder with ceph.conf and keyring, the user's name, the file.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import rados

EVERY = 3.0  # seconds
LIMIT = "5"  # seconds for an answer of the monitors or the manager


def connect(folder: str, user: str) -> Any:
    """Connect as a user that may look and no more."""
    keyring = {"keyring": f"{folder}/keyring"}
    cluster = rados.Rados(conffile=f"{folder}/ceph.conf", name=f"client.{user}", conf=keyring)
    for option in ("rados_mon_op_timeout", "rados_osd_op_timeout", "client_mount_timeout"):
        cluster.conf_set(option, LIMIT)
    cluster.connect(timeout=int(LIMIT))
    return cluster


def ask(command: Any, prefix: str) -> Any:
    """Ask the monitors or the manager; raises OSError for a refusal."""
    code, out, status = command(json.dumps({"prefix": prefix, "format": "json"}), b"", timeout=int(LIMIT))
    if code:
        raise OSError(-code, status)
    return json.loads(out)


def look(cluster: Any) -> dict[str, Any]:
    """Return what is to be seen now; the monitors know enough where no manager answers."""
    seen = {"dump": ask(cluster.mon_command, "osd dump"), "health": ask(cluster.mon_command, "health")}
    try:
        seen["usage"] = ask(cluster.mgr_command, "osd df")
    except Exception:  # noqa: BLE001 - librados raises many
        seen["usage"] = None
    return seen


def write(path: Path, data: dict[str, Any]) -> None:
    """Write a file so that a reader never sees half of it."""
    new = path.with_name(f"{path.name}.new")
    new.write_text(json.dumps(data), encoding="utf-8")
    new.replace(path)


def main(folder: str, user: str, path: str) -> None:
    """Look until the container ends."""
    cluster = None
    while True:
        try:
            cluster = cluster or connect(folder, user)
            seen = look(cluster)
        except Exception as error:  # noqa: BLE001 - whatever it is, nothing was seen
            seen = {"error": f"{type(error).__name__}: {error}"[:160]}
        write(Path(path), {**seen, "at": time.time()})
        time.sleep(EVERY)


if __name__ == "__main__":
    main(*sys.argv[1:])
