"""Verification: one claim, one row, whichever platform it is looked at on."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
import threading
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from rookery.design.model import DaemonKind, Design
from rookery.drivers.clients import tls
from rookery.drivers.clients.http import Browser
from rookery.drivers.machine.process import CommandError
from rookery.run.verify import cluster, kubernetes, table, web
from rookery.run.verify.result import (
    KUBERNETES,
    NATIVE,
    Check,
    Evidence,
    Outcome,
    Subject,
    everywhere,
    passed,
)
from rookery.run.workspace import open_spec
from rookery.systems.kubernetes.view import KubectlView
from rookery.systems.protocol import Endpoint, HostStatus, ProgramStatus
from tests.kit.fake_cluster import FakeKubectl


def design(platform: str) -> Design:
    provider = "existing" if platform == KUBERNETES else "lab"
    return open_spec("production-minimum", as_new=True, provider=provider).design


def subject(platform: str, **has: Any) -> Subject:
    system: Any = SimpleNamespace(design=design(platform), addresses={}, **has)
    return Subject(system=system, browser=Browser.__new__(Browser), mark="m")


def told(**answers: Any) -> Any:
    """A session with Ceph that knows these answers, by their commands."""
    return lambda *_: SimpleNamespace(mon=lambda words, **_: answers[words.replace(" ", "_")])


def seen(evidence: Evidence) -> tuple[Outcome, str]:
    return evidence.outcome, evidence.seen


# --- The table


def test_each_claim_has_one_name_and_one_title() -> None:
    assert [name for name, count in Counter(one.name for one in table.CHECKS).items() if count > 1] == []
    assert [title for title, count in Counter(one.title for one in table.CHECKS).items() if count > 1] == []
    assert all(one.look and one.look.keys() <= {NATIVE, KUBERNETES} for one in table.CHECKS)


def test_what_is_looked_at_on_one_platform_only() -> None:
    rows = {
        platform: {one.name for one in table.CHECKS if platform in one.look}
        for platform in (NATIVE, KUBERNETES)
    }
    assert sorted(rows[NATIVE] - rows[KUBERNETES]) == [
        *("archiving", "block", "cache", "catalogue", "checked", "file", "least-privilege", "locked"),
        *("origins", "ports", "renditions", "sets", "strangers"),
    ]
    assert sorted(rows[KUBERNETES] - rows[NATIVE]) == ["claims", "nodes", "policies", "strictness"]


def test_a_check_is_looked_at_as_its_platform_has_it() -> None:
    def here(_: Subject) -> Evidence:
        return passed("here")

    def there(_: Subject) -> Evidence:
        return passed("there")

    def breaks(_: Subject) -> Evidence:
        raise CommandError(("kubectl",), exit_code=1, output="refused")

    rows = (
        Check(name="both", title="b", look={NATIVE: here, KUBERNETES: there}),
        Check(name="same", title="s", look=everywhere(here)),
        Check(name="native", title="n", look={NATIVE: here}),
        Check(name="never", title="v", look=everywhere(here), applies=lambda _: False),
        Check(name="broken", title="x", look={KUBERNETES: breaks}),
    )
    results = {
        platform: [
            (one.name, one.outcome.value, one.seen)
            for one in table.verify(system(platform), mark="m", checks=rows)
        ]
        for platform in (NATIVE, KUBERNETES)
    }
    assert results[NATIVE] == [("both", "pass", "here"), ("same", "pass", "here"), ("native", "pass", "here")]
    assert results[KUBERNETES][:2] == [("both", "pass", "there"), ("same", "pass", "here")]
    name, outcome, said = results[KUBERNETES][2]
    assert (name, outcome) == ("broken", "not observed")
    assert said.startswith("CommandError: `kubectl` ended with exit code 1")


def system(platform: str) -> Any:
    return SimpleNamespace(
        design=design(platform), ca_file=ssl.get_default_verify_paths().cafile, addresses={}
    )


def test_what_many_ask_is_asked_once() -> None:
    asked = Counter[str]()

    def endpoints() -> tuple[Endpoint, ...]:
        asked["endpoints"] += 1
        return (Endpoint(name="site", url="https://site/"), Endpoint(name="s3", url="https://s3/"))

    looked = subject(KUBERNETES, endpoints=endpoints)
    assert (looked.url("site"), looked.url("s3"), looked.endpoint("s3").name) == (
        "https://site",
        "https://s3",
        "s3",
    )
    assert asked == {"endpoints": 1}


# --- Ceph, by the design's names or by Rook's


@pytest.mark.parametrize(
    ("platform", "inside", "outcome"),
    [
        (NATIVE, ["storage-k", "storage-l", "storage-m"], Outcome.PASS),
        (NATIVE, ["storage-k", "storage-l", "stranger"], Outcome.FAIL),
        (KUBERNETES, ["a", "b", "d"], Outcome.PASS),
        (KUBERNETES, ["a", "b"], Outcome.FAIL),
    ],
)
def test_quorum(platform: str, inside: list[str], outcome: Outcome) -> None:
    evidence = cluster.quorum(subject(platform, ceph=told(quorum_status={"quorum_names": inside})))
    assert seen(evidence) == (outcome, f"{len(inside)} of 3 in quorum: {', '.join(inside)}")


def warning(code: str, message: str, *, muted: bool) -> dict[str, Any]:
    return {code: {"summary": {"message": message}, "muted": muted}}


OLD = warning("AUTH_INSECURE_KEYS_ALLOWED", "older keys are allowed", muted=True)
SLOW = warning("SLOW_OPS", "1 slow ops", muted=False)


@pytest.mark.parametrize(
    ("platform", "status", "checks", "expected"),
    [
        (NATIVE, "HEALTH_OK", {}, (Outcome.PASS, "HEALTH_OK, nothing muted")),
        (NATIVE, "HEALTH_OK", OLD, (Outcome.FAIL, "AUTH_INSECURE_KEYS_ALLOWED is muted")),
        (NATIVE, "HEALTH_WARN", SLOW, (Outcome.FAIL, "1 slow ops")),
        (KUBERNETES, "HEALTH_OK", OLD, (Outcome.PASS, "HEALTH_OK, 1 warnings of older keys muted")),
        (KUBERNETES, "HEALTH_WARN", OLD | SLOW, (Outcome.FAIL, "1 slow ops")),
        (
            KUBERNETES,
            "HEALTH_OK",
            warning("OSD_DOWN", "1 osds down", muted=True),
            (Outcome.FAIL, "OSD_DOWN is muted"),
        ),
    ],
)
def test_health(platform: str, status: str, checks: dict[str, Any], expected: tuple[Outcome, str]) -> None:
    mutes = [{"code": code} for code, check in checks.items() if check["muted"]]
    health = {"status": status, "checks": checks, "mutes": mutes}
    assert seen(cluster.health(subject(platform, ceph=told(health=health)))) == expected


def tree(platform: str) -> dict[str, list[dict[str, Any]]]:
    """A CRUSH tree as designed; Rook numbers OSDs in an order of its own."""
    hosts: list[dict[str, Any]] = []
    osds: list[dict[str, Any]] = []
    numbers = iter(range(100) if platform == NATIVE else range(99, -1, -1))
    for host in design(platform).hosts:
        own = [next(numbers) for _ in host.daemons_of(DaemonKind.OSD)]
        osds += [{"id": n, "type": "osd", "name": f"osd.{n}", "status": "up", "reweight": 1.0} for n in own]
        hosts += [{"id": -len(hosts) - 2, "type": "host", "name": host.name, "children": own}] if own else []
    return {"nodes": [*hosts, *osds]}


@pytest.mark.parametrize("platform", [NATIVE, KUBERNETES])
def test_osds_are_counted_under_their_hosts(platform: str) -> None:
    nodes = tree(platform)
    looked = subject(platform, ceph=told(osd_tree=nodes))
    assert seen(cluster.osds(looked)) == (Outcome.PASS, "8 up and in, 2 on each of 4 hosts")
    by_name = {one["name"]: one for one in nodes["nodes"]}
    first = by_name[f"osd.{by_name['storage-k']['children'][0]}"]
    first["status"] = "down"
    assert seen(cluster.osds(looked)) == (Outcome.FAIL, f"1 of 2 on storage-k ({first['name']} is down)")
    first |= {"status": "up", "reweight": 0.0}
    assert cluster.osds(looked).seen == f"1 of 2 on storage-k ({first['name']} is out)"
    first["reweight"] = 1.0
    by_name["storage-l"]["children"].append(by_name["storage-k"]["children"].pop())
    assert cluster.osds(looked).seen == "1 of 2 on storage-k; 3 of 2 on storage-l"
    nodes["nodes"] = [one for one in nodes["nodes"] if one["name"] != "storage-k"]
    assert cluster.osds(looked).seen.startswith("0 of 2 on storage-k; ")


@pytest.mark.parametrize(
    ("platform", "states", "outcome", "words"),
    [
        (NATIVE, {"active+clean": 0}, Outcome.PASS, "{all} active+clean; the design has {all}"),
        (NATIVE, {"active+clean": -1}, Outcome.FAIL, "{less} active+clean; the design has {all}"),
        (
            NATIVE,
            {"active+clean": -1, "active+clean+scrubbing+deep": 1},
            Outcome.PASS,
            "{less} active+clean, 1 active+clean+scrubbing+deep; the design has {all}",
        ),
        (KUBERNETES, {"active+clean": 7}, Outcome.PASS, "7 active+clean"),
        (KUBERNETES, {"active+clean": 7, "peering": 1}, Outcome.FAIL, "7 active+clean, 1 peering"),
        (KUBERNETES, {"active+clean+inconsistent": 7}, Outcome.FAIL, "7 active+clean+inconsistent"),
        (KUBERNETES, {}, Outcome.FAIL, "there is none"),
    ],
)
def test_placement_groups(
    monkeypatch: pytest.MonkeyPatch, platform: str, states: dict[str, int], outcome: Outcome, words: str
) -> None:
    monkeypatch.setattr(cluster, "_MOVING_LIMIT", -1.0)
    designed = sum(pool.pg_num for pool in design(platform).pools)
    counts = [{"name": name, "num": designed + n if n < 1 else n} for name, n in states.items()]
    pg_stat = {"pg_summary": {"num_pg_by_state": counts}}
    evidence = cluster.placement_groups(subject(platform, ceph=told(pg_stat=pg_stat)))
    assert seen(evidence) == (outcome, words.format(all=designed, less=designed - 1))


# --- What visitors meet


@pytest.mark.parametrize("platform", [NATIVE, KUBERNETES])
def test_instances_are_as_many_as_designed_and_apart(platform: str) -> None:
    programs = {
        host.name: [
            ProgramStatus(host=host.name, name=one.name, running=True, detail="") for one in host.instances
        ]
        for host in design(platform).hosts
    }

    def hosts() -> tuple[HostStatus, ...]:
        return tuple(
            HostStatus(name=name, running=True, programs=tuple(own), memory=None)
            for name, own in programs.items()
        )

    evidence = web.instances_apart(subject(platform, hosts=hosts))
    assert evidence.outcome is Outcome.PASS
    assert "2 cdn-edge" in evidence.seen
    edge = next(one for one in programs["worker-b"] if one.name == "cdn-edge")
    programs["worker-b"].remove(edge)
    evidence = web.instances_apart(subject(platform, hosts=hosts))
    assert seen(evidence) == (Outcome.FAIL, "1 of 2 cdn-edge, on worker-a")
    programs["worker-a"].append(edge)
    assert web.instances_apart(subject(platform, hosts=hosts)).seen == "cdn-edge shares worker-a"


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[int, Path]]:
    """A TLS server of an authority's, which answers nothing; its port, and the authority's certificate."""
    now = dt.datetime.fromtimestamp(time.time(), tz=dt.UTC)
    ca_key, key = tls.make_key(), tls.make_key()
    ca = tls.make_authority("an authority", ca_key, now=now)
    certificate = tls.issue_certificate(ca, ca_key, key, names=("site.demo.example", "127.0.0.1"), now=now)
    (tmp_path / "ca.crt").write_text(ca)
    (tmp_path / "pair.pem").write_text(key + certificate)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "pair.pem")
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    plain, _ = listening.accept()
                except OSError:
                    return
                try:
                    context.wrap_socket(plain, server_side=True).close()
                except OSError:
                    plain.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1], tmp_path / "ca.crt"
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@pytest.mark.parametrize(
    ("platform", "name", "addresses"),
    [(NATIVE, "127.0.0.1", {}), (KUBERNETES, "site.demo.example", {"site.demo.example": "127.0.0.1"})],
)
def test_tls_is_of_our_authority_by_address_and_by_name(
    served: tuple[int, Path], platform: str, name: str, addresses: dict[str, str]
) -> None:
    port, ca = served
    looked = subject(
        platform, ca_file=ca, endpoints=lambda: (Endpoint(name="site", url=f"https://{name}:{port}/"),)
    )
    looked.system.addresses.update(addresses)  # type: ignore[attr-defined] # a dictionary here
    assert seen(web.tls_chain(looked)) == (Outcome.PASS, f"site: valid for {name}, trusted by our CA only")
    other = tls.make_authority(
        "another", tls.make_key(), now=dt.datetime.fromtimestamp(time.time(), tz=dt.UTC)
    )
    ca.write_text(other)
    evidence = web.tls_chain(looked)
    assert evidence.outcome is Outcome.FAIL
    assert "certificate verify failed" in evidence.seen


def test_a_service_without_an_address_fails(served: tuple[int, Path]) -> None:
    endpoint = Endpoint(name="site", url="https://site.invalid/")
    evidence = web.tls_chain(subject(KUBERNETES, ca_file=served[1], endpoints=lambda: (endpoint,)))
    assert evidence.outcome is Outcome.FAIL
    assert evidence.seen.startswith("site: ")


# --- What only a cluster has


class Refusing(FakeKubectl):
    """A cluster that takes no object, in these words."""

    words = ""

    def _create(self, words: list[str], namespace: str, stdin: str) -> None:
        assert "--dry-run=server" in words
        if self.words:
            raise CommandError(("kubectl", "create"), exit_code=1, output=self.words)


@pytest.mark.parametrize(
    ("words", "outcome", "said"),
    [
        ("", Outcome.FAIL, "a privileged pod may run in media"),
        (
            'pods "m" is forbidden: violates PodSecurity "restricted:latest"',
            Outcome.PASS,
            "a privileged pod is",
        ),
        ("connection refused", Outcome.NOT_OBSERVED, "connection refused"),
    ],
)
def test_strictness(monkeypatch: pytest.MonkeyPatch, words: str, outcome: Outcome, said: str) -> None:
    monkeypatch.setattr(Refusing, "words", words)
    evidence = kubernetes.strictness(subject(KUBERNETES, cluster=KubectlView(kubectl=Refusing())))
    assert evidence.outcome is outcome
    assert evidence.seen.startswith(said)


def test_a_check_of_a_cluster_is_none_of_a_system_without_one() -> None:
    with pytest.raises(AssertionError, match="production-minimum runs on no Kubernetes"):
        kubernetes.claims(subject(NATIVE, cluster=None))
