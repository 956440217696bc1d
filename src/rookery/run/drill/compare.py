"""What came back, held against the ledger: every entry by its number and by the digest of its content."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rookery.run.drill.ledger import Ledger, Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """What of one kind's lines was found again. Numbers of entries: those of before the moment that are
    `missing`; found with another content, `changed`, or with that of another entry, `swapped` with its
    number; found and in no ledger, `strange`. `lost` were written after the moment and are gone, as a
    restore to a moment promises; `back` came back as they were written, the latest of them `last` (seconds
    since 1970, None where nothing came back)."""

    back: int
    size: int
    missing: tuple[int, ...]
    changed: tuple[int, ...]
    swapped: tuple[tuple[int, int], ...]
    strange: tuple[int, ...]
    lost: tuple[int, ...]
    last: float | None

    @property
    def problems(self) -> tuple[str, ...]:
        """A sentence on each way in which it is not what was written."""
        said = [
            _named(self.missing, "is missing", "are missing"),
            _named(self.changed, "has another content", "have another content"),
            _named(self.strange, "was never written", "were never written"),
            *(f"entry {number} has the content of entry {other}" for number, other in self.swapped),
        ]
        return tuple(filter(None, said))


def compare(lines: Iterable[Line], found: Mapping[int, str], *, until: float) -> Comparison:
    """Compare what was found, digests by number, with the ledger's lines of that kind; what was written by
    the moment `until` must be there."""
    known = {line.number: line for line in lines}
    owners = {line.digest: line.number for line in known.values()}
    absent = [line for number, line in known.items() if number not in found]
    same = [known[number] for number, digest in found.items() if _is(known.get(number), digest)]
    other = {number: digest for number, digest in found.items() if not _is(known.get(number), digest)}
    return Comparison(
        back=len(same),
        size=sum(line.size for line in same),
        missing=_sorted(line.number for line in absent if line.at <= until),
        changed=_sorted(n for n, digest in other.items() if n in known and digest not in owners),
        swapped=tuple(sorted((n, owners[digest]) for n, digest in other.items() if digest in owners)),
        strange=_sorted(n for n, digest in other.items() if n not in known and digest not in owners),
        lost=_sorted(line.number for line in absent if line.at > until),
        last=max((line.at for line in same), default=None),
    )


def unfit(rows: Iterable[int], others: Mapping[str, Iterable[int]], ledger: Ledger) -> tuple[str, ...]:
    """Return where kinds do not fit together: rows whose entry of another kind did not come back with them,
    though each is written before its row."""
    said = []
    for kind, numbers in others.items():
        written = {line.number for line in ledger.get(kind, ())}
        alone = (set(rows) & written) - set(numbers)
        if alone:
            said.append(_named(_sorted(alone), f"has its row and no {kind}", f"have rows and no {kind}"))
    return tuple(said)


def _is(line: Line | None, digest: str) -> bool:
    return line is not None and line.digest == digest


def _sorted(numbers: Iterable[int]) -> tuple[int, ...]:
    return tuple(sorted(numbers))


_MOST = 5


def _named(numbers: tuple[int, ...], one: str, many: str) -> str:
    """Return a sentence that names entries, some of many; empty for none."""
    if not numbers:
        return ""
    if len(numbers) == 1:
        return f"entry {numbers[0]} {one}"
    first = ", ".join(str(number) for number in numbers[:_MOST])
    return f"{len(numbers)} entries {many}: {first}{', ...' if len(numbers) > _MOST else ''}"
