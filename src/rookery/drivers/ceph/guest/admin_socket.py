"""Asks a daemon or a client of Ceph over its admin socket: it is there before anybody can log in to it.

On a server, this file lies beside the programs that use it.
"""

from __future__ import annotations

import json
import socket
from pathlib import Path
from typing import Any

_LIMIT = 3.0  # seconds for an answer


def ask(path: Path, command: str) -> Any:
    """Return the answer to a command, None where nothing comes back.

    The command goes as a line that ends with a zero byte; back come four bytes of length, and JSON. Raises
    OSError or ValueError without a whole answer.
    """
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as door:
        door.settimeout(_LIMIT)
        door.connect(str(path))
        door.sendall(json.dumps({"prefix": command, "format": "json"}).encode() + b"\0")
        with door.makefile("rb") as answer:
            length = int.from_bytes(answer.read(4), "big")
            told = answer.read(length)
    return json.loads(told) if told else None
