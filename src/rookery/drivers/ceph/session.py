"""Ceph, asked through librados: one long-lived agent inside a server instead of a process a command.

The agent (`drivers/ceph/guest/agent.py`) runs beside Ceph's own Python bindings; this end needs only a
pipe to it, whatever carries the pipe (`runc exec`, `kubectl exec`).
"""

from __future__ import annotations

import base64
import contextlib
import errno
import json
import struct
import subprocess
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from itertools import count
from typing import Any

from rookery.drivers.machine.process import plain_environment
from rookery.drivers.machine.waiting import awaited
from rookery.errors import RookeryError
from rookery.releases import KeyType

_DEFAULT_LIMIT = 90.0  # seconds; above the agent's own limits, so that its error comes first


class CephError(RookeryError):
    """A command that Ceph refused; keeps the errno and Ceph's words."""

    def __init__(self, what: str, *, code: int, status: str) -> None:
        name = errno.errorcode.get(code, str(code))
        super().__init__(f"Ceph refused {what}: {status or name} ({name})")
        self.code = code
        self.status = status


_KEY_TYPES: Mapping[KeyType, tuple[int, int]] = {"aes": (1, 16), "aes256k": (2, 32)}
"""CryptoKey in Ceph's src/auth/Crypto.h: what each type of key is numbered, and the bytes of its secret."""


def key_bytes(kind: KeyType) -> int:
    """Return how many random bytes a cephx secret of a type has."""
    return _KEY_TYPES[kind][1]


def key_type(key: str) -> KeyType | None:
    """Return the type of a cephx secret as keyrings hold it; None for one that is not known here."""
    (number,) = struct.unpack("<H", base64.b64decode(key)[:2])
    return next((kind for kind, (known, _) in _KEY_TYPES.items() if known == number), None)


def build_cephx_key(random: bytes, *, kind: KeyType, created: int) -> str:
    """Return a cephx secret as keyrings hold it: type, time in seconds, length, secret.

    `random` has as many bytes as secrets of the type (`key_bytes`); raises ValueError for any other number.
    """
    number, length = _KEY_TYPES[kind]
    if len(random) != length:
        raise ValueError(f"a key of type {kind} has {length} bytes, not {len(random)}")
    return base64.b64encode(struct.pack("<HIIH", number, created, 0, length) + random).decode()


def render_keyring(entries: Iterable[tuple[str, str, Sequence[tuple[str, str]]]]) -> str:
    """Return a keyring file from (entity, key, capabilities)."""
    lines = []
    for entity, key, caps in entries:
        lines.append(f"[{entity}]\n\tkey = {key}")
        lines += [f'\tcaps {kind} = "{grant}"' for kind, grant in caps]
    return "\n".join(lines) + "\n"


# What may be asked a second time where nobody knows whether it was done: it leaves the same. The plan's steps
# may all be done again, so every command of theirs is among it; what is not makes something and wants it
# gone.
_AGAIN = frozenset(
    (
        *("mon", "mgr", "tell", "rbd-ensure", "rbd-resize", "cephfs-write", "cephfs-read", "cephfs-folder"),
        *("cephfs-layout", "cephfs-layout-pool"),
    )
)


