"""What a design survives: computed by taking hosts out, and the same as trying every choice."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.model import DaemonKind, Design, Host, Role
from rookery.design.survival import Survives, survival
from rookery.spec.load import read_pattern
from rookery.spec.parse import parse_spec


def design(data: dict[str, Any]) -> Design:
    spec = parse_spec(
        yaml.safe_dump({"apiVersion": "rookery/v1", "pattern": "production-minimum", **data}),
        file="demo.yaml",
        settings=SETTINGS,
        read_pattern=lambda name: read_pattern(name, relative_to=Path()),
    )
    return build_design(spec, placers=PLACERS)


def says(data: dict[str, Any]) -> dict[str, Survives]:
    return {said.subject: said for said in survival(design(data))}


def flags(said: Survives) -> str:
    """Write a statement's three answers as letters: what is missing is a dash."""
    answers = (said.data, said.service, said.heals)
    return "".join(letter if well else "-" for letter, well in zip("DSH", answers, strict=True))


def test_the_drawing() -> None:
    assert {subject: flags(said) for subject, said in says({}).items()} == {
        "any one drive": "DSH",
        "any one storage node": "DSH",
        "any two storage nodes at once": "D--",
        "any one worker": "DS-",
        "any one control plane": "DS-",
        "the load balancer": "D--",
    }


def test_reasons_say_what_is_left() -> None:
    reasons = {subject: said.reason for subject, said in says({}).items()}
    assert reasons["any one storage node"] == (
        "Without storage-k: pool block keeps 2 of 3 copies, enough to go on; the data heals while no more"
        " than 34.0 GB is stored; 2 of 3 monitors are left, a majority; 1 of 2 rgw daemons are left."
    )
    assert reasons["any two storage nodes at once"] == (
        "Without storage-k and storage-l: pool block keeps 1 of 3 copies, and it stops below 2; 2 hosts with"
        " drives are left, and pool block wants 3: it heals only when what was lost is back; 1 of 3 monitors"
        " are left, no majority; 1 of 2 mds daemons are left; 1 of 2 rgw daemons are left."
    )
    assert reasons["any one worker"] == (
        "Without worker-a: 1 of 2 backup-agent instances are left; 1 of 2 catalogue-api instances are left; 1"
        " of 2 cdn-edge instances are left; 1 of 2 database-postgres instances are left; 1 of 2"
        " streaming-channel instances are left; 1 of 2 streaming-origin instances are left; the native"
        " platform moves no instance to another host."
    )
    assert reasons["any one control plane"] == (
        "Without cp-1: 0 of 1 database-etcd instances are left, no majority: the database goes on, without"
        " failover; 0 of 1 control planes are left: what runs goes on, but nothing is changed or moved;"
        " it needs replacing."
    )
    assert reasons["the load balancer"] == (
        "Without lb-1: database, database-reads, catalogue, site, s3, dashboard are reached through it alone,"
        " block and file storage without it; it comes back when it is started again."
    )


ONE_NODE = "any one storage node"
TWO_NODES = "any two storage nodes at once"

# The CDN alone: what else the pattern has is left out.
ALONE: dict[str, None] = {"database": None, "streaming": None, "catalogue": None}
# Storage nodes that are workers and control planes too.
EVERYTHING = {
    "workers": {"count": 0},
    "controlPlane": {"count": 0},
    "storage": {"also": ["worker", "control-plane"]},
}


