"""qemu's control socket (QMP): one command a connection."""

from __future__ import annotations

import json
import socket
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from rookery.errors import RookeryError

_LIMIT = 30.0  # seconds for an answer


def execute(path: Path, command: str, arguments: Mapping[str, Any]) -> Any:
    """Send a command to the socket at `path` and return what it answers; raises RookeryError."""
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as plain:
            plain.settimeout(_LIMIT)
            plain.connect(str(path))
            with plain.makefile("rwb") as stream:
                json.loads(stream.readline())  # the greeting
                _ask(stream, {"execute": "qmp_capabilities"})
                answer = _ask(stream, {"execute": command, "arguments": dict(arguments)})
    except (OSError, ValueError) as error:
        raise RookeryError(f"qemu's storage daemon does not answer at {path}: {error}") from None
    if "error" in answer:
        raise RookeryError(f"qemu's storage daemon refused {command}: {answer['error'].get('desc', '')}")
    return answer.get("return")


def _ask(stream: Any, request: dict[str, Any]) -> dict[str, Any]:
    stream.write(json.dumps(request).encode() + b"\n")
    stream.flush()
    while True:
        line = stream.readline()
        if not line:
            raise OSError("the connection was closed")
        answer: dict[str, Any] = json.loads(line)
        if "event" not in answer:  # events come in between
            return answer
