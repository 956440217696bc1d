"""What differs from the design, beside the host where it does: a number on the element, its note below."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from rookery.design.model import Host
from rookery.projections.drawing.folding import Marks
from rookery.projections.drawing.font import wrap_text
from rookery.projections.drawing.picture import Mark, MarkKind
from rookery.projections.drawing.zones import Content, Zone

SIZE = 10.0
LEADING = 14.0
_MOST_NOTICES = 6
_WORDS = {
    MarkKind.MISSING: "missing",
    MarkKind.EXTRA: "not in the design",
    MarkKind.DIFFERENT: "differs",
    MarkKind.DOWN: "down",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """One difference: the box that gets a ring (empty where the design has none), and the words."""

    number: int
    box: str
    kind: MarkKind
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Notices:
    """All differences: those of each host's box by its id, and those of no host that is drawn."""

    of_card: Mapping[str, tuple[Notice, ...]]
    elsewhere: tuple[Notice, ...]


def build_notices(shelves: Sequence[Sequence[Zone]], balancer: Host | None, marks: Marks) -> Notices:
    """Number the marks in reading order, and say where each belongs."""
    if not marks:
        return Notices(of_card={}, elsewhere=())
    left = dict(marks)
    found: dict[str, tuple[Notice, ...]] = {}
    number = 1
    for content in (content for shelf in shelves for zone in shelf for content in zone.contents):
        notices = _of_content(content, left, number)
        number += len(notices)
        found[content.card.sample.name] = notices
    if balancer is not None:
        found[balancer.name] = _notices({}, {balancer.name}, left, number)
        number += len(found[balancer.name])
    rest = _notices({}, set(), left, number)
    return Notices(of_card=found, elsewhere=rest)


def lines(notices: Iterable[Notice], width: float) -> tuple[str, ...]:
    """Return the lines in which the notices are written, each at most two long."""
    return tuple(line for notice in notices for line in wrap_text(_sentence(notice), width, SIZE)[:2])


def height(notices: Sequence[Notice], width: float) -> float:
    """Return how high the box with the notices is."""
    return len(lines(notices, width - 16)) * LEADING + 10 if notices else 0.0


def _sentence(notice: Notice) -> str:
    return f"{notice.number}  {notice.text}"


def _of_content(content: Content, left: dict[str, Mark], number: int) -> tuple[Notice, ...]:
    boxes: dict[str, str] = {host.name: content.card.sample.name for host in content.card.hosts}
    groups = [row.ids for row in (*content.upper, *content.lower)]
    groups += [ids for stack in content.stacks for ids in (stack.osd_ids, stack.drive_ids)]
    boxes |= {one: ids[0] for ids in groups for one in ids}
    return _notices(boxes, {host.name for host in content.card.hosts}, left, number)


def _notices(
    boxes: Mapping[str, str], hosts: set[str], left: dict[str, Mark], number: int
) -> tuple[Notice, ...]:
    """Take the marks that belong here out of `left`; those alike on one box become one notice.

    Without hosts, all that is left belongs here.
    """
    groups: dict[tuple[str, Mark, str], list[str]] = {}
    for element in list(left):
        if element in boxes or not hosts or element.partition("/")[0] in hosts:
            box = boxes.get(element, element if element in hosts else "")
            mark = left.pop(element)
            groups.setdefault((box, mark, "" if box else element), []).append(element)
    places = list(dict.fromkeys(boxes.values()))
    order = sorted(groups, key=lambda key: places.index(key[0]) if key[0] in places else len(places))
    notices = [
        Notice(number=number + at, box=key[0], kind=key[1].kind, text=_words(groups[key], key[1]))
        for at, key in enumerate(order[:_MOST_NOTICES])
    ]
    if len(order) > _MOST_NOTICES:
        more = f"and {len(order) - _MOST_NOTICES + 1} more differences"
        notices[-1] = Notice(number=number + _MOST_NOTICES - 1, box="", kind=MarkKind.DIFFERENT, text=more)
    return tuple(notices)


def _words(elements: Sequence[str], mark: Mark) -> str:
    first = elements[0].rpartition("/")[2]
    subject = first if len(elements) == 1 else f"{first} and {len(elements) - 1} more"
    return f"{subject}: {_WORDS[mark.kind]}" + (f", {mark.note}" if mark.note else "")
