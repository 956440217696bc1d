"""The applications on Kubernetes: what is applied, and what holds for every design."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rookery.apps.cdn.kubernetes.items import edge_place
from rookery.apps.cdn.kubernetes.publishing import config_maps
from rookery.apps.ground.names import NAMESPACE
from rookery.apps.ground.pods import USER
from rookery.apps.ground.policies import LOAD_LABELS, policy_items
from rookery.apps.pod_image import image_files, image_reference
from rookery.errors import InputError
from rookery.files import File
from rookery.manifest import NeededSecrets, Objects, Wait
from rookery.projections.kubernetes.gateway import gateway_items
from rookery.spec.load import pattern_names
from tests.kit.catalogue_service import SERVICE
from tests.kit.kubernetes_objects import (
    app_items,
    containers_of,
    design_from,
    design_of,
    find,
    made,
    objects_of,
    pod_templates,
    referenced,
    restricted_problems,
    selects,
    writable,
)
from tests.kit.nginx_image import Place, check_configuration

EVERY = [(pattern, provider) for pattern in pattern_names() for provider in ("hetzner", "existing")]
every_design = pytest.mark.parametrize(("pattern", "provider"), EVERY)
# Pods that an operator makes, and how it labels them.
OPERATED = [{"cnpg.io/cluster": "database"}, LOAD_LABELS]


@every_design
def test_every_pod_meets_the_strictest_standard(pattern: str, provider: str) -> None:
    found = dict(pod_templates(objects_of(app_items(design_of(pattern, provider)))))
    problems = {name: restricted_problems(template["spec"]) for name, template in found.items()}
    assert problems == {name: [] for name in found}


def test_the_standard_is_one_that_can_be_missed() -> None:
    _, template = next(pod_templates(objects_of(app_items(design_of("production-minimum"), "cdn"))))
    pod = json.loads(json.dumps(template["spec"]))
    pod["hostNetwork"] = True
    pod["volumes"].append({"name": "host", "hostPath": {"path": "/"}})
    pod["securityContext"]["runAsNonRoot"] = False
    pod["containers"][0]["securityContext"] = {"capabilities": {"add": ["SYS_ADMIN"]}}
    name = pod["containers"][0]["name"]
    assert restricted_problems(pod) == [
        "hostNetwork is set",
        "volume host: hostPath",
        f"{name}: may become more than it is",
        f"{name}: keeps capabilities",
        f"{name}: adds capabilities",
        f"{name}: may run as root",
    ]


@every_design
def test_every_container_says_what_it_takes(pattern: str, provider: str) -> None:
    for name, template in pod_templates(objects_of(app_items(design_of(pattern, provider)))):
        for container in containers_of(template["spec"]):
            size = container["resources"]
            assert size["requests"].keys() >= {"cpu", "memory"}, name
            assert size["limits"].keys() >= {"memory"}, name
            assert container["securityContext"]["readOnlyRootFilesystem"] is True, name
            assert container["image"].rpartition(":")[2] not in ("", "latest"), name


@every_design
def test_every_secret_and_configmap_that_a_pod_needs_is_made(pattern: str, provider: str) -> None:
    items = app_items(design_of(pattern, provider))
    needed = {one for _, template in pod_templates(objects_of(items)) for one in referenced(template["spec"])}
    assert needed <= made(items), needed - made(items)


@every_design
def test_what_is_waited_for_is_there_by_then(pattern: str, provider: str) -> None:
    kinds: set[tuple[str, str]] = set()
    design = design_of(pattern, provider)
    for item in (*gateway_items(design), *app_items(design)):
        if isinstance(item, Objects):
            kinds |= {(one["kind"].lower(), one["metadata"]["name"]) for one in item.objects}
        elif isinstance(item, Wait):
            kind = item.kind.partition(".")[0]
            assert item.namespace == NAMESPACE
            if item.name == "--all":
                assert kind in {name for name, _ in kinds}
            else:
                assert (kind, item.name) in kinds


@every_design
def test_every_service_selects_pods_that_have_its_ports(pattern: str, provider: str) -> None:
    objects = objects_of(app_items(design_of(pattern, provider)))
    templates = [template for _, template in pod_templates(objects)]
    for service in (one for one in objects if one["kind"] == "Service"):
        wanted = {"matchLabels": service["spec"]["selector"]}
        chosen = [one for one in templates if selects(wanted, one["metadata"]["labels"])]
        assert len(chosen) == 1, service["metadata"]["name"]
        ports = {port["name"] for one in containers_of(chosen[0]["spec"]) for port in one.get("ports", ())}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports


@every_design
def test_every_selector_of_a_controller_is_that_of_its_own_pods(pattern: str, provider: str) -> None:
    objects = objects_of(app_items(design_of(pattern, provider)))
    for one in objects:
        if one["kind"] in ("Deployment", "StatefulSet"):
            spec = one["spec"]
            others = [template for _, template in pod_templates(objects) if template is not spec["template"]]
            assert selects(spec["selector"], spec["template"]["metadata"]["labels"])
            assert not any(selects(spec["selector"], other["metadata"]["labels"]) for other in others)


@every_design
def test_no_two_objects_have_one_name(pattern: str, provider: str) -> None:
    design = design_of(pattern, provider)
    objects = objects_of((*policy_items(design), *gateway_items(design), *app_items(design)))
    names = [(one["kind"], one["metadata"].get("namespace"), one["metadata"]["name"]) for one in objects]
    assert len(names) == len(set(names))


@every_design
def test_who_may_speak_to_whom_names_pods_that_exist(pattern: str, provider: str) -> None:
    """A policy for nobody, or one that lets in whoever is not there, is a mistake in a label."""
    design = design_of(pattern, provider)
    objects = objects_of(app_items(design))
    pods = [template["metadata"]["labels"] for _, template in pod_templates(objects)] + OPERATED
    for policy in (one for one in objects if one["kind"] == "NetworkPolicy"):
        name, spec = policy["metadata"]["name"], policy["spec"]
        assert any(selects(spec["podSelector"], one) for one in pods), name
        peers = [peer for rule in spec.get("ingress", ()) for peer in rule["from"]]
        peers += [peer for rule in spec.get("egress", ()) for peer in rule["to"]]
        for peer in peers:
            if "namespaceSelector" not in peer:
                assert any(selects(peer["podSelector"], one) for one in pods), f"{name}: {peer}"


@every_design
def test_whoever_asks_is_let_out_and_let_in(pattern: str, provider: str) -> None:
    """What one policy lets out to a pod here, a policy of that pod's lets in, at the same ports."""
    objects = objects_of(app_items(design_of(pattern, provider)))
    policies = [one["spec"] for one in objects if one["kind"] == "NetworkPolicy"]
    pods = [template["metadata"]["labels"] for _, template in pod_templates(objects)] + OPERATED

    def chosen(selector: dict[str, Any]) -> list[dict[str, str]]:
        return [one for one in pods if selects(selector, one)]

    def ports(rule: dict[str, Any]) -> set[int]:
        return {port["port"] for port in rule["ports"]}

    out = {
        (str(one), str(other), port)
        for spec in policies
        for rule in spec.get("egress", ())
        for peer in rule["to"]
        if "namespaceSelector" not in peer
        for one in chosen(spec["podSelector"])
        for other in chosen(peer["podSelector"])
        for port in ports(rule)
    }
    let_in = {
        (str(other), str(one), port)
        for spec in policies
        for rule in spec.get("ingress", ())
        for peer in rule["from"]
        if "namespaceSelector" not in peer
        for one in chosen(spec["podSelector"])
        for other in chosen(peer["podSelector"])
        for port in ports(rule)
    }
    # A load may go anywhere, by a policy of its own.
    assert out == {way for way in let_in if way[0] != str(LOAD_LABELS)}


