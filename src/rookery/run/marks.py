"""How a running system deviates from its design, as marks for its drawing."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from rookery.projections.drawing.picture import Mark, MarkKind
from rookery.systems.protocol import Deviation, DeviationKind

_KINDS = {
    DeviationKind.MISSING: MarkKind.MISSING,
    DeviationKind.EXTRA: MarkKind.EXTRA,
    DeviationKind.DIFFERENT: MarkKind.DIFFERENT,
}
# Daemons are drawn by Ceph's names, everything else by the name of its host before its own.
_DAEMONS = ("mon.", "mgr.", "osd.", "mds.", "rgw.")


def marks_of(deviations: Iterable[Deviation]) -> Mapping[str, Mark]:
    """Return a mark for each element of the drawing that deviates, with the first that is said of it.

    Files share one mark on their host: a drawing shows none of them.
    """
    marks: dict[str, Mark] = {}
    files: dict[str, list[str]] = {}
    for deviation in deviations:
        if deviation.item.startswith("/"):
            files.setdefault(deviation.subject, []).append(deviation.item)
        elif not deviation.item and deviation.kind is DeviationKind.MISSING:
            marks.setdefault(deviation.subject, Mark(kind=MarkKind.DOWN, note=deviation.what))
        else:
            mark = Mark(kind=_KINDS[deviation.kind], note=deviation.what)
            marks.setdefault(_element(deviation), mark)
    for host, paths in files.items():
        more = f" and {len(paths) - 1} more" if len(paths) > 1 else ""
        marks.setdefault(host, Mark(kind=MarkKind.DIFFERENT, note=f"{paths[0]}{more}, not as laid"))
    return marks


def _element(deviation: Deviation) -> str:
    if not deviation.item or deviation.item.startswith(_DAEMONS):
        return deviation.item or deviation.subject
    return f"{deviation.subject}/{deviation.item}"
