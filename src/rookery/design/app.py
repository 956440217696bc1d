"""How an application takes part in the design.

An application is a folder in `rookery/apps` and one row in its table. It says where its instances go and
what storage they claim; what its files contain is its own affair, the same on the lab and on Kubernetes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rookery.design.model import AppDesign
from rookery.design.stored import FileSystem, ObjectStore
from rookery.errors import InputError
from rookery.spec.model import AppSettings, Platform


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an application may build on: the hosts it can run on, by name and address, and the storage.

    `block_pools` are the pool for RBD images and the one for their data (empty where it is the same), None
    where there is no block storage; `balancer` is the load balancer's address; `apps` names every
    application that the spec asks for.
    """

    system: str
    platform: Platform
    control_plane: tuple[tuple[str, str], ...]
    workers: tuple[tuple[str, str], ...]
    balancer: str
    apps: frozenset[str]
    block_pools: tuple[str, str] | None
    file_system: FileSystem | None
    object_store: ObjectStore | None

    def some_workers(self, wanted: int | None, most: int, path: str) -> tuple[tuple[str, str], ...]:
        """Return as many workers as the spec asks for at `path`, by default all, but no more than `most`.

        Raises InputError where there are fewer: two instances on one host would share its loss.
        """
        count = min(len(self.workers), most) if wanted is None else wanted
        if count > len(self.workers):
            raise InputError(
                f"{path}: {count} of them want {count} workers, there are {len(self.workers)}",
                hint="Two on one host would share its loss: lower the number or raise hosts.workers.count.",
            )
        return self.workers[:count]


def storage_off(path: str, why: str, kind: str, *, otherwise: str = "") -> InputError:
    """Return the error of an application at `path` that needs a `kind` of storage that the spec turns off."""
    return InputError(
        f"{path}: {why}, and {kind} storage is off",
        hint=f"Set storage.{kind}.enabled to true, or {otherwise or f'remove {path}'}.",
    )


Placer = Callable[[AppSettings, Surroundings], AppDesign]
"""Place an application; raises InputError where the design lacks what it needs."""

Placers = Mapping[str, Placer]
