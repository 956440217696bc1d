"""Load on Kubernetes: the pod that makes it, what it is told, and how a run is followed from outside."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from rookery.apps.ground.policies import LOAD_LABELS
from rookery.design.model import Design
from rookery.errors import InputError, RookeryError
from rookery.load.model import Wishes, build_job
from rookery.load.places import places_of
from rookery.manifest import Manifest, Objects
from rookery.projections.kubernetes import build_stages
from rookery.projections.kubernetes.load import load_objects, monitors_of, render_client_conf
from rookery.run.workspace import open_spec
from rookery.systems.existing.servers import ExistingServers
from rookery.systems.kubernetes.load import LoadPod
from rookery.systems.kubernetes.system import KubernetesSystem
from rookery.systems.load import Run
from tests.kit.cluster_schemas import needs_schemas, problems
from tests.kit.designs import design as made_of
from tests.kit.fake_cluster import FakeHelm, FakeKubectl

RUN = "00000000-0000-4000-8000-000000000001"
TOLD = dict.fromkeys(("load.json", "load-secrets.json", "ca.crt", "ceph.conf", "keyring"), "x")
ADDRESSES = {"site.demo.example": "10.0.0.2", "s3.demo.example": "10.0.0.2", "other.example": "10.0.0.9"}


def design() -> Design:
    return open_spec("production-minimum", as_new=True, provider="existing").design


def objects() -> tuple[Manifest, Manifest]:
    secret, pod = load_objects(design(), TOLD, ADDRESSES)
    return secret, pod


# ---- The pod


@needs_schemas
def test_kubernetes_accepts_the_pod_and_its_secret() -> None:
    assert [text for one in objects() for text in problems(one)] == []


def test_the_pod_meets_the_strictest_standard() -> None:
    spec = objects()[1]["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    for container in spec["containers"]:
        assert container["securityContext"]["readOnlyRootFilesystem"] is True
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert spec["automountServiceAccountToken"] is False
    assert spec["nodeSelector"] == {"node-role.kubernetes.io/worker": ""}


def test_each_container_is_given_its_own_secrets_only() -> None:
    spec = objects()[1]["spec"]
    keys = {
        one["name"]: [item["key"] for item in one["secret"]["items"]]
        for one in spec["volumes"]
        if "secret" in one
    }
    seen = {
        container["name"]: sorted(
            key for mount in container["volumeMounts"] for key in keys.get(mount["name"], [])
        )
        for container in spec["containers"]
    }
    assert seen == {
        "generator": ["ca.crt", "load-secrets.json", "load.json"],
        "eyes": ["ceph.conf", "keyring"],
    }


def test_names_that_no_dns_knows_lead_to_the_door() -> None:
    assert objects()[1]["spec"]["hostAliases"] == [
        {"ip": "10.0.0.2", "hostnames": ["site.demo.example", "s3.demo.example"]},
        {"ip": "10.0.0.9", "hostnames": ["other.example"]},
    ]
    assert "hostAliases" not in load_objects(design(), TOLD, {})[1]["spec"]


@pytest.mark.parametrize(
    ("endpoints", "hosts"),
    [
        ("a=10.96.0.5:3300", "[v2:10.96.0.5:3300]"),
        (
            "a=10.96.0.5:6789,b=10.96.0.6:6789",
            "[v2:10.96.0.5:3300,v1:10.96.0.5:6789],[v2:10.96.0.6:3300,v1:10.96.0.6:6789]",
        ),
    ],
)
def test_monitors_are_reached_by_the_protocols_they_speak(endpoints: str, hosts: str) -> None:
    assert monitors_of(endpoints) == hosts
    assert render_client_conf(hosts).splitlines()[1] == f"mon_host = {hosts}"


def of_the_tree(kind: str) -> list[Manifest]:
    return [
        one
        for stage in build_stages(design())
        for item in stage.items
        if isinstance(item, Objects)
        for one in item.objects
        if one["kind"] == kind
    ]


def test_who_makes_load_may_look_at_ceph_and_no_more() -> None:
    (user,) = of_the_tree("CephClient")
    assert user["spec"] == {"caps": {"mon": "allow r", "mgr": "allow r"}}
    stored = next(one for one in of_the_tree("CephObjectStoreUser") if one["metadata"]["name"] == "load")
    assert stored["spec"]["quotas"] == {"maxBuckets": 1}


def test_policies_let_it_go_anywhere_and_into_the_database() -> None:
    wanted = {key: value for key, value in LOAD_LABELS.items() if not key.endswith("managed-by")}
    policies = {one["metadata"]["name"]: one["spec"] for one in of_the_tree("NetworkPolicy")}
    assert policies["load"] == {
        "podSelector": {"matchLabels": wanted},
        "policyTypes": ["Ingress", "Egress"],
        "egress": [{}],
    }
    into = [
        [port["port"] for port in rule["ports"]]
        for rule in policies["database"]["ingress"]
        if rule["from"][0]["podSelector"]["matchLabels"].items() <= LOAD_LABELS.items()
    ]
    assert into == [[5432]]


def test_its_clients_come_as_users_do_and_to_the_database_inside() -> None:
    domain = design().kubernetes.domain  # type: ignore[union-attr]
    found = places_of(design())
    assert (found.site, found.s3) == (f"https://site.{domain}", f"https://s3.{domain}")
    assert found.writes is not None
    assert found.reads is not None
    assert (found.writes.host, found.writes.port) == ("database-rw.media.svc", 5432)
    assert found.reads.host == "database-ro.media.svc"
    bare = places_of(made_of({"provider": "existing", "apps": {}}))
    assert (bare.site, bare.s3, bare.writes) == ("", "https://s3.rookery-demo.internal", None)
    nothing = made_of({"provider": "existing", "apps": {}, "storage": {"object": {"enabled": False}}})
    with pytest.raises(InputError) as refused:
        build_job(nothing, Wishes(churn=1), run=RUN, began="2026")
    assert refused.value.what == "--churn: the design has no object storage (storage.object)"


# ---- A run


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster(FakeKubectl):
    """A cluster whose kubelet starts a pod at once; `files` are what the generator left."""

    files: dict[str, str] = field(default_factory=dict)
    starts: list[Callable[[], None]] = field(default_factory=list)

    def states(self, **states: str) -> None:
        """Set the states of the pod's containers."""
        pod = self.objects["pod", "media", "load"]
        found = [{"name": name, "state": {state: {}}} for name, state in states.items()]
        pod["status"] = {"containerStatuses": found}

    def _apply(self, words: list[str], namespace: str, stdin: str) -> None:
        FakeKubectl._apply(self, words, namespace, stdin)
        for start in self.starts:
            start()

    def _exec(self, words: list[str], namespace: str, stdin: str) -> str:
        command = words[words.index("--") + 1 :]
        if command[0] == "cat":
            self.answers["cat"] = self.files.get(command[1].rpartition("/")[2], "")
            if not self.answers["cat"]:
                del self.answers["cat"]
        if command[0] == "python3":
            self.answers["python3"] = ""
            kept = command[-1] == "2"
            self.files["status.json"] = status("ended", why="kept" if kept else "asked")
            self.files["record.json"] = status("ended", why="record")
            self.states(generator="terminated", eyes="running")
        return FakeKubectl._exec(self, words, namespace, stdin)

    def _logs(self, words: list[str], _namespace: str, _stdin: str) -> str:
        assert words == ["load", "--container=generator"]
        return "line 1\nModuleNotFoundError: no aiohttp\n"


