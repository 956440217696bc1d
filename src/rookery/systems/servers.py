"""Who makes the servers of a system, and all that a system asks of them.

A system on Kubernetes is given its servers and knows nothing of where they come from: this machine makes them
(`systems/lab/nodes`), or somebody else did (`systems/existing`). Which class it is for a provider says
`run/systems.py`; what is known of a provider without asking anybody stands in `providers.py`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from rookery.design.faults import FaultKind
from rookery.errors import NotPossibleError
from rookery.plan.step import Step
from rookery.systems.faults import Breaker, PowerOn
from rookery.systems.protocol import Removal, Report


@dataclass(frozen=True, slots=True, kw_only=True)
class ClusterSecret:
    """A secret that the cluster's own controllers want before they begin, with its values in the clear."""

    name: str
    namespace: str
    values: Mapping[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What playbooks are told beside the tree: variables of all servers, and of single ones by name.

    With `staying`, one Python stays on each server for all tasks: for servers that share a machine, and that
    no playbook restarts. `secrets` are for the cluster once it is there; no playbook sees them.
    """

    variables: Mapping[str, Any] = field(default_factory=dict)
    hosts: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    staying: bool = False
    secrets: tuple[ClusterSecret, ...] = ()


class Servers(Protocol):
    """The servers of one system, there or to be made."""

    def require_access(self) -> None:
        """Raise NotPossibleError where whoever runs this may not work with such servers at all."""
        ...

    def require(self) -> None:
        """Raise NotPossibleError where this machine cannot make them, access included."""
        ...

    def steps(self) -> tuple[Step, ...]:
        """Every step that makes them, in an order in which each comes after those that it needs; none where
        they are somebody else's."""
        ...

    def facts(self) -> Iterator[str]:
        """Yield the ids of the steps that are done."""
        ...

    def makes(self, step: Step) -> bool:
        """Whether a step is one of these."""
        ...

    def apply(self, step: Step, report: Report) -> None:
        """Carry one of these steps out; it may have been half done before."""
        ...

    def told(self) -> Told:
        """What the playbooks must know of these servers."""
        ...

    def exec_argv(self, host: str, argv: Sequence[str], *, terminal: bool = False) -> list[str]:
        """The command that runs `argv` on a host, or a shell there; InputError where there is none."""
        ...

    def began(self) -> Mapping[str, float | None]:
        """When each server was started, in seconds since 1970, by its name; None for one that is not there.

        A server that nobody here can tell this of is not among them.
        """
        ...

    def memory(self, host: str) -> int | None:
        """What a server's processes take, in bytes, without the page cache; None where nobody here knows."""
        ...

    @property
    def power_obstacle(self) -> str:
        """Why their power is not ours to cut; empty where it is."""
        ...

    def power_off(self, host: str) -> None:
        """Cut a server's power: it ends at once, without a word to anybody. One that is off stays off.

        Raises NotPossibleError where there is an obstacle.
        """
        ...

    def power_on(self, host: str, report: Report) -> None:
        """Start a server again, on what it had written. One that runs goes on.

        Raises NotPossibleError where there is an obstacle.
        """
        ...

    def breakers(self, back: PowerOn) -> Mapping[FaultKind, Breaker]:
        """How they are broken, by each kind of fault that somebody here has a hand on.

        One that lost its power is started again by `back`: by whoever knows what runs on it.
        """
        ...

    def removal(self, *, noted: Path) -> Removal | None:
        """The way out of them, and of all that runs on them; None where they are somebody else's, and stay.

        In the folder `noted` this machine has noted what was made of them.
        """
        ...


class Unswitched(ABC):
    """Servers that stand elsewhere: nobody here looks into them, switches or breaks them."""

    @property
    @abstractmethod
    def power_obstacle(self) -> str:
        """Why their power is not ours to cut."""

    @property
    @abstractmethod
    def switched_by(self) -> str:
        """Who switches them instead, as advice."""

    def began(self) -> Mapping[str, float | None]:
        return {}

    def memory(self, host: str) -> int | None:
        del host
        return None

    def power_off(self, host: str) -> None:
        self._refuse_power(host)

    def power_on(self, host: str, report: Report) -> None:
        del report
        self._refuse_power(host)

    def breakers(self, back: PowerOn) -> Mapping[FaultKind, Breaker]:
        del back
        return {}

    def _refuse_power(self, host: str) -> None:
        raise NotPossibleError(f"{host} stays as it is: {self.power_obstacle}", hint=self.switched_by)
