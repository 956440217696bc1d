"""How an application takes part in the design.

An application is a folder in `rookery/apps` and one row in its table. It says where its instances go and
what storage they claim; what its files contain is its own affair, the same on the lab and on Kubernetes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from rookery.design.model import AppDesign, ObjectStore
from rookery.spec.model import AppSettings


@dataclass(frozen=True, slots=True, kw_only=True)
class Surroundings:
    """What an application may build on: the hosts it can run on, by name and address, and the storage."""

    system: str
    workers: tuple[tuple[str, str], ...]
    object_store: ObjectStore | None


Place = Callable[[AppSettings, Surroundings], AppDesign]
"""Place an application; raises InputError where the design lacks what it needs."""

Placers = Mapping[str, Place]