@every_design
def test_secrets_are_asked_for_and_never_written(pattern: str, provider: str) -> None:
    items = app_items(design_of(pattern, provider))
    assert not any(one["kind"] == "Secret" for one in objects_of(items))
    needed = [one for item in items if isinstance(item, NeededSecrets) for one in item.secrets]
    assert all(one.namespace == NAMESPACE and one.username and one.why for one in needed)
    assert len({one.name for one in needed}) == len(needed)


@pytest.mark.parametrize("pattern", [name for name in pattern_names() if app_items(design_of(name), "cdn")])
def test_nginx_takes_the_configuration_of_every_edge(pattern: str, tmp_path: Path) -> None:
    design = design_of(pattern)
    objects = objects_of(app_items(design, "cdn"))
    text = find(objects, "ConfigMap", "cdn-edge")["data"]["nginx.conf"]
    names = {origin.host for _, origin in edge_place(design).origins}
    pod = find(objects, "Deployment", "cdn-edge")["spec"]["template"]["spec"]
    place = Place(
        path="/etc/rookery/edge/nginx.conf", tls="/etc/rookery/tls", writable=writable(pod), user=USER
    )
    assert check_configuration(tmp_path, text, place, names=names) == ""


def test_a_job_that_does_something_else_is_another_job() -> None:
    """What a Job does cannot be changed; one that changed without a new name could not be applied."""

    def names(settings: str, films: str = "") -> set[str]:
        design = design_from(
            f"apps: {{database: {{}}, streaming: {{{films}}}, catalogue: {{{settings}}}, cdn: {{}}}}"
        )
        objects = objects_of(app_items(design, "catalogue"))
        return {one["metadata"]["name"] for one in objects if one["kind"] == "Job"}

    assert names("") == names("")
    assert names("") != names("plays: 5")
    # Other films are other titles.
    assert names("") != names("", films="media: films")


