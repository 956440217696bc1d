"""Taking a system away from a cloud: in an order in which nothing hangs, then looking again.

Servers go first, together with what was made beside them: with the last control plane the cluster's own
controllers are gone, which would make again what is removed before. Then what those had made, and what hung
on servers; the network at the end. What the controllers made has no label of ours, and is known only by what
it hangs on: so it gets one before anything goes, and a command that was killed in between finds it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from rookery.clouds.cloud import SYSTEM, Cloud, CloudError, Made
from rookery.clouds.patience import Patience, patiently
from rookery.drivers.machine.files import remove_tree
from rookery.errors import RookeryError
from rookery.plan.resources import Kind
from rookery.systems.protocol import Leftover, Report

# What goes at once. An attachment and a target go with either end.
_FIRST = (Kind.SERVER, Kind.BALANCER)
_LAST = (Kind.NETWORK,)
_BY_THEMSELVES = (Kind.ATTACHMENT, Kind.TARGET)
_ROUNDS = 3
_AT_ONCE = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class CloudRemoval:
    """Removes everything of a system from an account. It goes by the name: no spec need be readable any more.

    `names` are what its things are called, as far as that is known; `noted` are folders in which this machine
    has noted how it is reached.
    """

    name: str
    names: frozenset[str]
    connect: Callable[[], Cloud]
    noted: tuple[Path, ...]
    patience: Patience = field(default_factory=Patience)
    _seen: set[str] = field(default_factory=set)

    def require(self) -> None:
        """Raise TokenError where nothing lets one into the account."""
        self.connect()

    def leftovers(self) -> tuple[Leftover, ...]:
        return tuple(Leftover(kind=str(one.kind), name=one.name) for one in self._left(lambda _: None))

    def take_down(self, report: Report) -> None:
        """Remove everything; raises CloudError where something does not go, once all else is gone.

        A controller may have made something while its servers went: so it is looked again.
        """
        failures: list[RookeryError] = []
        for _ in range(_ROUNDS):
            left = self._left(report)
            if not left:
                return
            self._mark(left, report)
            failures = [error for wave in waves(left) for error in self._remove(wave, report)]
        if failures and self._left(report):
            raise _not_gone(self.name, failures)

    def forget(self) -> None:
        for folder in self.noted:
            remove_tree(folder)

    def _left(self, report: Report) -> tuple[Made, ...]:
        cloud = self.connect()
        what = f"what is left of {self.name} at {cloud.title}"
        names = self.names | self._seen
        left = patiently(what, lambda: cloud.left(self.name, names), self.patience, report)
        # What goes with its server has nothing of ours but that: afterwards it is known by its name.
        self._seen.update(one.name for one in left if _goes_with_its_server(one))
        return left

    def _mark(self, left: Iterable[Made], report: Report) -> None:
        """Label what the cluster's controllers made, by which it is found once its servers are gone."""
        cloud = self.connect()
        strangers = [
            one
            for one in left
            if not one.system and one.kind not in _BY_THEMSELVES and not _goes_with_its_server(one)
        ]
        failures = self._each(strangers, lambda one: cloud.mark(one, {SYSTEM: self.name}), report)
        if failures:
            raise failures[0]

    def _remove(self, wave: Sequence[Made], report: Report) -> list[RookeryError]:
        """Remove things side by side; return what went wrong, when all others are gone."""
        cloud = self.connect()
        return self._each(wave, lambda one: cloud.remove(one, report), report)

    def _each(
        self, things: Sequence[Made], act: Callable[[Made], None], report: Report
    ) -> list[RookeryError]:
        """Do something with things side by side; return what went wrong."""

        def one_by_itself(one: Made) -> RookeryError | None:
            what = f"{one.kind} {one.name}"
            report(what)
            try:
                patiently(what, lambda: act(one), self.patience, report)
            except CloudError as error:
                error.what = f"{what}: {error.what}"
                return error
            return None

        with ThreadPoolExecutor(max_workers=_AT_ONCE) as pool:
            return [error for error in pool.map(one_by_itself, things) if error is not None]


def waves(left: Iterable[Made]) -> tuple[tuple[Made, ...], ...]:
    """Return what is removed side by side, in the order in which nothing hangs.

    A load balancer of a controller comes after the servers, on which the controller runs. What goes with its
    server is not removed; the next look says whether it went.
    """
    things = [one for one in left if one.kind not in _BY_THEMSELVES and not _goes_with_its_server(one)]
    first = [one for one in things if one.kind in _FIRST and not one.maker]
    last = [one for one in things if one.kind in _LAST]
    between = [one for one in things if one not in first and one not in last]
    return tuple(tuple(wave) for wave in (first, between, last) if wave)


def _goes_with_its_server(one: Made) -> bool:
    """Whether something is an address that a server was made with, and still has."""
    return one.kind is Kind.ADDRESS and bool(one.on)


def _not_gone(name: str, failures: Sequence[RookeryError]) -> CloudError:
    count = "one thing" if len(failures) == 1 else f"{len(failures)} things"
    return CloudError(
        f"{count} of {name} did not go",
        details=tuple(str(error.what) for error in failures),
        hint=f"`rookery down {name}` again; what is left goes on costing money.",
    )