class CephSession:
    """A connection to a cluster through an agent; requests may come from many threads at once.

    An agent that ended has the next request made by a new one, and once more the request that it did not
    answer, where that may be asked again.
    """

    def __init__(self, argv: Sequence[str]) -> None:
        self._argv = tuple(argv)
        self._lock = threading.Lock()
        self._agent = _Agent(self._argv)

    def mon(self, prefix: str, *, stdin: str = "", accept: Iterable[int] = (), **arguments: Any) -> Any:
        """Send a command to the monitors; return its JSON (or text) answer.

        `accept` are error numbers that are as good as success. Raises CephError.
        """
        return self._command("mon", prefix, arguments, stdin=stdin, accept=accept)

    def mgr(self, prefix: str, *, stdin: str = "", accept: Iterable[int] = (), **arguments: Any) -> Any:
        """Send a command to the active manager."""
        return self._command("mgr", prefix, arguments, stdin=stdin, accept=accept)

    def tell(self, daemon: str, prefix: str, *, stdin: str = "", **arguments: Any) -> Any:
        """Send a command to a daemon itself (`osd.3`, `mgr.storage-k`, `mds.storage-l`)."""
        return self._command("tell", prefix, arguments, stdin=stdin, accept=(), daemon=daemon)

    def operation(self, name: str, **arguments: Any) -> dict[str, Any]:
        """Do one of the agent's own operations (see the agent); raises CephError."""
        answer = self._ask({"op": name, **arguments})
        if answer["code"]:
            raise CephError(name, code=int(answer["code"]), status=str(answer.get("status", "")))
        return answer

    @property
    def alive(self) -> bool:
        """Whether the agent still runs; one whose server was lost does not."""
        return self._agent.alive

    def close(self) -> None:
        self._agent.close()

    def _command(
        self,
        target: str,
        prefix: str,
        arguments: Mapping[str, Any],
        *,
        stdin: str,
        accept: Iterable[int],
        **more: str,
    ) -> Any:
        command = {"prefix": prefix, "format": "json", **arguments}
        answer = self._ask({"op": target, "command": command, "input": stdin, **more})
        code = int(answer["code"])
        if code and code not in tuple(accept):
            raise CephError(f"`{prefix}`", code=code, status=str(answer.get("status", "")))
        out = answer.get("out", "")
        try:
            return json.loads(out) if out else None
        except ValueError:
            return out

    def _ask(self, request: dict[str, Any]) -> dict[str, Any]:
        agent = self._agent if self._agent.alive else self._successor(self._agent)
        try:
            return agent.ask(request)
        except _EndedError as ended:
            if request["op"] in _AGAIN:
                with contextlib.suppress(_EndedError):
                    return self._successor(agent).ask(request)
            return {"code": errno.EPIPE, "status": str(ended)}

    def _successor(self, ended: _Agent) -> _Agent:
        """Return the agent after one that ended: all who asked that one share it."""
        with self._lock:
            if self._agent is ended:
                ended.close()
                self._agent = _Agent(self._argv)
            return self._agent


class _EndedError(Exception):
    """An agent ended before it answered; has its last words."""


class _Agent:
    """The process of an agent, and who waits for its answers."""

    def __init__(self, argv: Sequence[str]) -> None:
        self._process = subprocess.Popen(
            argv,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=plain_environment(),
        )
        self._numbers = count()
        self._waiting: dict[int, Future[dict[str, Any]]] = {}
        self._lock = threading.Lock()
        self._errors: list[str] = []
        self._ended = ""  # its last words: it may be a while until the process itself is gone
        self._readers = (
            threading.Thread(target=self._listen, daemon=True),
            threading.Thread(target=self._collect_errors, daemon=True),
        )
        for thread in self._readers:
            thread.start()

    @property
    def alive(self) -> bool:
        return not self._ended and self._process.poll() is None

    def close(self) -> None:
        assert self._process.stdin is not None
        try:
            self._process.stdin.close()
            self._process.wait(timeout=1)
        except (OSError, subprocess.TimeoutExpired):
            self._process.kill()
            self._process.wait(timeout=5)
        # Both pipes end with the agent, and with them the threads that read and close them.
        for thread in self._readers:
            thread.join(timeout=5)

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Return the answer to a request; raises _EndedError where the agent ends without one."""
        future: Future[dict[str, Any]] = Future()
        assert self._process.stdin is not None
        with self._lock:
            if self._ended:
                raise _EndedError(self._ended)
            number = next(self._numbers)
            self._waiting[number] = future
            try:
                self._process.stdin.write(json.dumps({"id": number, **request}) + "\n")
                self._process.stdin.flush()
            except (OSError, ValueError):  # it ended, or was closed by whoever saw that first
                self._gone()
        try:
            asked = request.get("command", {}).get("prefix", request["op"])
            with awaited(f"Ceph's answer to `{asked}`"):
                return future.result(timeout=_DEFAULT_LIMIT)
        except TimeoutError:
            raise CephError(request["op"], code=errno.ETIMEDOUT, status="no answer from the agent") from None

    def _listen(self) -> None:
        assert self._process.stdout is not None
        with self._process.stdout as lines, contextlib.suppress(ValueError):
            for line in lines:
                answer = json.loads(line)  # an agent that crashes may end within a line
                with self._lock:
                    future = self._waiting.pop(answer.pop("id"), None)
                if future is not None:
                    future.set_result(answer)
        self._readers[1].join(timeout=1)  # its last words come by the other pipe
        with self._lock:
            self._gone()

    def _collect_errors(self) -> None:
        assert self._process.stderr is not None
        with self._process.stderr as lines:
            for line in lines:
                self._errors = [*self._errors[-9:], line.rstrip()]

    def _gone(self) -> None:
        """The agent ended: nobody waits for it any longer."""
        self._ended = "the agent ended. " + " ".join(self._errors[-3:])
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(_EndedError(self._ended))
        self._waiting.clear()