def test_a_change_of_a_configuration_makes_new_pods() -> None:
    def edges(settings: str) -> Any:
        objects = objects_of(app_items(design_from(f"apps: {{cdn: {{{settings}}}}}"), "cdn"))
        return find(objects, "Deployment", "cdn-edge")["spec"]["template"]["metadata"]["annotations"]

    assert edges("") == edges("")
    assert edges("") != edges("cache: 512MB")


def test_the_sites_bucket_is_read_by_pods_and_written_by_its_owner() -> None:
    objects = objects_of(app_items(design_of("production-minimum"), "cdn"))
    spec = find(objects, "ObjectBucketClaim", "site")["spec"]
    policy = json.loads(spec["additionalConfig"]["bucketPolicy"])
    assert policy == {
        "Version": "2012-10-17",
        "Statement": [
            {
                "Effect": "Allow",
                "Principal": "*",
                "Action": ["s3:GetObject"],
                "Resource": ["arn:aws:s3:::site/*"],
                "Condition": {"IpAddress": {"aws:SourceIp": ["10.244.0.0/16"]}},
            }
        ],
    }


def test_the_gateway_has_a_name_for_each_service_and_keeps_no_key() -> None:
    design = design_of("production-minimum")
    objects = objects_of(gateway_items(design))
    spec = find(objects, "Gateway", "public")["spec"]
    listeners = {
        one["name"]: (one["protocol"], one["port"], one.get("hostname"), one.get("tls"))
        for one in spec["listeners"]
    }
    passed = {"mode": "Passthrough"}
    assert listeners == {
        "http": ("HTTP", 80, None, None),
        "site": ("TLS", 443, "site.production-minimum.internal", passed),
        "s3": ("TLS", 443, "s3.production-minimum.internal", passed),
        "dashboard": ("TLS", 443, "dashboard.production-minimum.internal", passed),
    }
    assert spec["infrastructure"]["annotations"] == {
        "load-balancer.hetzner.cloud/name": "production-minimum-public",
        "load-balancer.hetzner.cloud/location": "hel1",
        "load-balancer.hetzner.cloud/use-private-ip": "true",
    }
    grant = find(objects, "ReferenceGrant", "public")
    assert grant["metadata"]["namespace"] == "rook-ceph"
    assert [one["name"] for one in grant["spec"]["to"]] == ["rook-ceph-rgw-store", "rook-ceph-mgr-dashboard"]


