"""Faults of programs on the native lab: its servers' supervisors keep them running, or are told not to."""

from __future__ import annotations

import http.client
from collections.abc import Iterator

from rookery.design.faults import Fault, FaultKind
from rookery.design.model import Host
from rookery.drivers.containers.supervisor import ProgramState, Supervisor
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.errors import RookeryError
from rookery.projections.native.server import server_programs
from rookery.systems.faults import Breaker
from rookery.systems.native.lab import Lab
from rookery.systems.native.looks import process_state
from rookery.systems.protocol import Report

_OFF, _SILENT = "its server does not run", "its server's supervisor does not answer"
_DEAD = ("", "Z", "X")  # as the kernel says it of a process that ended
_ANSWER_LIMIT = 2.5  # seconds; one that is well answers in milliseconds
_STOP_LIMIT = 30.0  # seconds; what does not end when it is asked to is killed after 10
_START_LIMIT = 60.0  # seconds for a program to be counted as running


def program_breakers(lab: Lab) -> dict[FaultKind, Breaker]:
    """Return how the programs of a lab are broken."""
    return {FaultKind.KILL: _Kill(lab), FaultKind.STOP: _Stop(lab)}


class _Programs:
    """The programs of one lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab

    def obstacle(self, fault: Fault) -> str:
        known = self._designed(self._lab.design.host(fault.host))
        if fault.program not in known:
            return f"{fault.host} has no such program, but {', '.join(known) or 'none'}"
        init = self._init(fault.host)
        if init is None:
            return _OFF
        try:
            state = self._state(Supervisor(init, limit=_ANSWER_LIMIT), fault.program)
        except (OSError, http.client.HTTPException):
            return _SILENT
        return "" if state.state == "RUNNING" else f"it is {state.state.lower()}: {state.description}"

    def heal(self, fault: Fault, report: Report) -> None:
        init = self._init(fault.host)
        if init is None:
            return  # with its server the program is gone, and comes back with it
        supervisor = Supervisor(init)
        try:
            supervisor.start(fault.program)
        except (OSError, http.client.HTTPException):
            raise RookeryError(f"{fault}: {_SILENT}", hint="Heal the server first.") from None

        def look() -> Look[bool]:
            state = self._state(supervisor, fault.program)
            # Of one that was just killed a supervisor says for up to a second that it runs.
            lives = state.state == "RUNNING" and process_state(init, state.pid) not in _DEAD
            seen = f"{state.state.lower()}: {state.description}"
            return Look(seen=seen, value=True if lives else None)

        wait_for(f"{fault.program} on {fault.host}", look, limit=_START_LIMIT, report=report)

    def _kill(self, fault: Fault, processes: str) -> None:
        """Kill a program's first process, `all` of its group, or its server's processes of a name."""
        if processes == "first":
            self._asked(fault).kill(fault.program)
            return
        group = ("kill", "-KILL", "--", f"-{self._state(self._asked(fault), fault.program).pid}")
        self._lab.execute(fault.host, group if processes == "all" else ("pkill", "-KILL", "-x", processes))

    def _asked(self, fault: Fault) -> Supervisor:
        init = self._init(fault.host)
        assert init is not None, "there is an obstacle where its server does not run"
        return Supervisor(init, limit=_STOP_LIMIT)

    def _init(self, host: str) -> int | None:
        return self._lab.pids().get(host)

    def _state(self, supervisor: Supervisor, program: str) -> ProgramState:
        lacking = ProgramState(name=program, state="UNKNOWN", pid=0, description="its supervisor lacks it")
        return next((state for state in supervisor.programs() if state.name == program), lacking)

    def _designed(self, host: Host) -> list[str]:
        return [program.name for program in server_programs(self._lab.design, host)]


class _Kill(_Programs):
    """Its supervisor starts it again."""

    def begin(self, fault: Fault) -> None:
        self._kill(fault, fault.parameter("processes"))

    def begun(self) -> tuple[Fault, ...]:
        return ()


class _Stop(_Programs):
    """Its supervisor keeps it down."""

    def begin(self, fault: Fault) -> None:
        if fault.parameter("how") == "killed":
            self._kill(fault, "all")
        self._asked(fault).stop(fault.program)

    def begun(self) -> Iterator[Fault]:
        for host in self._lab.hosts():
            for program in host.programs:
                if program.stopped:
                    yield Fault(kind=FaultKind.STOP, host=host.name, program=program.name)
