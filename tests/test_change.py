"""What differs between two designs, and what of it a running system can become."""

from __future__ import annotations

import json
from typing import Any

import pytest

from rookery.apps.table import OBSTACLES, PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.change import changes
from rookery.design.kept import Kept, keep, kept_data, parse_kept
from rookery.design.model import DaemonKind, Design
from rookery.spec.model import Spec
from rookery.spec.parse import spec_model

NOTHING = Kept()
AWAY = {"name": "away", "endpoint": "https://s3.example.org", "bucket": "copies"}
RECIPIENT = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"


def designed(data: dict[str, Any] | None = None, kept: Kept = NOTHING) -> Design:
    apps: dict[str, Any] = {"database": {}, "streaming": {}, "catalogue": {}, "cdn": {}}
    given = {"apiVersion": "rookery/v1", "name": "x", "apps": apps, **(data or {})}
    spec: Spec = spec_model(SETTINGS).model_validate(given)
    return build_design(spec, placers=PLACERS, kept=kept)


def differences(data: dict[str, Any], before: dict[str, Any] | None = None) -> tuple[list[str], list[str]]:
    """Return what changes in place, and what cannot, with its reason."""
    old = designed(before)
    found = changes(old, designed(data, keep(old)), OBSTACLES)
    return (
        [str(change) for change in found if not change.obstacle],
        [f"{change}: {change.obstacle}" for change in found if change.obstacle],
    )


def test_the_same_spec_is_no_change_nor_is_a_description() -> None:
    assert differences({}) == ([], [])
    assert differences({"description": "other words"}) == ([], [])


def test_a_drive_on_every_storage_node() -> None:
    possible, blocked = differences({"hosts": {"storage": {"drives": [{"count": 3}]}}})
    assert blocked == []
    assert possible[:4] == [f"storage-{letter}: vdd new, 20 GB ssd" for letter in "klmn"]
    assert all("pg_num" in change for change in possible[4:])
    numbers = keep(designed({"hosts": {"storage": {"drives": [{"count": 3}]}}}, keep(designed()))).numbers
    assert [numbers[f"storage-{letter}", "vdd"] for letter in "klmn"] == [8, 9, 10, 11]


def test_another_storage_node_moves_nobody() -> None:
    before = designed()
    after = designed({"hosts": {"storage": {"count": 5}}}, keep(before))
    for host in before.hosts:
        there = after.host(host.name)
        assert [daemon.name for daemon in there.daemons] == [daemon.name for daemon in host.daemons]
        assert there.address == host.address
    assert [daemon.name for daemon in after.host("storage-o").daemons] == ["osd.8", "osd.9"]
    possible, blocked = differences({"hosts": {"storage": {"count": 5}}})
    assert blocked == []
    assert possible[0] == "storage-o: new, 2 CPU, 4 GiB, 2 drives of 20 GB"
    assert all("pg_num" in change for change in possible[1:])


def test_without_a_running_system_a_fifth_node_takes_part_in_everything() -> None:
    kinds = {
        daemon.kind for daemon in designed({"hosts": {"storage": {"count": 5}}}).host("storage-o").daemons
    }
    assert kinds > {DaemonKind.OSD}


def test_more_gateways_go_where_least_is() -> None:
    before = designed()
    after = designed({"storage": {"object": {"gateways": 3}}}, keep(before))
    old = {host.name for host, _ in before.with_daemon(DaemonKind.RGW)}
    new = {host.name for host, _ in after.with_daemon(DaemonKind.RGW)}
    assert old < new
    (added,) = new - old
    assert differences({"storage": {"object": {"gateways": 3}}}) == ([f"{added}: rgw.{added} new"], [])
    assert differences({}, {"storage": {"object": {"gateways": 3}}})[1] == []


