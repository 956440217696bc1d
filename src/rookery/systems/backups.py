"""How the programs of backup inside a system are spoken with: a command, a request, lines that come back.

A container of the lab or a pod of a cluster runs them; which command starts one there is its carrier's
matter.
"""

from __future__ import annotations

import json
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

from rookery.errors import InputError, NotPossibleError, RookeryError
from rookery.systems.protocol import Report

_LIMIT = 6 * 3600.0  # seconds; what takes longer hangs
_SAID = 6  # lines of what a program said that ended without an answer
_ERRORS = {"input": InputError, "not-possible": NotPossibleError}


class Carrier(Protocol):
    """Where the programs of backup run."""

    def argv(self, command: str) -> Sequence[str]:
        """Return what starts a command of theirs where it belongs; raises RookeryError where nothing does."""
        ...


class Programs:
    """The programs of backup of one system."""

    def __init__(
        self,
        carrier: Carrier,
        *,
        own: Mapping[str, Path] | None = None,
        keep: Callable[[Mapping[str, str]], None] | None = None,
    ) -> None:
        """`own` are the files that only this machine has of the system, by their names in its backup; `keep`
        adds to the secrets among them."""
        self._carrier = carrier
        self._own = own or {}
        self._keep = keep

    def own(self) -> Mapping[str, bytes]:
        """Return what only this machine has of the system, by names: without it nothing is built again."""
        return {name: path.read_bytes() for name, path in self._own.items() if path.exists()}

    def keep(self, secrets: Mapping[str, str]) -> None:
        """Keep secrets that somebody brought, for the programs; raises NotPossibleError where none can be."""
        if self._keep is None:
            raise NotPossibleError("keys for copies outside cannot be kept on this platform yet")
        self._keep(secrets)

    def ask(self, command: str, request: Mapping[str, Any], report: Report) -> Any:
        """Have a command carried out, and return its answer; raises RookeryError with its words."""
        process = subprocess.Popen(
            self._carrier.argv(command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            encoding="utf-8",
            errors="replace",
        )
        assert process.stdin is not None
        assert process.stdout is not None
        complaints = _Complaints(process)
        watch = threading.Timer(_LIMIT, process.kill)
        watch.daemon = True
        watch.start()
        try:
            process.stdin.write(json.dumps(request))
            process.stdin.close()
            for line in process.stdout:
                found = _read(line)
                if "at" in found:
                    report(found["at"])
                elif "result" in found:
                    return found["result"]
                elif "error" in found:
                    raise _error(found["error"])
        finally:
            watch.cancel()
            process.stdout.close()
            process.wait()
        raise RookeryError(
            f"`backups {command}` ended without an answer (exit {process.returncode})",
            details=complaints.last(),
        )

    def restore(self, request: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        """Bring something back where the programs run, and return what was brought where."""
        found: Mapping[str, Any] = self.ask("restore", request, report)
        return found


class _Complaints:
    """What a program writes to standard error, read beside the rest so that it never waits for a reader."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._lines: list[str] = []
        self._stream = process.stderr
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def last(self) -> tuple[str, ...]:
        self._thread.join(timeout=5.0)
        return tuple(self._lines[-_SAID:])

    def _follow(self) -> None:
        assert self._stream is not None
        for line in self._stream:
            self._lines = [*self._lines[-_SAID:], line.rstrip()]
        self._stream.close()


def _read(line: str) -> Mapping[str, Any]:
    """Return what a line says; what is no line of the programs' own says nothing."""
    try:
        found = json.loads(line)
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def _error(told: Mapping[str, Any]) -> RookeryError:
    kind = _ERRORS.get(told["kind"], RookeryError)
    return kind(told["what"], hint=told["hint"], details=tuple(told["details"]))
