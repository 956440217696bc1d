"""The live channel on Kubernetes: who leads by a Lease of the API server's."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from rookery.apps.streaming.guest.channel.pods.cluster_lease import (
    LEASE,
    MARGIN,
    ApiError,
    ApiServer,
    ClusterLease,
)
from tests.kit.api_server import Fake, api_server


@dataclass
class Clock:
    """A clock that a test moves."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now


@dataclass
class Pods:
    """Pods that want the Lease, all with one clock."""

    fake: Fake
    clock: Clock = field(default_factory=Clock)
    leases: list[ClusterLease] = field(default_factory=list)

    def lease(self, identity: str, *, account: Path | None = None) -> ClusterLease:
        server = ApiServer("127.0.0.1", self.fake.port, account=account or self.fake.account)
        made = ClusterLease(
            server, namespace="media", name="streaming-channel", identity=identity, clock=self.clock
        )
        self.leases.append(made)
        return made

    @property
    def spec(self) -> dict[str, Any]:
        assert self.fake.lease is not None
        return dict(self.fake.lease["spec"])


@pytest.fixture(name="fake")
def _fake(tmp_path: Path) -> Iterator[Fake]:
    with api_server(tmp_path) as fake:
        yield fake


@pytest.fixture(name="pods")
def _pods(fake: Fake) -> Iterator[Pods]:
    pods = Pods(fake)
    yield pods
    for lease in pods.leases:
        lease.close()


def test_one_holds_the_lease_and_the_other_takes_it_once_it_ran_out(pods: Pods) -> None:
    one, other = pods.lease("one"), pods.lease("other")
    assert (one.held, one.take(), one.held) == (False, True, True)
    first = pods.spec
    assert (first["holderIdentity"], first["leaseDurationSeconds"], first["leaseTransitions"]) == (
        "one",
        LEASE,
        1,
    )
    assert first["acquireTime"] == first["renewTime"]
    assert not other.take()
    pods.clock.now += 5
    assert one.take()
    assert (pods.spec["acquireTime"], pods.spec["leaseTransitions"]) == (first["acquireTime"], 1)
    # The other counts from when it sees that the Lease was renewed, whatever time is written in it.
    pods.clock.now += LEASE
    assert (one.held, other.take()) == (False, False)
    pods.clock.now += LEASE
    assert not other.take()
    pods.clock.now += 0.1
    assert (other.take(), other.held, pods.spec["holderIdentity"], pods.spec["leaseTransitions"]) == (
        True,
        True,
        "other",
        2,
    )
    # Who held it finds out, and does not take it back.
    assert (one.take(), one.held) == (False, False)


def test_a_term_ends_a_margin_before_the_lease_and_counts_from_before_it_was_asked_for(pods: Pods) -> None:
    one = pods.lease("one")
    assert one.take()
    pods.clock.now += LEASE - MARGIN - 0.1
    assert one.held
    pods.clock.now += 0.1
    assert not one.held


def test_what_is_given_up_is_taken_at_once(pods: Pods) -> None:
    one, other = pods.lease("one"), pods.lease("other")
    assert one.take()
    assert not other.take()
    one.release()
    assert (one.held, pods.spec["holderIdentity"], other.take(), other.held) == (False, "", True, True)
    # Giving up what one does not have changes nothing.
    one.release()
    assert (pods.spec["holderIdentity"], other.take()) == ("other", True)


def test_who_lost_it_unawares_gives_up_nothing_and_says_nothing(
    pods: Pods, caplog: pytest.LogCaptureFixture
) -> None:
    one, other = pods.lease("one"), pods.lease("other")
    assert one.take()
    assert not other.take()
    pods.clock.now += LEASE + 0.1
    assert other.take()
    with caplog.at_level(logging.WARNING):
        one.release()
    assert (caplog.messages, pods.spec["holderIdentity"]) == ([], "other")


def test_of_two_that_find_it_free_one_gets_it(pods: Pods) -> None:
    one, other = pods.lease("one"), pods.lease("other")
    found = one._server.request("GET", one._path)
    assert other.take()
    with pytest.raises(ApiError, match="the object has been modified") as raised:
        one._server.request("PUT", one._path, one._mine(found))
    assert raised.value.status == 409
    assert (one.take(), pods.spec["holderIdentity"]) == (False, "other")


def test_an_edit_by_somebody_else_costs_one_renewal(pods: Pods) -> None:
    one = pods.lease("one")
    assert one.take()
    assert pods.fake.lease is not None
    pods.fake.put(pods.fake.lease)
    pods.clock.now += 2
    assert (one.take(), one.held) == (False, True)
    pods.clock.now += 2
    assert (one.take(), one.held) == (True, True)


def test_an_answer_that_is_lost_is_asked_for_again(pods: Pods) -> None:
    one = pods.lease("one")
    assert one.take()
    pods.fake.mute = True
    assert not one.take()
    assert one.held
    assert one.take()


def test_a_pod_that_starts_again_goes_on_with_its_lease(pods: Pods) -> None:
    assert pods.lease("one").take()
    assert pods.lease("one").take()
    assert pods.spec["leaseTransitions"] == 1


def test_trouble_is_told_once_and_a_lost_connection_is_made_anew(
    pods: Pods, caplog: pytest.LogCaptureFixture
) -> None:
    one = pods.lease("one")
    pods.fake.failing = 2
    with caplog.at_level(logging.WARNING):
        assert [one.take(), one.take(), one.take()] == [False, False, True]
    assert caplog.messages == ["the lease cannot be asked for: status 503"]
    pods.fake.lease = None
    caplog.clear()
    with caplog.at_level(logging.WARNING):
        assert not one.take()
        assert not one.take()
    assert caplog.messages == ["the lease cannot be asked for: leases 'streaming-channel' not found"]


def test_credentials_are_read_each_time(pods: Pods, tmp_path: Path) -> None:
    one = pods.lease("one")
    token = tmp_path / "token"
    right = token.read_text()
    token.write_text("wrong")
    assert not one.take()
    token.write_text(right)
    assert one.take()


def test_nobody_but_the_authority_is_believed(pods: Pods, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    with api_server(elsewhere):
        one = pods.lease("one", account=elsewhere)
        with pytest.raises(ApiError, match="CERTIFICATE_VERIFY_FAILED"):
            one._server.request("GET", one._path)


def test_an_api_server_that_is_away_is_trouble_and_no_lease(pods: Pods) -> None:
    one = pods.lease("one")
    one._server._port = 9
    assert (one.take(), one.held) == (False, False)


def test_outside_a_pod_there_is_no_api_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    with pytest.raises(ApiError, match="the environment has no KUBERNETES_SERVICE_HOST: this is no pod"):
        ApiServer.of_this_pod()


def test_a_pod_tells_a_lease_that_is_held_from_one_it_cannot_ask_for(pods: Pods) -> None:
    one, other = pods.lease("one"), pods.lease("other")
    assert one.take()
    assert (other.take(), other.unknown) == (False, "")
    stranger = pods.lease("stranger", account=Path("/nowhere"))
    assert (stranger.take(), stranger.unknown.partition(":")[0]) == (False, "the API server")