def status(state: str, *, why: str = "") -> str:
    return json.dumps(
        {
            "system": "rookery-demo", "record": "record.json", "state": state, "why": why, "message": "",
            "began": "2026-01-02T03:04:05+00:00", "ended": "", "seen": "2026-01-02T03:05:05+00:00",
            "seconds": 60, "settings": {}, "off": {}, "kinds": {},
        }
    )  # fmt: skip


def secret(name: str, namespace: str, **data: str) -> dict[str, Any]:
    kept = {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
    return {"kind": "Secret", "metadata": {"name": name, "namespace": namespace}, "data": kept}


def quiet(_text: str) -> None:
    """Hears what is reported, and forgets it."""


@pytest.fixture
def cluster() -> Cluster:
    made = Cluster()
    endpoints = {"name": "rook-ceph-mon-endpoints", "namespace": "rook-ceph"}
    made.put({"kind": "ConfigMap", "metadata": endpoints, "data": {"data": "a=10.96.0.5:3300"}})
    made.put(secret("rook-ceph-client-load", "rook-ceph", load="AQ=="))
    keys = {"AccessKey": "access", "SecretKey": "hidden"}
    made.put(secret("rook-ceph-object-user-store-load", "rook-ceph", **keys))
    made.put(secret("database-load", "media", username="load", password="hidden too"))
    made.put(secret("rookery-ca-key", "cert-manager", **{"tls.crt": "an authority", "tls.key": "-"}))
    return made


@pytest.fixture
def load(cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))
    system = KubernetesSystem(design(), ExistingServers(design()))
    system.kubectl, system.helm = cluster, FakeHelm()
    found = system.load
    assert isinstance(found, Run)
    return found


def start(load: Run) -> Any:
    job = build_job(design(), Wishes(), run=RUN, began="2026-01-02T03:04:05+00:00")
    return load.start(job, quiet)


def counting(cluster: Cluster) -> None:
    cluster.files["status.json"] = status("running")
    cluster.states(generator="running", eyes="running")


