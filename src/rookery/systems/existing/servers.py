"""Servers that are somebody's own: reached by SSH as whoever runs this may, never made nor removed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from rookery.design.model import Design
from rookery.errors import InputError
from rookery.mirror.folder import Mirror
from rookery.plan.step import Step
from rookery.systems.protocol import Removal, Report
from rookery.systems.remote_variables import remote_variables
from rookery.systems.servers import Told, Unswitched


class ExistingServers(Unswitched):
    """The servers that a design's addresses lead to.

    They fetch from `mirror` where it is served to them at `mirror_url`, else from the internet.
    """

    def __init__(self, design: Design, *, mirror: Mirror | None = None, mirror_url: str = "") -> None:
        assert design.kubernetes is not None
        self._design = design
        self._version = design.kubernetes.version
        self._mirror = mirror
        self._mirror_url = mirror_url

    def require_access(self) -> None:
        """Nothing: who may log in there, the servers say."""

    def require(self) -> None:
        """Nothing: they are there."""

    def steps(self) -> tuple[Step, ...]:
        return ()

    def facts(self) -> Iterator[str]:
        return iter(())

    def makes(self, step: Step) -> bool:
        del step
        return False

    def apply(self, step: Step, report: Report) -> None:
        del report
        raise AssertionError(f"{step.id}: these servers are there already")

    def told(self) -> Told:
        variables = remote_variables(mirror=self._mirror, url=self._mirror_url, version=self._version)
        return Told(variables=variables)

    def exec_argv(self, host: str, argv: Sequence[str], *, terminal: bool = False) -> list[str]:
        del terminal  # SSH asks for one itself where there is no command
        known = {one.name: one.address for one in self._design.servers}
        if host not in known:
            raise InputError(f"there is no host {host!r}", hint=f"Hosts: {', '.join(known)}.")
        return ["ssh", *(() if argv else ("-t",)), known[host], *argv]

    @property
    def power_obstacle(self) -> str:
        return "nobody here switches servers that are somebody's own"

    @property
    def switched_by(self) -> str:
        return "Switch it where it stands, or where it was made."

    def removal(self, *, noted: Path) -> Removal | None:
        del noted
        return None
