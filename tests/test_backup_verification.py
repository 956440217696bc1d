"""Verification of backups: the log that reaches the store, and keys that cannot take anything away."""

from __future__ import annotations

import datetime as dt
import time
from types import SimpleNamespace
from typing import Any

import pytest
from botocore.exceptions import ClientError

from rookery.drivers.clients import s3
from rookery.drivers.clients.http import Browser
from rookery.run.verify import backup
from rookery.run.verify.result import Outcome, Subject
from rookery.systems.protocol import Credentials, Endpoint, Member

BUCKET = SimpleNamespace(name="backups", owner="vault", writers=("writer",), lock=1)
FOUND = "000000010000000000000007"


def subject(**has: Any) -> Subject:
    design: Any = SimpleNamespace(buckets=(SimpleNamespace(lock=0), BUCKET), name="demo")
    system: Any = SimpleNamespace(design=design, ca_file="ca.crt", **has)
    return Subject(system=system, browser=Browser.__new__(Browser), mark="m")


def archiver(answer: str, *, primary: bool = True) -> Subject:
    """A system whose primary answers so on what it archives."""
    asked: list[str] = []

    def execute(host: str, argv: tuple[str, ...]) -> str:
        asked.extend((host, argv[0]))
        assert asked == ["worker-b", "setpriv"]
        return answer + "\n"

    members = (
        Member(name="worker-a", role="replica", state="streaming"),
        Member(name="worker-b", role="leader" if primary else "replica", state="running"),
    )
    return subject(members=lambda: members, execute=execute)


@pytest.mark.parametrize(
    ("answer", "outcome", "seen"),
    [
        (f"{FOUND}|f||0|0|1048576", Outcome.PASS, f"0 s and 1 MiB behind, {FOUND} is there"),
        (f"{FOUND}|f|older|2|119|1048576", Outcome.PASS, f"119 s and 1 MiB behind, {FOUND} is there"),
        ("|f||0|0|0", Outcome.PASS, "0 s and 0 B behind, nothing is there"),
        (
            f"{FOUND}|f||9|121|1048576",
            Outcome.FAIL,
            f"9 segments wait; 121 s and 1 MiB behind, {FOUND} is there",
        ),
        (
            f"{FOUND}|t|000000010000000000000008|1|2|1048576",
            Outcome.FAIL,
            f"000000010000000000000008 does not go to the store; 2 s and 1 MiB behind, {FOUND} is there",
        ),
    ],
)
def test_archiving(answer: str, outcome: Outcome, seen: str) -> None:
    found = backup.archiving(archiver(answer))
    assert (found.outcome, found.seen) == (outcome, seen)


def test_archiving_without_a_primary_is_not_observed() -> None:
    found = backup.archiving(archiver("", primary=False))
    assert (found.outcome, found.seen) == (Outcome.NOT_OBSERVED, "no instance is the primary")


class Gateway:
    """A gateway's client of one user: what it is not let do is answered with a status."""

    def __init__(self, user: str, answers: dict[str, int]) -> None:
        self._user = user
        self._answers = answers
        self.asked: list[tuple[str, dict[str, Any]]] = []

    def __getattr__(self, operation: str) -> Any:
        def act(**asked: Any) -> dict[str, Any]:
            self.asked.append((operation, asked))
            status = self._answers.get(f"{self._user} {operation}", 200)
            if status != 200:
                answer: Any = {"Error": {}, "ResponseMetadata": {"HTTPStatusCode": status}}
                raise ClientError(answer, operation)
            found: dict[str, dict[str, Any]] = {
                "put_object": {"VersionId": "v1"},
                "get_object_lock_configuration": {"ObjectLockConfiguration": {"as": "it is"}},
                "get_bucket_lifecycle_configuration": {"Rules": ["as it is"]},
                "get_bucket_policy": {"Policy": "as it is"},
            }
            return found.get(operation, {})

        return act


REFUSED = {
    **dict.fromkeys(("writer delete_object", "owner delete_object", "writer put_object_retention"), 403),
    **dict.fromkeys(("writer put_object_lock_configuration", "writer put_bucket_policy"), 403),
    **dict.fromkeys(("writer put_bucket_lifecycle_configuration", "writer put_bucket_versioning"), 403),
}


def looked(monkeypatch: pytest.MonkeyPatch, answers: dict[str, int]) -> tuple[Outcome, str, Gateway]:
    gateways = {"vault": Gateway("owner", answers), "writer": Gateway("writer", answers)}

    def connect(url: str, *, access_key: str, secret_key: str, ca_file: str) -> Gateway:
        assert (url, secret_key, ca_file) == ("https://s3.test", "secret", "ca.crt")
        return gateways[access_key]

    monkeypatch.setattr(s3, "connect", connect)
    endpoint = Endpoint(name="s3", url="https://s3.test/", credentials=None)
    found = backup.locked(
        subject(
            endpoints=lambda: (endpoint,),
            s3_credentials=lambda user: Credentials(user=user, password="secret"),
        )
    )
    return found.outcome, found.seen, gateways["writer"]


def test_what_is_locked_cannot_be_taken_away(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, seen, writer = looked(monkeypatch, REFUSED)
    assert outcome is Outcome.PASS
    assert seen == (
        "8 ways refused with 403: removing a version, with a bypass, as its owner, shortening its retention,"
        " changing the lock, the lifecycle, the policy, the versioning"
    )
    asked = dict(writer.asked)
    # Let through, it would have changed nothing but a version that was written for this.
    assert asked["put_object"]["Key"] == asked["delete_object"]["Key"] == "verify/locked"
    assert asked["put_bucket_lifecycle_configuration"]["LifecycleConfiguration"] == {"Rules": ["as it is"]}
    assert asked["put_object_lock_configuration"]["ObjectLockConfiguration"] == {"as": "it is"}
    assert asked["put_bucket_policy"]["Policy"] == "as it is"
    until = asked["put_object_retention"]["Retention"]["RetainUntilDate"]
    assert until - dt.datetime.fromtimestamp(time.time(), tz=dt.UTC) < dt.timedelta(minutes=1)


@pytest.mark.parametrize(
    ("let", "said"),
    [("writer put_bucket_policy", "the policy"), ("owner delete_object", "as its owner")],
)
def test_what_is_let_through_fails(monkeypatch: pytest.MonkeyPatch, let: str, said: str) -> None:
    answers = {name: status for name, status in REFUSED.items() if name != let}
    assert looked(monkeypatch, answers)[:2] == (Outcome.FAIL, f"allowed: {said}")


def test_a_gateway_that_fails_refuses_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    outcome, seen, _ = looked(monkeypatch, {**REFUSED, "writer put_object_retention": 500})
    assert (outcome, seen) == (Outcome.NOT_OBSERVED, "shortening its retention answered 500")