@pytest.mark.parametrize(
    ("data", "subject", "expected", "because"),
    [
        ({"hosts": {"storage": {"count": 3}}}, ONE_NODE, "DS-", "wants 3: it heals only when"),
        ({"hosts": {"storage": {"count": 6}}, "storage": {"mons": 5}}, TWO_NODES, "D-H", "stops below 2"),
        # No OSD is marked out, so nothing heals, while the monitors cannot agree on it.
        ({"storage": {"mons": 1}}, ONE_NODE, "D--", "0 of 1 monitors are left, no majority"),
        ({"storage": {"mons": 2}}, ONE_NODE, "D--", "1 of 2 monitors are left, no majority"),
        ({"storage": {"mons": 2}}, ONE_NODE, "D--", "nothing heals while the monitors have no majority"),
        ({"storage": {"mgrs": 1}}, ONE_NODE, "DSH", ""),
        ({"storage": {"file": {"mds": {"standby": 0}}}}, ONE_NODE, "D-H", "the file system stops"),
        ({"storage": {"object": {"gateways": 1}}}, ONE_NODE, "D-H", "object storage stops"),
        # What had one copy only comes back from nowhere.
        ({"storage": {"block": {"pool": {"replicas": 1}}}}, ONE_NODE, "---", "pool block keeps 0 of 1"),
        (
            {"storage": {"block": {"pool": {"replicas": 1}}}},
            ONE_NODE,
            "---",
            "what pool block has lost is made again from nothing",
        ),
        # Four of ten OSDs: with the third one out, less than three quarters of all are in.
        (
            {"hosts": {"storage": {"count": 5}}, "storage": {"mons": 5}},
            TWO_NODES,
            "D--",
            "4 of 10 OSDs are lost, and Ceph marks no more out by itself once fewer than three quarters",
        ),
        # Of unequal drives the largest leaves the least room.
        (
            {"hosts": {"storage": {"drives": [{"count": 1, "size": "20GB"}, {"count": 1, "size": "40GB"}]}}},
            "any one drive",
            "DSH",
            "Without vdc of storage-k: pool block keeps 2 of 3 copies, enough to go on; the data heals while",
        ),
        # The managers' pool has three copies where the others have five: nobody's data is in it.
        (
            {
                "hosts": {"storage": {"count": 7}},
                "storage": {
                    "mons": 5,
                    "block": {"pool": {"replicas": 5}},
                    "file": {"mds": {"standby": 2}, "pool": {"replicas": 5}},
                    "object": {"gateways": 3, "pool": {"replicas": 5}},
                },
            },
            TWO_NODES,
            "DSH",
            "pool block keeps 3 of 5 copies, enough to go on",
        ),
        # A primary's last transactions are on it alone, and another follows it without them.
        (
            {"apps": {"database": {"synchronous": False}}},
            "any one worker",
            "-S-",
            "the one that follows a lost primary may lack its last transactions: they are not synchronous",
        ),
        ({"storage": {"block": {"pool": {"replicas": 2}}}}, ONE_NODE, "DSH", "pool block keeps 1 of 2"),
        ({"storage": {"block": {"pool": {"replicas": 2}}}}, TWO_NODES, "---", "too few to read it"),
        (
            {"storage": {"object": {"pool": {"erasureCoding": {"k": 2, "m": 1}}}}},
            ONE_NODE,
            "DSH",
            "pool block keeps 2 of 3 copies, enough to go on",
        ),
        (
            {"storage": {"object": {"pool": {"erasureCoding": {"k": 2, "m": 2}}}}},
            TWO_NODES,
            "D--",
            "keeps 1 of 3 copies",
        ),
        ({"apps": {"cdn": {"edges": 1}}}, "any one worker", "D--", "0 of 1 cdn-edge instances are left"),
        (
            {"apps": {"database": {"instances": 1}}},
            "any one worker",
            "D--",
            "0 of 1 database-postgres instances are left",
        ),
        (
            {"apps": {**ALONE, "cdn": None}, "backup": None},
            "any one worker",
            "DSH",
            "nothing of the design runs there",
        ),
        (
            {
                "platform": "kubernetes",
                "hosts": {"workers": {"count": 3}},
                "apps": {"database": {"instances": 2}, "catalogue": {"instances": 2}, "cdn": {"edges": 2}},
            },
            "any one worker",
            "DSH",
            "Kubernetes starts the lost ones on other workers",
        ),
        (
            {"platform": "kubernetes", "hosts": {"workers": {"count": 3}}},
            "any one worker",
            "DS-",
            "3 instances want 3 workers (catalogue-api, cdn-edge, database-postgres).",
        ),
        (
            {"platform": "kubernetes", "apps": ALONE},
            "any one worker",
            "DS-",
            "2 instances want 2 workers (cdn-edge).",
        ),
        (
            {"platform": "kubernetes"},
            "any one control plane",
            "DS-",
            "the database goes on, without failover",
        ),
        (
            {"hosts": {"storage": {"drives": [{"count": 1}], "count": 3}}},
            "any one drive",
            "DS-",
            "2 hosts with drives are left",
        ),
        (
            {"hosts": {"storage": {"drives": [{"count": 2}], "count": 3}}},
            "any one drive",
            "DSH",
            "heals while no more than 17.0 GB",
        ),
        ({"provider": "hetzner"}, "the load balancer", "D-H", "its provider replaces it"),
        ({"hosts": {"controlPlane": {"count": 3}}}, "any one control plane", "DS-", "2 of 3 control planes"),
        (
            {"hosts": {"controlPlane": {"count": 3}}},
            "any one control plane",
            "DS-",
            "2 of 3 database-etcd instances are left, a majority",
        ),
        ({"hosts": EVERYTHING}, ONE_NODE, "DSH", "2 of 3 database-etcd instances are left, a majority"),
        (
            {"hosts": EVERYTHING},
            TWO_NODES,
            "D--",
            "no majority, and a database instance is lost as well: the database stops",
        ),
    ],
)
def test_statements(data: dict[str, Any], subject: str, expected: str, because: str) -> None:
    said = says(data)[subject]
    assert flags(said) == expected
    assert because in said.reason


