"""A running system on Kubernetes held against its design."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rookery.projections.kubernetes.placed import Placed
from rookery.systems.kubernetes.bootstrap import Bootstrap
from rookery.systems.kubernetes.items import Applier
from rookery.systems.protocol import Deviation, DeviationKind

_MISSING, _DIFFERENT = DeviationKind.MISSING, DeviationKind.DIFFERENT


def find_drift(bootstrap: Bootstrap, applier: Applier, placed: Sequence[Placed]) -> Iterator[Deviation]:
    """Yield nodes that are missing or not marked, then items that are not there as they are rendered."""
    for name in bootstrap.strangers():
        yield Deviation(kind=_MISSING, subject=name, what="node")
    for name in bootstrap.unmarked():
        yield Deviation(kind=_DIFFERENT, subject=name, what="labels and taints")
    facts = applier.facts(placed)
    for one in placed:
        if one.path and one.id not in facts:
            yield Deviation(kind=_DIFFERENT, subject="cluster", what=one.path, item=one.item.name)
