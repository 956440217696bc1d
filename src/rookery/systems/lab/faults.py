"""Faults of a lab's servers, whatever runs on them: power, standstill, cables."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rookery.design.faults import Fault, FaultKind
from rookery.design.model import Design, Host
from rookery.drivers.containers.runc import Runc
from rookery.drivers.machine import network
from rookery.systems.faults import Breaker, PowerOn
from rookery.systems.lab.networks import host_cables
from rookery.systems.lab.paths import LabPaths
from rookery.systems.lab.power import cut_power
from rookery.systems.protocol import Report

_OFF = "it does not run"


def lab_breakers(design: Design, paths: LabPaths, runc: Runc, back: PowerOn) -> dict[FaultKind, Breaker]:
    """Return how the servers of a lab are broken."""
    return {
        FaultKind.POWER: _Power(design=design, paths=paths, runc=runc, back=back),
        FaultKind.HANG: _Hang(design=design, paths=paths, runc=runc),
        FaultKind.CUT: _Cut(design=design, paths=paths, runc=runc),
    }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Servers:
    """One lab's servers."""

    design: Design
    paths: LabPaths
    runc: Runc

    def container(self, fault: Fault) -> str:
        return self.paths.container(fault.host)

    def runs(self, fault: Fault) -> bool:
        return self.container(fault) in self.runc.running()


@dataclass(frozen=True, slots=True, kw_only=True)
class _Power(_Servers):
    """Its drives stay, and what it had written on them."""

    back: PowerOn

    def obstacle(self, fault: Fault) -> str:
        return "" if self.runs(fault) else _OFF

    def begin(self, fault: Fault) -> None:
        cut_power(self.runc, self.container(fault))

    def heal(self, fault: Fault, report: Report) -> None:
        self.back(fault.host, report)

    def begun(self) -> Iterator[Fault]:
        """Yield the servers that are off and were up: what they run by is noted when they are."""
        running = self.runc.running()
        for host in self.design.hosts:
            if self.paths.container(host.name) not in running and self.paths.server(host.name).laid.exists():
                yield Fault(kind=FaultKind.POWER, host=host.name)


class _Hang(_Servers):
    """Frozen by its control group."""

    def obstacle(self, fault: Fault) -> str:
        if not self.runs(fault):
            return _OFF
        return "it hangs already" if self.container(fault) in self.runc.paused() else ""

    def begin(self, fault: Fault) -> None:
        self.runc.pause(self.container(fault))

    def heal(self, fault: Fault, _report: Report) -> None:
        if self.container(fault) in self.runc.paused():
            self.runc.resume(self.container(fault))

    def begun(self) -> Iterator[Fault]:
        paused = self.runc.paused()
        for host in self.design.hosts:
            if self.paths.container(host.name) in paused:
                yield Fault(kind=FaultKind.HANG, host=host.name)


class _Cut(_Servers):
    """The outer ends of its cables are set down: it loses the carrier, and keeps addresses and routes."""

    def obstacle(self, fault: Fault) -> str:
        if not self.runs(fault):
            return _OFF
        cables = self._cables(fault)
        if not cables:
            return f"it has no cable to the {fault.parameter('network')} network"
        return "" if any(map(network.is_on, cables)) else "its cables are out already"

    def begin(self, fault: Fault) -> None:
        network.turn_off(self._cables(fault))

    def heal(self, fault: Fault, _report: Report) -> None:
        network.turn_on([cable for cable in self._cables(fault) if not network.is_on(cable)])

    def begun(self) -> Iterator[Fault]:
        for host in self.design.hosts:
            there = self._there(host)
            out = [name for name, cable in there.items() if not network.is_on(cable)]
            if out and len(out) == len(there):
                yield Fault(kind=FaultKind.CUT, host=host.name)
            else:
                for name in out:
                    yield Fault(kind=FaultKind.CUT, host=host.name, parameters=(("network", name),))

    def _cables(self, fault: Fault) -> list[str]:
        """Return the outer ends of the cables that a fault is about."""
        wanted = fault.parameter("network")
        there = self._there(self.design.host(fault.host))
        return [cable for name, cable in there.items() if wanted in ("all", name)]

    def _there(self, host: Host) -> dict[str, str]:
        """Return the cables of a host that are laid: network -> outer end."""
        cables = zip(("public", "cluster"), host_cables(self.design, self.paths, host), strict=False)
        return {
            name: cable.outside for name, cable in cables if network.is_plugged(cable.outside, cable.bridge)
        }