def test_a_certificate_has_the_name_that_the_gateway_passes_on() -> None:
    design = design_of("production-minimum")
    routes = [one for one in objects_of(gateway_items(design)) if one["kind"] == "TLSRoute"]
    [host] = next(one for one in routes if one["metadata"]["name"] == "site")["spec"]["hostnames"]
    names = find(objects_of(app_items(design, "cdn")), "Certificate", "cdn-edge")["spec"]["dnsNames"]
    assert host in names


def test_a_folder_of_the_users_own_is_nothing_that_a_tree_can_hold() -> None:
    objects = objects_of(app_items(design_from("apps: {cdn: {site: ./mine}}"), "cdn"))
    assert not [one for one in objects if one["kind"] == "Job" or "pages" in one["metadata"]["name"]]


def test_files_are_spread_over_configmaps_and_what_is_no_text_is_base64() -> None:
    big = "x" * 500_000
    files = [File.text("a.html", big), File.text("b.html", big), File(path="c.png", content=b"\xff\x00")]
    first, second = config_maps("pages", {}, files)
    assert (first["metadata"]["name"], second["metadata"]["name"]) == ("pages-1", "pages-2")
    assert first["data"] == {"a.html": big}
    assert second["data"] == {"b.html": big}
    assert second["binaryData"] == {"c.png": "/wA="}
    with pytest.raises(InputError) as caught:
        list(config_maps("pages", {}, [File.text("a.html", big * 2)]))
    assert str(caught.value) == (
        "apps.cdn: a.html has 1000006 bytes, a ConfigMap of Kubernetes takes 921600\n"
        "  Publish a folder of your own: apps.cdn.site."
    )


def test_what_commands_name_is_in_the_image() -> None:
    design = design_of("production-minimum")
    paths = {f"/{file.path}" for file in image_files()}
    for name, template in pod_templates(objects_of(app_items(design))):
        for container in containers_of(template["spec"]):
            if container["image"] != image_reference():
                continue
            for word in container["command"][1:]:
                if word.startswith(("/usr/lib/rookery", "/usr/share/rookery")):
                    there = word in paths or any(path.startswith(f"{word}/") for path in paths)
                    assert there, f"{name}: {word}"


def test_the_service_understands_what_its_pods_are_told(tmp_path: Path) -> None:
    """It refuses what it does not know, and a pod has no name that its configuration could have."""
    objects = objects_of(app_items(design_of("production-minimum"), "catalogue"))
    (tmp_path / "catalogue.json").write_text(
        find(objects, "ConfigMap", "catalogue-api")["data"]["catalogue.json"]
    )
    program = (
        "import sys; from pathlib import Path; from catalogue.config import load_config\n"
        "from catalogue.connection import connection_string\n"
        "config = load_config(Path(sys.argv[1])); print(config.name)\n"
        "for writable in (True, False): print(connection_string(config, writable=writable).split()[0])"
    )
    done = subprocess.run(
        (sys.executable, "-B", "-c", program, str(tmp_path / "catalogue.json")),
        env={"PYTHONPATH": str(SERVICE)}, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert (done.stderr, done.stdout.splitlines()) == (
        "",
        [socket.gethostname(), "host=database-rw.media.svc", "host=database-ro.media.svc"],
    )


def test_nothing_is_allowed_before_it_is_said() -> None:
    [item] = policy_items(design_of("production-minimum"))
    assert isinstance(item, Objects)
    deny, names, load = item.objects
    assert deny["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    assert names["spec"]["policyTypes"] == ["Egress"]
    assert selects(load["spec"]["podSelector"], LOAD_LABELS)
    assert policy_items(design_from("")) == ()
    nothing = "storage: {dashboard: false, object: {enabled: false}}"
    assert gateway_items(design_from(nothing)) == ()
