"""The objects' places: a fixed set of slots whose sizes add up to the budget of space.

An object can only be put into a slot, and each slot holds one: however many are put, the space is never
exceeded. No object is larger than 4 MiB: RADOS keeps such a one whole in its head, so that what is deleted
is free at once; the tails of larger ones wait two hours for garbage collection (rgw_gc_obj_min_wait).
"""

from __future__ import annotations

import random
from dataclasses import dataclass

# From 4 kB to 4 MB, each the same number of times: most bytes are in large objects, most objects are small.
SIZES = (4_000_000, 1_000_000, 256_000, 64_000, 16_000, 4_000)
SMALLEST, LARGEST = SIZES[-1], SIZES[0]


def slot_sizes(budget: int) -> tuple[int, ...]:
    """Return sizes between 4 kB and 4 MB that add up to `budget` bytes; none for less than the smallest."""
    whole, rest = divmod(budget, sum(SIZES))
    sizes = list(SIZES) * whole
    for size in SIZES:
        while rest >= size:
            sizes.append(size)
            rest -= size
    if rest and sizes:
        smallest = sizes.index(min(sizes))
        sizes[smallest] += rest
    return tuple(sizes)


@dataclass(slots=True, kw_only=True)
class Slot:
    """A place for one object. `etag` is that of its last acknowledged put, empty where that is not known."""

    key: str
    size: int
    etag: str = ""


class Shelf:
    """All slots. A slot is taken while something is done with it, so that nothing else is at the same time.

    `used` counts a slot from before its put begins until its delete is acknowledged: it is never less than
    what is stored.
    """

    def __init__(self, budget: int) -> None:
        self.budget = budget
        self.used = 0
        self._filled: list[Slot] = []
        self._empty = [Slot(key=f"slot-{n:06d}", size=size) for n, size in enumerate(slot_sizes(budget))]

    def take_to_put(self, chance: random.Random) -> Slot | None:
        """Take an empty slot, or one to overwrite where none is empty; None where all are taken."""
        slot = _take(self._empty, chance)
        if slot is not None:
            self.used += slot.size
            return slot
        return _take(self._filled, chance)

    def take_filled(self, chance: random.Random) -> Slot | None:
        return _take(self._filled, chance)

    def put_back(self, slot: Slot, *, filled: bool) -> None:
        """Return a slot; `filled` also where nobody knows whether a put or delete was done."""
        if filled:
            self._filled.append(slot)
            return
        slot.etag = ""
        self.used -= slot.size
        self._empty.append(slot)

    def clear(self) -> None:
        """All that was stored is deleted, and nothing is under way."""
        for slot in self._filled:
            slot.etag = ""
        self._empty += self._filled
        self._filled = []
        self.used = 0


def _take(slots: list[Slot], chance: random.Random) -> Slot | None:
    if not slots:
        return None
    number = chance.randrange(len(slots))
    slots[number], slots[-1] = slots[-1], slots[number]
    return slots.pop()
