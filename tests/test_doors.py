"""Every name in the tree's guide leads somewhere, and whatever leads somewhere is in the guide."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rookery.design.model import Design
from rookery.errors import InputError
from rookery.files import File
from rookery.manifest import Manifest, Wait
from rookery.projections.kubernetes import build_stages, render_kubernetes
from rookery.projections.kubernetes.gateway import gateway_items
from tests.kit.designs import design
from tests.kit.kubernetes_objects import objects_of

_APPS = ("database", "streaming", "catalogue", "cdn")

switches = st.fixed_dictionaries(
    {
        "provider": st.sampled_from(["hetzner", "aws", "gcp", "existing", "lab"]),
        "platform": st.just("kubernetes"),
        "apps": st.fixed_dictionaries({name: st.sampled_from([None, {}]) for name in _APPS}),
        "storage": st.fixed_dictionaries(
            {
                "dashboard": st.booleans(),
                "object": st.fixed_dictionaries({"enabled": st.booleans()}),
                "distribution": st.sampled_from(["rook", "ksd"]),
            }
        ),
        "kubernetes": st.fixed_dictionaries(
            {
                "network": st.sampled_from(["cilium", "bridge"]),
                "domain": st.sampled_from(["demo.example.org", "1.2.3"]),
            }
        ),
    }
)


def made(of: Design) -> list[Manifest]:
    return [one for stage in build_stages(of) for one in objects_of(stage.items)]


def named(files: tuple[File, ...], domain: str) -> set[str]:
    """Return the names of the sentence that says what people reach."""
    guide = next(file for file in files if file.path == "README.md").content.decode()
    said = re.search(r"^What people reach: (.*)\.$", guide, re.MULTILINE)
    urls = re.findall(r"`https://([^`]*)`", said[1]) if said else []
    assert all(url.endswith(f".{domain}") for url in urls)
    return {url.removesuffix(f".{domain}") for url in urls}


@given(switches)
@settings(deadline=None, max_examples=60)
def test_what_the_guide_names_is_served_and_nothing_else(data: dict[str, Any]) -> None:
    try:
        of = design(data)
    except InputError:
        return  # an application without the storage that it needs
    assert of.kubernetes is not None
    domain, objects, files = of.kubernetes.domain, made(of), render_kubernetes(of)
    names = named(files, domain)
    there = {"site": any(app.name == "cdn" for app in of.apps), "s3": of.object_store is not None}
    assert names == {name for name, is_there in {**there, "dashboard": of.dashboard}.items() if is_there}
    assert names <= certified(objects, domain)
    if of.kubernetes.network == "cilium":
        assert listened(objects, domain) == routed(objects, domain) == names
    else:
        balanced = next((file.content.decode() for file in files if file.path == "haproxy.cfg"), None)
        if balanced is not None:
            assert set(re.findall(r"use_backend (\S+) if", balanced)) == names
        assert node_ports(objects) == names
    namespaces = {one["metadata"]["name"] for one in objects if one["kind"] == "Namespace"}
    assert {one["metadata"]["namespace"] for one in objects if "namespace" in one["metadata"]} <= {
        *namespaces,
        "kube-system",
    }


def certified(objects: list[Manifest], domain: str) -> set[str]:
    found = {
        name for one in objects if one["kind"] == "Certificate" for name in one["spec"].get("dnsNames", ())
    }
    return {name.removesuffix(f".{domain}") for name in found if name.endswith(f".{domain}")}


def listened(objects: list[Manifest], domain: str) -> set[str]:
    gateways = [one for one in objects if one["kind"] == "Gateway"]
    hosts = {listener.get("hostname", "") for one in gateways for listener in one["spec"]["listeners"]}
    return {host.removesuffix(f".{domain}") for host in hosts if host}


def routed(objects: list[Manifest], domain: str) -> set[str]:
    routes = [one for one in objects if one["kind"] == "TLSRoute"]
    return {host.removesuffix(f".{domain}") for one in routes for host in one["spec"]["hostnames"]}


def node_ports(objects: list[Manifest]) -> set[str]:
    services = [one for one in objects if one["kind"] == "Service" and one["spec"].get("type") == "NodePort"]
    return {one["metadata"]["name"].removesuffix("-outside") for one in services}


@pytest.mark.parametrize("network", ["cilium", "bridge"])
def test_without_a_door_the_guide_says_so(network: str) -> None:
    nothing = {"dashboard": False, "object": {"enabled": False}}
    of = design(
        {
            "provider": "existing",
            "apps": dict.fromkeys(_APPS),
            "storage": nothing,
            "kubernetes": {"network": network},
        }
    )
    guide = next(file for file in render_kubernetes(of) if file.path == "README.md").content.decode()
    said = "Nothing of this system is reached from outside: it has no site, no S3 and no dashboard.\n"
    assert said in guide
    assert "70-access" not in {stage.name for stage in build_stages(of)}


@pytest.mark.parametrize(
    ("provider", "waits"), [("hetzner", True), ("aws", False), ("gcp", False), ("existing", True)]
)
def test_an_address_is_waited_for_where_somebody_gives_one(provider: str, waits: bool) -> None:
    """Without the cloud's controller the Gateway has none, ever: what comes after it comes all the same."""
    of = design({"provider": provider, "platform": "kubernetes", "apps": {"cdn": {}}})
    waited = [one for one in gateway_items(of) if isinstance(one, Wait)]
    assert [one.kind for one in waited] == (["gateway"] if waits else [])