def test_a_storage_node_with_further_roles_takes_them_along() -> None:
    found = says({"hosts": EVERYTHING, "platform": "kubernetes"})
    assert "any one worker" not in found
    assert "any one control plane" not in found
    assert "; 3 of 4 cdn-edge instances are left; " in found[ONE_NODE].reason
    assert "; 3 of 4 control planes are left." in found[ONE_NODE].reason
    assert "2 of 4 control planes are left: what runs goes on" in found[TWO_NODES].reason


def test_the_last_manager_is_missed_by_administration_only() -> None:
    reason = says({"storage": {"mgrs": 2}, "hosts": {"storage": {"count": 2}}})[TWO_NODES].reason
    assert "no manager is left: no dashboard, no figures, no new volumes" in reason


def _by_trying(found: Design, number: int) -> tuple[bool, bool]:
    """Return data and service for the worst loss of `number` storage nodes, by trying every choice."""
    storage = found.with_role(Role.STORAGE)
    outcomes = [_outcome(found, set(lost)) for lost in combinations((host.name for host in storage), number)]
    return all(data for data, _ in outcomes), all(service for _, service in outcomes)


def _outcome(found: Design, lost: set[str]) -> tuple[bool, bool]:
    left = [host for host in found.hosts if host.name not in lost]

    def count(hosts: list[Host], kind: DaemonKind) -> int:
        return sum(len(host.daemons_of(kind)) for host in hosts)

    storage = len(found.with_role(Role.STORAGE))
    data = service = True
    for pool in found.pools:
        pieces = min(pool.size, storage) - len(lost)
        data &= pieces >= (pool.erasure_code.k if pool.erasure_code else 1)
        service &= pieces >= pool.min_size
    everything = list(found.hosts)
    service &= 2 * count(left, DaemonKind.MON) > count(everything, DaemonKind.MON)
    if found.file_system:
        service &= count(left, DaemonKind.MDS) >= found.file_system.active_mds
    if found.object_store:
        service &= count(left, DaemonKind.RGW) >= 1
    runs = {(instance.name, host in lost) for app in found.apps for host, instance in app.placements}
    service &= all((name, False) in runs for name, _ in runs if name != "database-etcd")
    if found.database is not None:
        coordinators = [name for name, _ in found.database.coordinators]
        majority = 2 * sum(name not in lost for name in coordinators) > len(coordinators)
        service &= majority or all(name not in lost for name, _ in found.database.instances)
    return data, service


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(2, 9),
    mons=st.integers(1, 7),
    gateways=st.integers(1, 6),
    active=st.integers(1, 3),
    standby=st.integers(0, 3),
    replicas=st.integers(1, 5),
    roles=st.sampled_from(([], ["worker"], ["worker", "control-plane"])),
    edges=st.sampled_from((1, None)),
)
def test_representatives_stand_for_every_choice(
    *,
    count: int,
    mons: int,
    gateways: int,
    active: int,
    standby: int,
    replicas: int,
    roles: list[str],
    edges: int | None,
) -> None:
    others = {"worker": "workers", "control-plane": "controlPlane"}
    found = design(
        {
            "hosts": {
                **{others[role]: {"count": 0} for role in roles},
                "storage": {"count": count, "also": roles},
            },
            "storage": {
                "mons": mons,
                "file": {"mds": {"active": active, "standby": standby}},
                "object": {"gateways": gateways},
                "block": {"pool": {"replicas": replicas}},
            },
            "apps": {"cdn": {"edges": edges}},
        }
    )
    said = {statement.subject: statement for statement in survival(found)}
    for subject, number in ((ONE_NODE, 1), (TWO_NODES, 2)):
        assert (said[subject].data, said[subject].service) == _by_trying(found, number)
