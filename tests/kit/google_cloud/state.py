"""What a project of Google's has, how its operations end, and who uses what."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

Json = dict[str, Any]

LINK = "https://www.googleapis.com/compute/v1/"
PROJECT, REGION, ZONES = "p-1", "europe-west3", ("europe-west3-a", "europe-west3-b")
MACHINES = {
    "e2-small": (2, 2048),
    "e2-medium": (2, 4096),
    "e2-standard-4": (4, 16384),
    "n2-standard-8": (8, 32768),
}
"""CPUs and MiB of memory of the machine types."""

# Fields whose value is the URL of another thing, or a list of such.
REFERENCES = frozenset(
    {
        "network",
        "subnetwork",
        "source",
        "resourcePolicies",
        "backendService",
        "target",
        "group",
        "healthChecks",
        "instances",
        "nextHopInstance",
    }
)
# Those that let go of what is removed, instead of holding it.
_LOOSE = frozenset({"instances"})


class Fault(StrEnum):
    """What happens to one request."""

    DROPPED = "the connection is cut before it"
    LOST = "the connection is cut after it"
    UNAVAILABLE = "it is answered by 503"
    UNAVAILABLE_AFTER = "it is answered by 503 though it took effect"
    TOO_MANY = "it is answered by 429"
    KILLED_BEFORE = "the process is killed before it"
    KILLED_AFTER = "the process is killed after it"


class Refused(Exception):  # noqa: N818 - an answer, and no failure of the fake
    """An answer that says no, as Google says it."""

    def __init__(self, status: int, reason: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.reason = reason


@dataclass(slots=True, kw_only=True)
class Thing:
    """One thing of the project. What is not `ready` cannot be used yet; `members` are an instance group's."""

    collection: str
    scope: str
    body: Json
    ready: bool = False
    members: set[str] = field(default_factory=set)

    @property
    def name(self) -> str:
        return str(self.body["name"])

    @property
    def path(self) -> str:
        return path_of(self.scope, self.collection, self.name)


@dataclass(slots=True, kw_only=True)
class Operation:
    """Work under way. It ends when so many requests have been made, or when it is waited for."""

    body: Json
    due: int
    effect: Callable[[], None]
    error: tuple[str, str] | None = None


@dataclass(slots=True)
class Project:
    """What there is and how it behaves.

    `slow` is how many requests come before an operation is done; `page` how many things a list has at most.
    `limits` are quotas by metric; machine types that are `sold_out` fail at the end of the operation.
    `faults` happen to requests by their number since `revive`; `wrong` is what no description knows.
    """

    things: dict[str, Thing] = field(default_factory=dict)
    operations: dict[str, Operation] = field(default_factory=dict)
    asked: dict[str, str] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)
    limits: dict[str, float] = field(default_factory=dict)
    sold_out: set[str] = field(default_factory=set)
    denied: set[str] = field(default_factory=set)
    disabled: bool = False
    rights_closed: bool = False
    controlled: str = ""
    token: str = ""
    slow: int = 0
    page: int = 500
    faults: dict[int, Fault] = field(default_factory=dict)
    number: int = 0
    dead: bool = False
    lock: threading.RLock = field(default_factory=threading.RLock)
    numbers: itertools.count[int] = field(default_factory=lambda: itertools.count(1001))

    def revive(self, faults: dict[int, Fault] | None = None) -> None:
        """Begin a new process, with what happens to its requests."""
        self.dead, self.number, self.faults = False, 0, dict(faults or {})

    def of(self, collection: str) -> list[Thing]:
        return [one for one in self.things.values() if one.collection == collection]

    def get(self, path: str) -> Thing:
        if path not in self.things:
            raise Refused(404, "notFound", f"The resource '{path}' was not found")
        return self.things[path]

    def usable(self, path: str) -> Thing:
        """Return what is there and ready."""
        if not (found := self.get(path)).ready:
            raise Refused(400, "resourceNotReady", f"The resource '{path}' is not ready")
        return found

    def advance(self) -> None:
        """Let time pass: one request more was made."""
        for operation in list(self.operations.values()):
            if operation.body["status"] != "DONE" and operation.due <= len(self.calls):
                self.finish(operation)

    def finish(self, operation: Operation) -> None:
        """End an operation now."""
        if operation.body["status"] == "DONE":
            return
        operation.effect()
        operation.body |= {"status": "DONE", "progress": 100}
        if operation.error is not None:
            code, message = operation.error
            operation.body["error"] = {"errors": [{"code": code, "message": message}]}
            operation.body |= {"httpErrorStatusCode": 503, "httpErrorMessage": "SERVICE UNAVAILABLE"}

    def operate(
        self,
        scope: str,
        kind: str,
        path: str,
        effect: Callable[[], None],
        error: tuple[str, str] | None = None,
    ) -> Json:
        """Begin an operation on something; return it as it is answered."""
        number = next(self.numbers)
        name = f"operation-{number}"
        body = {
            "kind": "compute#operation",
            "id": str(number),
            "name": name,
            "operationType": kind,
            "targetLink": LINK + path,
            "status": "RUNNING",
            "progress": 0,
            "insertTime": "2026-11-30T12:00:00.000-08:00",
            "selfLink": LINK + path_of(scope, "operations", name),
            **place(scope),
        }
        operation = Operation(body=body, due=len(self.calls) + self.slow, effect=effect, error=error)
        self.operations[path_of(scope, "operations", name)] = operation
        self.advance()
        return body

    def users(self, path: str) -> Iterator[str]:
        """Yield the paths of what holds a thing, so that it cannot be removed."""
        own = self.things[path].body
        for other in self.things.values():
            if other.path == path:
                continue
            if path in references(other.body, loose=False) or _has_address(other, own):
                yield other.path

    def forget(self, path: str) -> None:
        """Take a thing out of the project, and out of what held it loosely."""
        self.things.pop(path, None)
        for other in self.things.values():
            other.members.discard(path)
            for name in ("instances", "users"):
                if name in other.body:
                    other.body[name] = [one for one in other.body[name] if one != LINK + path]


def _has_address(thing: Thing, own: Json) -> bool:
    return thing.collection == "forwardingRules" and thing.body.get("IPAddress") == own.get("address", "none")


def path_of(scope: str, collection: str, name: str, project: str = PROJECT) -> str:
    return f"projects/{project}/{scope}/{collection}/{name}"


def place(scope: str) -> Json:
    """Return the fields that say where something is."""
    kind, _, name = scope.partition("/")
    return {kind[:-1]: f"{LINK}projects/{PROJECT}/{scope}"} if name else {}


def relative(url: str) -> str:
    """Return a URL as a path from `projects/`, whichever way it was written."""
    if url.startswith(("global/", "regions/", "zones/")):
        return f"projects/{PROJECT}/{url}"
    return url[url.find("projects/") :]


def references(value: Any, *, loose: bool = True, name: str = "") -> set[str]:
    """Return the paths of all that a body refers to, also what it holds `loose`."""
    if isinstance(value, dict):
        return {one for key, part in value.items() for one in references(part, loose=loose, name=key)}
    if isinstance(value, list):
        return {one for part in value for one in references(part, loose=loose, name=name)}
    is_one = name in REFERENCES and (loose or name not in _LOOSE) and isinstance(value, str)
    return {relative(value)} if is_one else set()
