"""A cloud, as everything above it sees one: what it is asked, what it tells, and every way to say no.

Of value is what stands above, once for all clouds (`systems/cloud`): the order, what goes side by side,
going on after a kill or a lost answer, patience, the order of a teardown and the look at its end, progress,
the lease. So a cloud is one module over its vendor's SDK that does four things with one thing of an account:
finds it, makes it, tells what it still lacks, removes it.

The rules that make a cloud whole:

- Everything made carries its labels from the call that makes it: whatever was made can be found, whoever was
  killed in between.
- `make` looks before it makes. It is called again where an answer was lost, where a process was killed, and
  where a thing is half made; it ends with one thing that is all that was asked, and never makes a second one.
- One call to the vendor is one call: no retries below. What may be tried again is said by the kind of the
  error, and `patiently` does it.
- No error, log or text has a token in it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from rookery.errors import NotPossibleError, RookeryError
from rookery.plan.resources import Kind, Resource
from rookery.providers import Provider

SYSTEM, UNTIL = "rookery.io/system", "rookery.io/until"
"""The labels of everything made: the name of its system; the end of its lease, where it has one.

A cloud whose labels have another grammar writes them otherwise: without `/` and `.`, `rookery-io-system`.
Their values are the same everywhere: lower case, digits and hyphens (`lease_text` writes the end so).
"""

Labels = Mapping[str, str]
Reporter = Callable[[str], None]
"""Hears, in a few words, what takes long."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One thing of an account, as it was seen.

    `id` is the cloud's own, unique within its kind; `name` what it is called. `system` and `until` are its
    labels, empty without; `maker` says who made it where that was a controller of the cluster.

    `since` is when it was made, in seconds since 1970, None where nobody tells. `product` is what it is
    charged as, by the price book's names: a machine type, a drive type, a load balancer; empty where it costs
    nothing. `size` is a volume's in bytes.

    `public` and `private` are addresses, empty without. `state` is what the cloud says of it, for people.
    Of an attachment `on` is the name of its server and `device` its path there, which lasts; of a target and
    of an address, `on` is the name of what has it. `node_id` is what the cluster's cloud controller knows a
    server by (`spec.providerID` of a node).

    `seen` is the vendor's own value, for the module that made this one.
    """

    kind: Kind
    id: str
    name: str
    system: str = ""
    until: str = ""
    maker: str = ""
    since: float | None = None
    product: str = ""
    size: int = 0
    public: str = ""
    private: str = ""
    state: str = ""
    on: str = ""
    device: str = ""
    node_id: str = ""
    seen: object = None


There = Mapping[str, Made]
"""What is there of a design's resources, by their ids."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """What is in the way of what is to be made, and what to do about it; both sentences without a stop."""

    what: str
    hint: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Preflight:
    """What a look before the first cent found. `problems` end it; `notes` are said: what nobody can tell."""

    problems: tuple[Problem, ...] = ()
    notes: tuple[str, ...] = ()


class CloudError(RookeryError):
    """The cloud said no, and will say no again."""


class TokenError(NotPossibleError):
    """The cloud does not let one in: no token, a wrong one, or one without the right for this."""


class UnsureError(CloudError):
    """No answer came: whether the call took effect, nobody knows. It may be tried again after a look."""


class BusyError(CloudError):
    """Not now: too many requests, something locked by what is under way, the service away. Nothing was done.

    `after` is in how many seconds it may be tried again, where the cloud says so.
    """

    def __init__(self, what: str, *, after: float = 0.0, details: tuple[str, ...] = ()) -> None:
        super().__init__(what, details=details)
        self.after = after


class SoldOutError(CloudError):
    """There is none of a machine type at that place now, and waiting is no way."""


class Cloud(Protocol):
    """An account of one cloud, at one place of it.

    Methods are called from many threads at once. Each raises TokenError, UnsureError, BusyError, SoldOutError
    or another CloudError.
    """

    @property
    def provider(self) -> Provider:
        """Its name in a spec."""
        ...

    @property
    def title(self) -> str:
        """What the cloud is called."""
        ...

    @property
    def place(self) -> str:
        """Where everything is made: a location or region, by the name that the price book has it by."""
        ...

    def preflight(self, system: str, resources: Sequence[Resource]) -> Preflight:
        """Look for all that is in the way of these resources at once; nothing is changed.

        The token's rights, stock, limits, names that somebody else's things have, networks that overlap, the
        key, the image. What is there of the system itself is in nobody's way.
        """
        ...

    def found(self, system: str) -> tuple[Made, ...]:
        """Return everything that has the system's label, and their attachments and targets, in few calls."""
        ...

    def lacks(self, resource: Resource, made: Made, there: There) -> str:
        """Return what a thing still lacks of what is asked (`not in the network`), empty where it is whole.

        Of what cannot be changed in place nothing is said: a server of another type stays. No call is made.
        """
        ...

    def make(self, resource: Resource, labels: Labels, there: There, report: Reporter) -> Made:
        """Make one thing, with its labels, or finish what is there of it; return it whole.

        `there` has what it needs; of the thing itself it has what was seen when the command began, if
        anything, which may be old: an earlier try may have made it, or more of it. Raises CloudError where
        another's thing has its name.
        """
        ...

    def mark(self, made: Made, labels: Labels) -> None:
        """Give a thing these labels beside those that it has; attachments and targets have none."""
        ...

    def remove(self, made: Made, report: Reporter) -> None:
        """Remove one thing and wait until it is gone; one that is gone already is fine."""
        ...

    def left(self, system: str, names: frozenset[str]) -> tuple[Made, ...]:
        """Return all that is left of a system, of every kind that may cost money or be in the way.

        Looked for by its label; by name, of `names`, where it has no system's label; and by what hangs on its
        network and its servers: what the cluster's own controllers made, load balancers and volumes, and
        public addresses. What is another system's, or somebody else's, is not among it.
        """
        ...

    def secrets(self, there: There) -> tuple[tuple[str, Mapping[str, str]], ...]:
        """Return the secrets that the cloud's controller in a cluster wants, each by its name with its values
        (the account's token, the network's name); none where it needs none.

        They are the one thing here that has a token in it: whoever asks keeps them to himself.
        """
        ...

    def systems(self) -> tuple[Made, ...]:
        """Return everything of the account that has a system's label, whichever it is."""
        ...
