"""The one way to a running system, native or on Kubernetes.

All that makes a demo worth showing (verify, load, backup, experiments) works against this protocol and
therefore everywhere.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any, Protocol

from rookery.design.model import Design
from rookery.drivers.ceph.session import CephSession
from rookery.drivers.clients.postgres import Door
from rookery.files import File
from rookery.load.model import Figures, Job
from rookery.plan.step import Observation, Step
from rookery.systems.faults import Faults

Report = Callable[[str], None]
"""Hears, in a few words, what a long step is at."""

Pages = Callable[[], tuple[File, ...]]
"""Pages about the system that its website gets beside its own; made when they are published."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """How to log in somewhere: a user (or access key) and a password (or secret key)."""

    user: str
    password: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Endpoint:
    """Where a service of the system answers, and as whom one may use it."""

    name: str
    url: str
    credentials: Credentials | None = None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ProgramStatus:
    """One program on a host: its name, whether it runs, and its supervisor's words.

    One that was `stopped` was told to, and stays so.
    """

    host: str
    name: str
    running: bool
    detail: str
    stopped: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class HostStatus:
    """One host as it is. `memory` is what it uses, in bytes, None where that cannot be told.

    `trouble` says why one that runs serves nobody (`does not answer`), empty where it does.
    """

    name: str
    running: bool
    programs: tuple[ProgramStatus, ...]
    memory: int | None
    trouble: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Listener:
    """A TCP socket that listens: on which address (`*` for all) and port."""

    host: str
    address: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """An instance of the database: its host, its role (`leader`, `sync_standby`, `replica`) and its state
    (`running`, `streaming`, ...), in Patroni's words."""

    name: str
    role: str
    state: str

    @property
    def is_primary(self) -> bool:
        return self.role == "leader" and self.state == "running"

    @property
    def follows(self) -> bool:
        return self.role != "leader" and self.state == "streaming"

    @property
    def trouble(self) -> str:
        """Why it is neither a primary that takes writes nor follows one; empty where it is."""
        if self.is_primary or self.follows:
            return ""
        return f"does not follow: {self.state}" if self.role != "leader" else f"takes no writes: {self.state}"


class DeviationKind(StrEnum):
    """How what runs deviates from the design."""

    MISSING = "missing"
    EXTRA = "extra"
    DIFFERENT = "different"


@dataclass(frozen=True, slots=True, kw_only=True)
class Deviation:
    """One thing that is not as designed: `item` of `subject` (a host, or `cluster`), itself where empty."""

    kind: DeviationKind
    subject: str
    what: str
    item: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Leftover:
    """One thing of a system that is still there: its kind, and its name with a namespace before it if any."""

    kind: str
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VolumeUse:
    """How full a volume is, in bytes used and usable; both None where it cannot be looked at.

    `way` says by what it is attached, and why so where that has a reason; empty where it is not known.
    """

    name: str
    used: int | None
    size: int | None
    way: str = ""


class ClusterView(Protocol):
    """The Kubernetes cluster that a system runs on, for who looks at it: nothing is changed by asking."""

    def objects(self, kind: str, *, namespace: str = "") -> tuple[Mapping[str, Any], ...]:
        """Return the objects of a kind, of a namespace or of all; raises CommandError."""
        ...

    def refusal(self, wanted: Mapping[str, Any]) -> str:
        """Return why the API server would not take an object, or could not be asked; empty where it would."""
        ...

    def execute(
        self, target: str, argv: Sequence[str], *, namespace: str, stdin: str = "", timeout: float = 60.0
    ) -> str:
        """Run a command in a pod (`deploy/NAME`, `pod/NAME`) and return what it says; raises CommandError."""
        ...


class Load(Protocol):
    """The load on a system: at most one run at a time."""

    @property
    def records(self) -> Path:
        """The folder with the record of each run."""
        ...

    def figures(self) -> Figures | None:
        """What the last run says of itself, None where there was none."""
        ...

    def start(self, job: Job, report: Report) -> Figures:
        """Start a run, and wait until it counts."""
        ...

    def stop(self, *, keep: bool, report: Report) -> Figures | None:
        """End the run if there is one, and remove what it made unless `keep`."""
        ...