def test_what_it_is_told(load: Run, cluster: Cluster) -> None:
    cluster.starts.append(lambda: counting(cluster))
    assert start(load).state == "running"
    told = cluster.objects["secret", "media", "load"]["stringData"]
    job = json.loads(told["load.json"])
    assert job["cluster"] == {"file": "/srv/load/cluster.json"}
    assert job["database"]["read_host"] == "database-ro.media.svc"
    assert json.loads(told["load-secrets.json"]) == {
        "database_password": "hidden too",
        "s3_access": "access",
        "s3_secret": "hidden",
    }
    assert told["ca.crt"] == "an authority"
    assert told["keyring"] == "[client.load]\n\tkey = AQ==\n"
    assert "hidden" not in json.dumps(cluster.asked)


def test_a_run_is_followed_ended_and_its_record_kept(load: Run, cluster: Cluster) -> None:
    assert load.figures() is None
    cluster.starts.append(lambda: counting(cluster))
    start(load)
    seen = load.stop(keep=False, report=quiet)
    assert seen is not None
    assert (seen.state, seen.why) == ("ended", "asked")
    assert ("pod", "media", "load") not in cluster.objects
    assert ("secret", "media", "load") not in cluster.objects
    assert json.loads((load.records / "record.json").read_text())["why"] == "record"
    assert (load.records / "record.json").stat().st_mode & 0o777 == 0o600
    again = load.figures()
    assert again is not None
    assert again.state == "ended"


def test_what_it_made_can_be_kept(load: Run, cluster: Cluster) -> None:
    cluster.starts.append(lambda: counting(cluster))
    start(load)
    seen = load.stop(keep=True, report=quiet)
    assert seen is not None
    assert seen.why == "kept"


def test_a_run_whose_pod_is_gone_was_lost(load: Run, cluster: Cluster) -> None:
    cluster.starts.append(lambda: counting(cluster))
    start(load)
    del cluster.objects["pod", "media", "load"]
    seen = load.figures()
    assert seen is not None
    assert (seen.state, seen.running, seen.ended) == ("lost", False, "2026-01-02T03:05:05+00:00")
    assert start(load).state == "running"


def test_a_pod_on_a_silent_node_says_since_when(load: Run, cluster: Cluster) -> None:
    cluster.starts.append(lambda: counting(cluster))
    start(load)
    cluster.files.clear()
    seen = load.figures()
    assert seen is not None
    assert (seen.state, seen.message) == ("running", "its pod is silent since 2026-01-02T03:05:05+00:00")


def test_a_pod_on_a_silent_node_is_not_waited_for(load: Run, cluster: Cluster) -> None:
    cluster.starts.append(lambda: counting(cluster))
    start(load)
    cluster.objects["pod", "media", "load"]["spec"]["nodeName"] = "worker-a"
    for ready in ("True", "False"):
        condition = {"type": "Ready", "status": ready}
        meta = {"name": "worker-a"}
        cluster.put({"kind": "Node", "metadata": meta, "status": {"conditions": [condition]}})
        load._carrier.remove()
        start(load)
        cluster.objects["pod", "media", "load"]["spec"]["nodeName"] = "worker-a"
    forced = [words for words in cluster.asked if words[:2] == ("delete", "pod") and "--force" in words]
    assert len(forced) == 1


def test_a_generator_that_ends_at_once_says_why(load: Run, cluster: Cluster) -> None:
    cluster.starts.append(lambda: cluster.states(generator="terminated", eyes="running"))
    with pytest.raises(RookeryError, match="the generator ended at once") as failed:
        start(load)
    assert failed.value.details == ("line 1", "ModuleNotFoundError: no aiohttp")
    assert ("pod", "media", "load") not in cluster.objects


def test_a_pod_that_does_not_start_is_not_waited_for_for_ever(
    load: Run, cluster: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier = load._carrier
    assert isinstance(carrier, LoadPod)
    monkeypatch.setattr(load, "_carrier", replace(carrier, start_limit=0.1))

    def unplaced() -> None:
        condition = {"type": "PodScheduled", "status": "False", "message": "0/7 nodes are available"}
        cluster.objects["pod", "media", "load"]["status"] = {"conditions": [condition]}

    cluster.starts.append(unplaced)
    with pytest.raises(RookeryError, match="waited 0 s for the generator") as failed:
        start(load)
    assert failed.value.details == ("seen last: 0/7 nodes are available",)
    assert ("pod", "media", "load") not in cluster.objects


def test_without_objects_no_keys_are_asked_for(load: Run, cluster: Cluster) -> None:
    del cluster.objects["secret", "rook-ceph", "rook-ceph-object-user-store-load"]
    cluster.starts.append(lambda: counting(cluster))
    job = build_job(design(), Wishes(churn=0), run=RUN, began="2026-01-02T03:04:05+00:00")
    load.start(job, quiet)
    told = json.loads(cluster.objects["secret", "media", "load"]["stringData"]["load-secrets.json"])
    assert told == {"database_password": "hidden too"}
