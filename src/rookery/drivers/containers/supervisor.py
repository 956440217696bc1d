"""A server's supervisor, asked over its own socket from outside the server.

No process is started for it: supervisord speaks XML-RPC on a Unix socket, which the machine reaches
through the server's init process in /proc.
"""

from __future__ import annotations

import http.client
import socket
import xmlrpc.client
from dataclasses import dataclass
from typing import Any

SOCKET = "run/supervisor.sock"
_LIMIT = 15.0  # seconds for an answer
_NEVER = "Not started"


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramState:
    """One program as its supervisor sees it; `state` is supervisor's word (RUNNING, EXITED, FATAL, ...)."""

    name: str
    state: str
    pid: int
    description: str

    @property
    def was_stopped(self) -> bool:
        """Whether it was told to stop: nobody starts it again. One that was never started is none."""
        return self.state == "STOPPED" and not self.pid and self.description != _NEVER


class _UnixConnection(http.client.HTTPConnection):
    def __init__(self, path: str, limit: float) -> None:
        super().__init__("localhost", timeout=limit)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


class _UnixTransport(xmlrpc.client.Transport):
    def __init__(self, path: str, limit: float) -> None:
        super().__init__()
        self._path = path
        self._limit = limit

    def request(self, *arguments: Any, **named: Any) -> Any:
        """Ask, over a connection of its own: nobody tells when the last question was asked."""
        try:
            return super().request(*arguments, **named)
        finally:
            self.close()

    def make_connection(self, host: Any) -> http.client.HTTPConnection:
        connection = _UnixConnection(self._path, self._limit)
        self._connection = (host, connection)  # what `close` closes
        return connection


class Supervisor:
    """The supervisor of the server whose init process has `pid` on the machine; `limit` is in seconds."""

    def __init__(self, pid: int, *, limit: float = _LIMIT) -> None:
        path = f"/proc/{pid}/root/{SOCKET}"
        self._proxy = xmlrpc.client.ServerProxy("http://localhost", transport=_UnixTransport(path, limit))

    def is_awake(self) -> bool:
        """Tell whether the supervisor answers. Being asked also ends its first, idle second: it looks at its
        socket before it starts anything."""
        try:
            self._proxy.supervisor.getState()
        except (OSError, http.client.HTTPException):
            return False
        return True

    def programs(self) -> tuple[ProgramState, ...]:
        """Return every program's state; raises OSError while the supervisor does not answer yet."""
        answer: Any = self._proxy.supervisor.getAllProcessInfo()
        return tuple(
            ProgramState(
                name=str(info["name"]),
                state=str(info["statename"]),
                pid=int(info["pid"]),
                description=str(info["description"] or info["spawnerr"]),
            )
            for info in answer
        )

    def adopt(self) -> tuple[str, ...]:
        """Let the supervisor take its changed configuration over, as `supervisorctl update` does.

        Programs that are new are started unless they wait to be; those that are gone are stopped, those that
        run otherwise now are started again. Returns the names of the latter that ran before.
        """
        ran = {state.name for state in self.programs() if state.state == "RUNNING"}
        answer: Any = self._proxy.supervisor.reloadConfig()
        added, changed, removed = answer[0]
        for name in (*removed, *changed):
            self._proxy.supervisor.stopProcessGroup(name)
            self._proxy.supervisor.removeProcessGroup(name)
        for name in (*changed, *added):
            self._proxy.supervisor.addProcessGroup(name)
        again = tuple(name for name in changed if name in ran)
        for name in again:
            self.start(name)
        return again

    def tell(self, name: str, signal: str) -> None:
        """Send a program that runs a signal (`HUP`), or without one start it again."""
        if name not in {state.name for state in self.programs() if state.state == "RUNNING"}:
            return
        if signal:
            self._proxy.supervisor.signalProcess(name, signal)
        else:
            self._proxy.supervisor.stopProcess(name)
            self.start(name)

    def start(self, name: str) -> None:
        """Start a program that does not run; one that runs already is left alone."""
        try:
            self._proxy.supervisor.startProcess(name, False)  # noqa: FBT003 - do not wait; XML-RPC has no names
        except xmlrpc.client.Fault as fault:
            if "ALREADY_STARTED" not in fault.faultString:
                raise

    def kill(self, name: str) -> None:
        """Kill a program's first process; it is started again as any that ends."""
        self._proxy.supervisor.signalProcess(name, "KILL")

    def stop(self, name: str) -> None:
        """End a program and keep it down; one that does not run is fine. Returns when it has ended."""
        try:
            self._proxy.supervisor.stopProcess(name)
        except xmlrpc.client.Fault as fault:
            if "NOT_RUNNING" not in fault.faultString:
                raise
