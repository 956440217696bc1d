"""Whatever spec `plan` accepts, every object of its tree is one that an API server accepts.

Bounds stand in the definitions of others: random specs are held against those, at both ends of what a spec
may say.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rookery.design.checks import Severity, check_design
from rookery.errors import InputError
from rookery.manifest import Manifest, Release
from rookery.projections.kubernetes import build_stages
from tests.kit.cluster_schemas import is_custom, needs_schemas, problems, spec_problems
from tests.kit.designs import design
from tests.kit.kubernetes_objects import objects_of

# Names of objects are DNS subdomains; those of Services and namespaces, labels (RFC 1123 and 1035). Values
# of labels have 63 characters at most.
# https://kubernetes.io/docs/concepts/overview/working-with-objects/names/
_SUBDOMAIN = re.compile(r"[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*")
_LABEL = re.compile(r"[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_VALUE = re.compile(r"([A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?)?")

pools = st.one_of(
    st.fixed_dictionaries({"replicas": st.integers(2, 4)}),
    st.builds(lambda: {"erasureCoding": {"k": 2, "m": 2}}),
)


def _kind(**more: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    return st.fixed_dictionaries(
        {"enabled": st.sampled_from([True, True, True, False])}, optional={"pool": pools, **more}
    )


specs = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[a-z]([a-z0-9-]{0,30}[a-z0-9])?", fullmatch=True),
        "provider": st.sampled_from(["hetzner", "aws", "gcp", "existing", "lab"]),
        "platform": st.just("kubernetes"),
        "hosts": st.fixed_dictionaries(
            {
                "storage": st.fixed_dictionaries(
                    {"count": st.integers(4, 30), "cpus": st.just(16), "memory": st.just("64GiB")},
                    optional={"also": st.sampled_from([[], ["worker"]])},
                ),
                "workers": st.fixed_dictionaries({"count": st.integers(2, 30), "memory": st.just("64GiB")}),
                "controlPlane": st.just({"count": 3, "memory": "16GiB", "cpus": 8}),
            }
        ),
        "storage": st.fixed_dictionaries(
            {
                "block": _kind(),
                "file": _kind(mds=st.fixed_dictionaries({"active": st.integers(1, 3)})),
                "object": _kind(gateways=st.integers(1, 4)),
                "dashboard": st.booleans(),
                "mons": st.sampled_from([1, 3, 5]),
                "mgrs": st.integers(1, 2),
            }
        ),
        "kubernetes": st.fixed_dictionaries(
            {
                "monitoring": st.booleans(),
                "network": st.sampled_from(["cilium", "bridge"]),
                "domain": st.sampled_from(["a", "1.2.3", "0", ".".join(["a" * 60] * 4)[:243]]),
                "bootstrap": st.sampled_from(["kubeadm", "kubeone", "none"]),
            }
        ),
        "backup": st.sampled_from([None, {}, {"lock": None}, {"schedules": {"sets": "7h"}, "lock": "30d"}]),
        "apps": st.fixed_dictionaries(
            {
                "database": st.sampled_from([None, {}, {"volume": "1GB"}, {"instances": 1}]),
                "streaming": st.sampled_from([None, {}, {"channel": False}]),
                "catalogue": st.sampled_from([None, {}, {"viewers": 0, "plays": 0}]),
                "cdn": st.sampled_from([None, {}, {"cache": "1MB"}, {"cache": "139MB"}]),
            }
        ),
    }
)


def naming_problems(one: Manifest) -> Iterator[str]:
    """Yield where names and labels break rules that no schema has."""
    metadata, kind = one["metadata"], one["kind"]
    rule, most = (_LABEL, 63) if kind in ("Service", "Namespace") else (_SUBDOMAIN, 253)
    if not rule.fullmatch(metadata["name"]) or len(metadata["name"]) > most:
        yield f"{kind} {metadata['name']}: no name"
    for key, value in metadata.get("labels", {}).items():
        if not _VALUE.fullmatch(value):
            yield f"{kind} {metadata['name']}: {key}={value}"
    for key, value in {**metadata.get("labels", {}), **metadata.get("annotations", {})}.items():
        if not isinstance(value, str):
            yield f"{kind} {metadata['name']}: {key} is no text"


def charted_problems(releases: list[Release]) -> Iterator[str]:
    """Yield what is wrong with the custom resources that Rook's chart makes of our values."""
    values = next(dict(one.values) for one in releases if one.name == "rook-ceph-cluster")
    yield from spec_problems("CephCluster", values["cephClusterSpec"])
    kinds = {"cephBlockPools": "CephBlockPool", "cephFileSystems": "CephFilesystem"}
    for key, kind in {**kinds, "cephObjectStores": "CephObjectStore"}.items():
        for one in values.get(key, ()):
            yield from spec_problems(kind, one["spec"])


@needs_schemas
@given(specs)
@settings(deadline=None, max_examples=25, suppress_health_check=[HealthCheck.too_slow])
def test_every_object_of_an_accepted_spec_is_accepted(data: dict[str, Any]) -> None:
    try:
        of = design(data)
    except InputError:
        return
    if any(finding.severity is Severity.ERROR for finding in check_design(of)):
        return
    stages = build_stages(of)
    objects = [one for stage in stages for one in objects_of(stage.items)]
    assert any(is_custom(one) for one in objects)
    assert [text for one in objects for text in (*problems(one), *naming_problems(one))] == []
    releases = [item for stage in stages for item in stage.items if isinstance(item, Release)]
    assert list(charted_problems(releases)) == []
