"""Streaming on Kubernetes: its objects, whole, for every provider that runs it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from rookery.apps.pod_image import image_reference
from rookery.apps.streaming.kubernetes.items import streaming_items
from rookery.design.model import Design
from rookery.errors import InputError
from rookery.manifest import Manifest, Objects, Wait
from rookery.run.workspace import open_spec
from tests.kit.cluster_schemas import problems
from tests.kit.kubernetes_objects import containers_of, restricted_problems
from tests.kit.nginx_image import Place, check_configuration

PROVIDERS = ("hetzner", "existing")
WITHOUT_CHANNEL = "apps: {streaming: {channel: false}}"
WITH_FILMS = "apps: {streaming: {media: films}}"


@cache
def design(provider: str = "hetzner") -> Design:
    return open_spec("production-minimum", as_new=True, provider=provider).design


def changed(folder: Path, text: str) -> Design:
    spec = folder / "spec.yaml"
    (folder / "films").mkdir()
    spec.write_text(f"apiVersion: rookery/v1\npattern: production-minimum\nname: demo\n{text}\n")
    return open_spec(str(spec), as_new=True, provider="hetzner").design


def items(of: Design) -> tuple[Any, ...]:
    return streaming_items(of, next(app for app in of.apps if app.name == "streaming"), image_reference())


def objects(of: Design) -> Iterator[Manifest]:
    for item in items(of):
        if isinstance(item, Objects):
            yield from item.objects


def one(of: Design, kind: str, name: str) -> Any:
    found = [each for each in objects(of) if (each["kind"], each["metadata"]["name"]) == (kind, name)]
    assert len(found) == 1, [(each["kind"], each["metadata"]["name"]) for each in objects(of)]
    return found[0]


def pods(of: Design) -> Iterator[tuple[str, Any]]:
    """Yield the name and the specification of every pod and of what makes pods."""
    for each in objects(of):
        spec = each.get("spec", {})
        if each["kind"] == "Pod" or "template" in spec:
            yield each["metadata"]["name"], spec["template"]["spec"] if "template" in spec else spec


def packer(of: Design) -> Any:
    return next(each for each in objects(of) if each["kind"] == "Job")


@pytest.mark.parametrize("provider", PROVIDERS)
def test_what_there_is_and_in_which_order(provider: str) -> None:
    said = [
        (item.name, [f"{each['kind']}/{each['metadata']['name']}" for each in item.objects])
        if isinstance(item, Objects)
        else (item.kind, item.name, item.condition, item.seconds)
        for item in items(design(provider))
    ]
    job = packer(design(provider))["metadata"]["name"]
    assert job.startswith("streaming-packager-")
    assert said == [
        (
            "network-policies",
            [
                "NetworkPolicy/streaming-packager",
                "NetworkPolicy/streaming-origin",
                "CiliumNetworkPolicy/streaming-channel",
            ],
        ),
        ("bucket", ["ObjectBucketClaim/media"]),
        ("objectbucketclaim", "media", "jsonpath={.status.phase}=Bound", 300),
        (
            "films",
            [
                "ServiceAccount/streaming-packager",
                "Certificate/streaming-packager",
                "ConfigMap/streaming-rules",
                f"Job/{job}",
            ],
        ),
        (
            "channel",
            [
                "ServiceAccount/streaming-channel",
                "Lease/streaming-channel",
                "Role/streaming-channel",
                "RoleBinding/streaming-channel",
                "PersistentVolumeClaim/live",
                "Deployment/streaming-channel",
                "PodDisruptionBudget/streaming-channel",
            ],
        ),
        (
            "origins",
            [
                "ServiceAccount/streaming-origin",
                "Certificate/streaming-origin",
                "ConfigMap/streaming-origin",
                "Deployment/streaming-origin",
                "Service/streaming-origin",
                "PodDisruptionBudget/streaming-origin",
            ],
        ),
        ("deployment", "streaming-channel", "rolled out", 600),
        ("deployment", "streaming-origin", "rolled out", 600),
        ("job", job, "condition=Complete", 1800),
    ]


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("text", ["", WITHOUT_CHANNEL, WITH_FILMS])
def test_objects_are_accepted_and_pods_are_restricted(provider: str, text: str, tmp_path: Path) -> None:
    of = changed(tmp_path, text) if text else design(provider)
    known = [each for each in objects(of) if not each["apiVersion"].startswith(("cert-manager", "object"))]
    assert [text for each in known for text in problems(each)] == []
    assert len(list(pods(of))) == {"": 3, WITHOUT_CHANNEL: 1, WITH_FILMS: 4}[text]
    for each in objects(of):
        assert each["metadata"]["namespace"] == "media"
    for name, pod in pods(of):
        assert restricted_problems(pod) == []
        for container in containers_of(pod):
            assert container["image"] == image_reference()
            assert container["securityContext"]["readOnlyRootFilesystem"] is True
            assert set(container["resources"]["requests"]) == {"cpu", "memory"}
        assert pod["serviceAccountName"].startswith("streaming-")
        # Only who asks the API server has credentials for it.
        assert pod["automountServiceAccountToken"] is (name == "streaming-channel")


def test_the_channel_is_a_pod_on_each_host_of_the_design() -> None:
    of = design()
    spec = one(of, "Deployment", "streaming-channel")["spec"]
    assert spec["replicas"] == 2
    assert [each["topologyKey"] for each in spec["template"]["spec"]["topologySpreadConstraints"]] == [
        "kubernetes.io/hostname"
    ]
    (container,) = spec["template"]["spec"]["containers"]
    assert container["command"] == [
        "python3",
        "/usr/lib/rookery/streaming/cluster_channel.py",
        *("--host", "$(HOST)", "--identity", "$(POD)", "--namespace", "media"),
        *("--lease", "streaming-channel", "--folder", "/srv/live", "--work", "/work/encoder"),
    ]
    assert container["env"] == [
        {"name": "HOST", "valueFrom": {"fieldRef": {"fieldPath": "spec.nodeName"}}},
        {"name": "POD", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
    ]
    assert one(of, "PersistentVolumeClaim", "live")["spec"] == {
        "accessModes": ["ReadWriteMany"],
        "storageClassName": "ceph-filesystem",
        "resources": {"requests": {"storage": "1Gi"}},
    }


def test_who_leads_may_change_that_lease_and_nothing_else() -> None:
    of = design()
    assert "spec" not in one(of, "Lease", "streaming-channel")
    assert one(of, "Role", "streaming-channel")["rules"] == [
        {
            "apiGroups": ["coordination.k8s.io"],
            "resources": ["leases"],
            "resourceNames": ["streaming-channel"],
            "verbs": ["get", "update"],
        }
    ]
    binding = one(of, "RoleBinding", "streaming-channel")
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": "streaming-channel", "namespace": "media"}
    ]


def test_an_origin_serves_the_folder_and_is_ready_while_there_is_a_channel() -> None:
    of = design()
    spec = one(of, "Deployment", "streaming-origin")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["readinessProbe"]["httpGet"] == {
        "path": "/.origin/health",
        "port": "https",
        "scheme": "HTTPS",
    }
    assert container["livenessProbe"]["tcpSocket"] == {"port": "https"}
    assert {"name": "live", "mountPath": "/srv/live", "readOnly": True} in container["volumeMounts"]
    assert one(of, "Service", "streaming-origin")["spec"]["ports"] == [
        {"name": "https", "port": 443, "targetPort": "https"}
    ]
    assert one(of, "Certificate", "streaming-origin")["spec"]["dnsNames"] == [
        "streaming-origin.media.svc",
        "streaming-origin.media.svc.cluster.local",
        "streaming-origin",
    ]


def test_real_nginx_takes_an_origins_configuration(tmp_path: Path) -> None:
    text = one(design(), "ConfigMap", "streaming-origin")["data"]["nginx.conf"]
    place = Place(path="/etc/rookery/nginx.conf", tls="/etc/rookery/tls", writable=["/tmp"], user=65532)
    assert check_configuration(tmp_path, text, place, names=set()) == ""


def test_films_are_made_in_one_container_and_published_by_another() -> None:
    of = design()
    job = packer(of)
    spec = job["spec"]["template"]["spec"]
    assert "ttlSecondsAfterFinished" not in job["spec"]
    (pack,), (publish,) = spec["initContainers"], spec["containers"]
    assert pack["command"] == [
        *("taskset", "-c", "0-3", "python3", "/usr/lib/rookery/packing/pack_media.py"),
        *("--out", "/srv/out/made"),
    ]
    assert pack["resources"]["limits"] == {"memory": "1024Mi"}
    assert publish["command"] == [
        *("python3", "/usr/lib/rookery/publish/publish.py", "--bucket", "media"),
        *("--endpoint", "https://rook-ceph-rgw-store.rook-ceph.svc:443", "--ca", "/etc/rookery/tls/ca.crt"),
        *("--rules", "/etc/rookery/rules.json", "--prune", "/srv/out/made"),
    ]
    # Only who publishes has the bucket's keys.
    assert ("env" in pack, [each["name"] for each in publish["env"]]) == (
        False,
        ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"],
    )
    assert spec["volumes"][0] == {"name": "out", "emptyDir": {"sizeLimit": "2Gi"}}
    policy = one(of, "ObjectBucketClaim", "media")["spec"]["additionalConfig"]["bucketPolicy"]
    assert '"10.244.0.0/16"' in policy
    assert '"s3:GetObject"' in policy


def test_films_of_ones_own_come_from_a_volume_and_wait_until_it_is_complete(tmp_path: Path) -> None:
    of = changed(tmp_path, WITH_FILMS)
    spec = packer(of)["spec"]["template"]["spec"]
    complete, pack = spec["initContainers"]
    assert complete["command"] == ["sh", "-c", "until test -e /srv/source/.ready; do sleep 2; done"]
    assert pack["command"][-2:] == ["--media", "/srv/source"]
    assert pack["resources"]["limits"] == {"memory": "2048Mi"}
    assert spec["volumes"][0]["ephemeral"]["volumeClaimTemplate"]["spec"] == {
        "accessModes": ["ReadWriteOnce"],
        "storageClassName": "ceph-block",
        "resources": {"requests": {"storage": "50Gi"}},
    }
    source = next(item for item in items(of) if isinstance(item, Objects) and item.name == "source")
    # It comes before the account of the packager, and has a controller that makes it anew elsewhere.
    assert [(each["kind"], each["metadata"]["name"]) for each in source.objects] == [
        ("ServiceAccount", "streaming-source"),
        ("PersistentVolumeClaim", "media-source"),
        ("Deployment", "media-source"),
    ]
    door = one(of, "Deployment", "media-source")["spec"]
    assert (door["replicas"], door["template"]["spec"]["serviceAccountName"]) == (1, "streaming-source")
    assert one(of, "PersistentVolumeClaim", "media-source")["spec"]["accessModes"] == ["ReadWriteMany"]
    assert f"tar -C {tmp_path / 'films'} -ch . | kubectl -n media exec -i deploy/media-source -- tar -x " in (
        source.why
    )
    waits = [item for item in items(of) if isinstance(item, Wait) and item.kind == "job"]
    assert [wait.seconds for wait in waits] == [6 * 3600]
    # Another Job than the one that generates films.
    assert waits[0].name != packer(design())["metadata"]["name"]


def test_without_a_channel_there_is_nothing_of_it(tmp_path: Path) -> None:
    of = changed(tmp_path, WITHOUT_CHANNEL)
    assert sorted({each["kind"] for each in objects(of)}) == [
        "Certificate",
        "ConfigMap",
        "Job",
        "NetworkPolicy",
        "ObjectBucketClaim",
        "ServiceAccount",
    ]


def test_films_of_ones_own_need_a_file_system_to_come_through(tmp_path: Path) -> None:
    with pytest.raises(InputError) as raised:
        changed(
            tmp_path,
            "storage: {file: {enabled: false}}\napps: {streaming: {media: films, channel: false}}",
        )
    assert str(raised.value) == (
        "apps.streaming.media: they come through a volume of CephFS, and file storage is off\n"
        "  Set storage.file.enabled to true, or remove apps.streaming.media."
    )
