"""What every making at AWS works with: the job, patience with what is under way, tokens, calls."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from rookery.clouds.aws.account import Account
from rookery.clouds.aws.api import Thing
from rookery.clouds.aws.asked import tag_list
from rookery.clouds.aws.seen import Network, tagged, tags_of
from rookery.clouds.cloud import SYSTEM, BusyError, CloudError, Labels, There
from rookery.plan.resources import Resource


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """How one waits for what AWS has under way, in seconds: between two looks, and in all."""

    pause: float = 3.0
    limit: float = 300.0
    sleep: Callable[[float], None] = time.sleep

    def until(self, what: str, look: Callable[[], str]) -> None:
        """Look until nothing is said any more; BusyError says what was seen last."""
        seen = look()
        for _ in range(int(self.limit / self.pause)):
            if not seen:
                return
            self.sleep(self.pause)
            seen = look()
        if seen:
            raise BusyError(f"{what} is still {seen} after {self.limit:.0f} s")


@dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One thing to make: what is asked, its tags, what is there of what it needs."""

    resource: Resource
    labels: Labels
    there: There

    @property
    def what(self) -> str:
        return f"{self.resource.kind} {self.resource.name}"

    @property
    def name(self) -> str:
        return self.resource.name

    @property
    def mine(self) -> list[dict[str, Any]]:
        """The filter for what has this name and the system's label."""
        return [*tagged(self.labels[SYSTEM]), {"Name": "tag:Name", "Values": [self.name]}]

    def tags(self, *, cluster: bool = False) -> list[dict[str, str]]:
        return tag_list(self.name, self.labels, cluster=cluster)

    def network(self, name: str) -> Network:
        seen = self.there[name].seen
        assert isinstance(seen, Network)
        return seen

    def check_owner(self, thing: Thing) -> None:
        """Raise CloudError where a thing of this name is another's."""
        if tags_of(thing).get(SYSTEM) != self.labels[SYSTEM]:
            raise CloudError(
                f"the {self.what} is there, and is not this system's",
                hint="Give the system another name, or remove it where it was made.",
            )


@dataclass(slots=True, kw_only=True)
class Tokens:
    """The client tokens of what this process makes, until it is there: by the ids of the resources."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    known: dict[str, str] = field(default_factory=dict)

    def of(self, name: str) -> str:
        with self.lock:
            return self.known.setdefault(name, secrets.token_hex(16))

    def forget(self, name: str) -> None:
        with self.lock:
            self.known.pop(name, None)


class Making:
    """Calls of one account that make something."""

    def __init__(self, account: Account, waiting: Waiting) -> None:
        self._account = account
        self._waiting = waiting

    def _ec2(self, operation: str, job: Job, **asked: Any) -> Thing:
        return self._account.api.call("ec2", operation, job.what, **asked)

    def _elb(self, operation: str, job: Job, **asked: Any) -> Thing:
        return self._account.api.call("elbv2", operation, job.what, **asked)
