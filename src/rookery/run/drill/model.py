"""What a drill found: of each kind and of the whole, with what took how long."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from rookery.errors import ExitCode


class Verdict(StrEnum):
    """Whether all that a kind had at the set's moment is back; not observed where nobody could see."""

    SAME = "same"
    DIFFERS = "differs"
    NOT_OBSERVED = "not observed"


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A part of bringing a kind back: what, from when on (seconds since the drill began), for how long."""

    what: str
    began: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class KindOutcome:
    """A kind: entries that were `written`, that had to come back (`owed`), that came `back`, with their
    bytes, and that were written after the set's moment and `lost`, as they must be; how the data was lost and
    what brought it back; `before` are steps of the whole that it had to wait for. `rpo` is the seconds
    between the last entry that came back and the loss, `rto` the seconds of all its steps, None where it did
    not come back."""

    kind: str
    verdict: Verdict
    written: int
    owed: int
    back: int
    size: int
    lost: int
    how_lost: str
    how_back: str
    rpo: float | None
    rto: float | None
    steps: tuple[Step, ...]
    problems: tuple[str, ...]
    before: tuple[Step, ...] = ()

    @property
    def longest(self) -> Step | None:
        """The step that bounded the time to recovery."""
        return max((*self.before, *self.steps), key=lambda step: step.seconds, default=None)


THINGS = {"database": "tables", "objects": "objects", "files": "files", "block": "volumes"}
"""What each kind consists of."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnData:
    """What the system itself had of one kind: how many `things` (tables, objects, files, volumes) stood
    still while the set was taken, so that each must be back as it was; and a sentence on each that is not.
    `unseen` says why nobody could look, empty where somebody could."""

    kind: str
    things: int
    problems: tuple[str, ...]
    unseen: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """Something that the drill did to the whole, in seconds since it began and for as long as that took."""

    what: str
    began: float
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class DrillOutcome:
    """A drill. `began` is ISO 8601 in UTC; `lost_at` is when the loss began, in seconds since then; `rto` of
    the whole is from the loss until everything was back and compared. `unfit` says where kinds do not fit
    together. `schedule` is the seconds between two sets by schedule. `load` says what load ran meanwhile,
    `versions` what of. Where the whole system was destroyed, `elsewhere` is the address of the copy that
    brought it back, and `own` what became of all that it had itself."""

    id: str
    system: str
    began: str
    seconds: float
    label: str
    lost_at: float
    rto: float
    kinds: tuple[KindOutcome, ...]
    events: tuple[Event, ...]
    unfit: tuple[str, ...]
    left_out: tuple[tuple[str, str], ...]
    schedule: int
    load: str
    versions: tuple[tuple[str, str], ...]
    elsewhere: str = ""
    own: tuple[OwnData, ...] = ()

    @property
    def is_full(self) -> bool:
        """Whether the whole system was destroyed, and built again."""
        return bool(self.elsewhere)

    @property
    def rpo(self) -> float | None:
        """The worst of the kinds: what a system as a whole lost."""
        known = [one.rpo for one in self.kinds if one.rpo is not None]
        return max(known) if len(known) == len(self.kinds) and known else None

    @property
    def exit_code(self) -> ExitCode:
        verdicts = {one.verdict for one in self.kinds}
        if Verdict.DIFFERS in verdicts or self.unfit or any(one.problems for one in self.own):
            return ExitCode.VIOLATED
        if Verdict.NOT_OBSERVED in verdicts or not self.kinds or any(one.unseen for one in self.own):
            return ExitCode.NOT_OBSERVED
        return ExitCode.DONE

    @property
    def verdict(self) -> str:
        """The result in a sentence."""
        entries = sum(one.back for one in self.kinds)
        if self.exit_code is ExitCode.DONE:
            things = sum(one.things for one in self.own)
            more = f" and {things:,} things of the system's own" if self.own else ""
            return (
                f"lost: nothing of what the set has; {entries:,} entries{more} came back as they were written"
            )
        bad = [one.kind for one in self.kinds if one.verdict is Verdict.DIFFERS]
        if bad or self.unfit:
            what = f"{', '.join(bad)} did not come back as written" if bad else "kinds do not fit together"
            return f"failed: {what}"
        if own := [one.kind for one in self.own if one.problems]:
            return f"failed: of {', '.join(own)} not all that the system had is back"
        unseen = [one.kind for one in self.kinds if one.verdict is Verdict.NOT_OBSERVED]
        unseen += [f"{one.kind} of the system's own" for one in self.own if one.unseen]
        return f"not observed: {', '.join(unseen) or 'no kind'}"