@pytest.mark.parametrize(
    ("data", "before", "possible"),
    [
        ({"apps": {"cdn": {}}}, {"apps": {"cdn": {"edges": 1}}}, "worker-b: cdn-edge new"),
        ({"apps": {"cdn": {"edges": 1}}}, {"apps": {"cdn": {}}}, "worker-b: cdn-edge goes"),
        (
            {"apps": {"database": {"volume": "20GB"}}},
            {"apps": {"database": {}}},
            "apps.database.volume: 10 GB becomes 20 GB",
        ),
        ({"hosts": {"workers": {"count": 3}}}, {}, "worker-c: new, 2 CPU, 4 GiB"),
        ({"storage": {"file": {"mds": {"standby": 2}}}}, {}, "storage-n: mds.storage-n new"),
        ({"backup": {}}, {}, "backup: new"),
        (
            {},
            {"backup": {}},
            "backup: goes; what is in bucket backups stays, and can be restored once backup is back",
        ),
        ({"backup": {"schedules": {"sets": "2h"}}}, {"backup": {}}, "backup.schedules.sets: 6h becomes 2h"),
        ({"backup": {"lock": None}}, {"backup": {}}, "backup.lock: 1d becomes none"),
        ({"backup": {"copies": [AWAY]}}, {"backup": {}}, "backup.copies.away: new"),
        ({"backup": {}}, {"backup": {"copies": [AWAY]}}, "backup.copies.away: goes"),
        (
            {"backup": {"copies": [{**AWAY, "bucket": "other"}]}},
            {"backup": {"copies": [AWAY]}},
            "backup.copies.away.bucket: copies becomes other",
        ),
        (
            {"backup": {"encryption": {"recipients": [RECIPIENT]}}},
            {"backup": {}},
            f"backup.encryption.recipients: none becomes {RECIPIENT}",
        ),
    ],
)
def test_what_a_running_system_can_become(
    data: dict[str, Any], before: dict[str, Any], possible: str
) -> None:
    there, blocked = differences(data, before)
    assert blocked == []
    assert possible in there


@pytest.mark.parametrize(
    ("data", "before", "blocked"),
    [
        (
            {"hosts": {"storage": {"count": 3}}},
            {},
            (
                "storage-n: goes: what it holds would have to move away first; take the system down"
                " and bring it up anew"
            ),
        ),
        (
            {"hosts": {"storage": {"drives": [{"count": 2, "size": "30GB"}]}}},
            {},
            (
                "storage-k: vdb 20 GB ssd becomes 30 GB ssd: an OSD keeps the drive that it was made with;"
                " add drives behind those there are"
            ),
        ),
        (
            {"hosts": {"workers": {"memory": "8GiB"}}},
            {},
            "worker-a: memory 4 GiB becomes 8 GiB: a server's size and roles are set when it starts",
        ),
        (
            {"storage": {"mons": 5}},
            {"hosts": {"storage": {"count": 5}}},
            "storage-n: mon.storage-n new: the monitors' map is made when the cluster is",
        ),
        (
            {"storage": {"block": {"pool": {"replicas": 2}}}},
            {},
            "pool block: 3 copies becomes 2 copies: what is stored would have to be written anew",
        ),
        (
            {"apps": {"database": {"volume": "5GB"}}},
            {"apps": {"database": {}}},
            "apps.database: volume database-worker-a becomes smaller: a file system in use cannot shrink",
        ),
        (
            {"apps": {"database": {"synchronous": False}}},
            {"apps": {"database": {}}},
            (
                "apps.database.synchronous: True becomes False: Patroni keeps this in etcd; `patronictl"
                " edit-config` on a worker changes it"
            ),
        ),
        (
            {"hosts": {"controlPlane": {"count": 3}}},
            {},
            "apps.database: is placed otherwise: etcd's members are fixed when it starts",
        ),
        ({"apps": {}}, {"apps": {"cdn": {}}}, "apps.cdn: goes: its data would stay behind"),
        (
            {"platform": "kubernetes"},
            {"platform": "kubernetes", "backup": {}},
            "backup: goes: operators in the cluster would go on with it",
        ),
        (
            {"network": {"mtu": 9000}},
            {},
            "network.mtu: 1500 becomes 9000: every server's address and keys depend on it",
        ),
        (
            {"storage": {"dashboard": False}},
            {},
            "the dashboard: is turned off: its data and settings would stay",
        ),
    ],
)
def test_what_it_cannot_become_and_why(data: dict[str, Any], before: dict[str, Any], blocked: str) -> None:
    if "hosts" in before:
        data = {**before, **data}
    assert blocked in differences(data, before)[1]


def test_what_is_kept_is_read_back() -> None:
    kept = keep(designed({"hosts": {"storage": {"drives": [{"count": 3}]}}}))
    told: dict[str, Any] = json.loads(json.dumps(kept_data(kept)))
    assert parse_kept(told) == kept
    wrong: list[dict[str, Any]] = [
        {"k": {"daemons": "mon", "osds": {}}},
        {"k": {"daemons": ["x"], "osds": {}}},
        {"k": {}},
    ]
    for data in wrong:
        with pytest.raises((KeyError, TypeError, ValueError)):
            parse_kept(data)


def test_growing_twice_keeps_every_number() -> None:
    first = designed()
    more_drives = {"hosts": {"storage": {"drives": [{"count": 3}]}}}
    second = designed(more_drives, keep(first))
    both = {"hosts": {"storage": {"count": 5, "drives": [{"count": 3}]}}}
    third = designed(both, keep(second))
    numbers = keep(third).numbers
    assert {place: numbers[place] for place in keep(second).numbers} == keep(second).numbers
    assert sorted(numbers.values()) == list(range(15))