class Backups(Protocol):
    """The backups of a system, through the programs that take them inside it."""

    def ask(self, command: str, request: Mapping[str, Any], report: Report) -> Any:
        """Have one of their commands carried out (`now`, `list`, `check`, `prune`), and return its answer, as
        JSON; raises RookeryError with its words."""
        ...

    def own(self) -> Mapping[str, bytes]:
        """Return what only this machine has of the system, by names: what it was built from, its secrets.
        Without it nothing is built again. Empty where this machine has nothing of its own."""
        ...

    def keep(self, secrets: Mapping[str, str]) -> None:
        """Keep secrets that somebody brought, for their programs."""
        ...

    def restore(self, request: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        """Bring something back: `kind`, `path` within it, `label` of a set or `at` (ISO 8601), and `to`,
        `scratch` or `in-place`; return what was brought where. Raises RookeryError."""
        ...


class Removal(Protocol):
    """A system's way out. Looking is the proof: what runs is asked, by name, no memory of what was made."""

    def require(self) -> None:
        """Raise NotPossibleError where whoever runs this may not remove such a system at all."""
        ...

    def leftovers(self) -> tuple[Leftover, ...]:
        """Return everything of the system that is there; raises RookeryError where nobody can tell."""
        ...

    def take_down(self, report: Report) -> None:
        """Remove everything; what is gone already is fine. Raises WaitError where something does not go."""
        ...

    def forget(self) -> None:
        """Remove what this machine has noted of the system, once nothing is left of it."""
        ...


class Upgrade(Protocol):
    """A system's way from one release of Ceph to the next, while it serves."""

    @property
    def before(self) -> System:
        """The system by the release that it has: it is brought up first."""
        ...

    @property
    def notices(self) -> tuple[str, ...]:
        """What happens, what cannot be undone, and from when: for people, before it begins."""
        ...

    def steps(self) -> tuple[Step, ...]: ...

    def observe(self) -> Observation: ...

    def apply(self, step: Step, report: Report) -> None: ...


class System(Protocol):
    """A demo system that runs, or is to run."""

    @property
    def design(self) -> Design: ...

    @property
    def ca_file(self) -> Path:
        """The certificate of the authority that signs the system's TLS, for clients."""
        ...

    @property
    def addresses(self) -> Mapping[str, str]:
        """Where clients find hosts of the endpoints' URLs that DNS need not know: name -> address."""
        ...

    def require_access(self) -> None:
        """Raise NotPossibleError where whoever runs this may not work with such a system at all, or this
        machine lacks what asks it."""
        ...

    def require(self) -> None:
        """Raise NotPossibleError where this machine cannot bring such a system up, access included."""
        ...

    def is_reachable(self) -> bool:
        """Whether what runs the system answers at all: its first server, or its API server."""
        ...

    def require_answers(self) -> None:
        """Raise RookeryError where a server hangs, for which what is to be done would wait."""
        ...

    def steps(self) -> tuple[Step, ...]:
        """Every step that brings the system up."""
        ...

    def observe(self) -> Observation:
        """The facts that hold now."""
        ...

    def apply(self, step: Step, report: Report) -> None:
        """Carry one step out; it may have been half done before."""
        ...

    def upgrade(self, running: str) -> Upgrade | None:
        """Return the way to the design's release of Ceph from the one that runs; None where that is the same,
        or an operator of the system's own does it."""
        ...

    def hosts(self) -> tuple[HostStatus, ...]: ...

    def drift(self) -> tuple[Deviation, ...]:
        """Return how what runs deviates from the design."""
        ...

    def endpoints(self) -> tuple[Endpoint, ...]: ...

    def s3_credentials(self, user: str) -> Credentials: ...

    def database_door(self, user: str, *, reads: bool = False) -> Door:
        """Return how `user` reaches the database of its name: the primary, or with `reads` a replica."""
        ...

    def members(self) -> tuple[Member, ...]:
        """The database's instances; none where no instance answers."""
        ...

    def ceph(self, user: str = "admin", host: str = "") -> CephSession:
        """A session as a cephx user, from a host that holds its key; kept open until `close`."""
        ...

    def ceph_or_none(self) -> CephSession | None:
        """The administrator's session where the monitors answer, else None, without waiting long."""
        ...

    def listeners(self) -> tuple[Listener, ...]: ...

    def volumes(self) -> tuple[VolumeUse, ...]:
        """How full the volumes are that applications keep their data on."""
        ...

    @property
    def cluster(self) -> ClusterView | None:
        """The Kubernetes cluster that it runs on; None for a system that runs on none."""
        ...

    @property
    def load(self) -> Load: ...

    @property
    def backups(self) -> Backups | None:
        """Its backups; None for a design without."""
        ...

    @property
    def removal(self) -> Removal: ...

    @property
    def faults(self) -> Faults: ...

    def execute(self, host: str, argv: Sequence[str], *, timeout: float = 60.0) -> str:
        """Run a command on a host and return what it says; raises CommandError."""
        ...

    def shell(self, host: str, argv: Sequence[str]) -> int:
        """Run a command (or a login shell) on a host with this terminal; return its exit status."""
        ...

    def close(self) -> None:
        """Close the sessions; the system goes on running."""
        ...
