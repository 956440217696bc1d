"""Which classes of storage the pods of a design ask volumes of."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from rookery.manifest import Objects, Release, Stage

# A claim names its class so, and CloudNativePG's clusters do. Storage classes themselves are made under a key
# of the second name, with a table in it.
_KEYS = ("storageClassName", "storageClass")


def volume_classes(stages: Iterable[Stage]) -> frozenset[str]:
    """Return the names of the storage classes that objects and charts' values ask volumes of.

    Bucket claims name their class in the same way, so its name is among them too.
    """
    items = [item for stage in stages for item in stage.items]
    data: list[Any] = [item.objects for item in items if isinstance(item, Objects)]
    data += [item.values for item in items if isinstance(item, Release)]
    return frozenset(_named(data))


def _named(value: Any, key: str = "") -> Iterator[str]:
    if isinstance(value, str):
        if key in _KEYS:
            yield value
    elif isinstance(value, dict):
        for name, inner in value.items():
            yield from _named(inner, name)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _named(inner)
