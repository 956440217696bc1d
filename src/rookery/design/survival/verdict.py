"""What a promise says, as data: of the whole, of each kind of data, each pool, each service, each repair."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rookery.design.survival.loss import Loss


class DataKind(StrEnum):
    """What is stored: volumes, files, objects, and the rows of the database, which lie on volumes."""

    BLOCK = "block"
    FILES = "files"
    OBJECTS = "objects"
    DATABASE = "database"


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Whether every acknowledged write of a kind of data is kept, whatever becomes of what was lost."""

    kind: DataKind
    safe: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolLeft:
    """What is left of a pool's `size` copies or chunks in the placement group that a loss hits hardest.

    `kept` are on drives that are left, `served` by OSDs that run. The pool is `safe` while no fewer than
    `needed` are kept, and `active` while no fewer than `min_size` are served and its placement groups can
    tell so. `after` are there once all has healed that heals by itself. `kind` is None for the managers' own
    pool, in which nobody's data is.
    """

    name: str
    kind: DataKind | None
    size: int
    needed: int
    min_size: int
    kept: int
    served: int
    safe: bool
    active: bool
    after: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """Whether a service goes on, and why or why not.

    `name` is `monitors`, a kind of data, `dashboard`, `control plane`, an application, `load balancer`, or
    one of its ports (`port site`). Reads and writes of `clients` go through it, or only administration does.
    """

    name: str
    clients: bool
    goes_on: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Mending:
    """What is left of a thing's `of` now, and what by itself becomes of it: `after`, all or fewer.

    `what` is a pool's copies or chunks, a kind of daemon, an application's component, or a kind of host.
    """

    what: str
    now: int
    after: int
    of: int
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Survives:
    """What remains after a loss.

    `data`: nothing stored is lost. `service`: every client's reads and writes go on, through the load
    balancer too. `heals`: what was lost is made again on what is left, without anybody's help: the data of
    hosts that have drives, the instances of those that have none. `reason` says why.

    `subject` is what is lost, `loss` the same as data. Where the subject is a choice (any one drive), the
    worst of all choices counts; `loss`, `reason` and what follows are of that one. The data heals under
    nearfull with up to `room` bytes stored, 0 where it does not.
    """

    subject: str
    data: bool
    service: bool
    heals: bool
    reason: str
    loss: Loss
    kept: tuple[Kept, ...]
    pools: tuple[PoolLeft, ...]
    services: tuple[Service, ...]
    mendings: tuple[Mending, ...]
    room: int

    def service_of(self, name: str) -> Service:
        """Return a service by its name; raises KeyError where the design has none of it."""
        for service in self.services:
            if service.name == name:
                return service
        raise KeyError(name)
