"""AWS, interrupted anywhere: what was made is found again, nothing is there twice, and nothing is left."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.kit.aws_systems import (
    Clock,
    cloud_of,
    controllers_make,
    made_names,
    servers_at,
    small_design,
)
from tests.kit.cloud_systems import bring_up, removal_of
from tests.kit.memory_cloud import Fault, Killed
from tests.kit.strict_aws import World

WHOLE = {
    "network": ["demo"],
    "subnet": ["demo"],
    "gateway": ["demo"],
    "firewall": ["demo"],
    "key": ["demo"],
    "group": ["demo-1"],
    "server": ["demo-cp-1", "demo-storage-k"],
    "volume": ["demo-cp-1", "demo-storage-k", "demo-storage-k-vdb"],
    "balancer": ["demo-api"],
    "targets": ["demo-api-6443"],
    "interface": ["ELB net/demo-api"],
}
_READS = ("describe_", "get_")


def seen(aws: World) -> dict[str, list[str]]:
    """Return what there is; of an interface without the number of its load balancer."""
    found = made_names(aws)
    if "interface" in found:
        found["interface"] = [one.rpartition("/")[0] or one for one in found["interface"]]
    return found


def quiet(_text: str) -> None:
    """Hears what is reported, and forgets it."""


def take_down(aws: World, folder: Path, faults: Any = None) -> None:
    cloud = cloud_of(aws, faults) if faults is not None else cloud_of(aws)
    servers = servers_at(small_design(), cloud_of(aws), folder)
    removal_of(servers, small_design(), cloud, Clock().patience()).take_down(quiet)


def come_up(aws: World, folder: Path, faults: Any = None) -> None:
    cloud = cloud_of(aws, faults) if faults is not None else cloud_of(aws)
    bring_up(servers_at(small_design(), cloud, folder))


def assert_whole(aws: World, folder: Path) -> None:
    """All that was asked for is there, once, and is seen to be."""
    assert seen(aws) == WHOLE
    servers = servers_at(small_design(), cloud_of(aws), folder)
    assert set(servers.facts()) == {step.id for step in servers.steps()}


class Each:
    """Lets something happen to every call once: the first time that just this is asked."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.asked: set[str] = set()
        self.operations: set[str] = set()

    def __call__(self, _number: int, operation: str, asked: Mapping[str, Any]) -> Fault | None:
        text = f"{operation} {sorted(asked.items())!r}"
        if text in self.asked:
            return None
        self.asked.add(text)
        self.operations.add(operation)
        return self.fault


class AtFirstChange:
    """Kills a process at the first call that changes anything; counts how many processes it killed."""

    def __init__(self, fault: Fault) -> None:
        self.fault = fault
        self.operations: list[str] = []

    def __call__(self, _number: int, operation: str, _asked: Mapping[str, Any]) -> Fault | None:
        if operation.startswith(_READS):
            return None
        self.operations.append(operation)
        return self.fault


@pytest.mark.parametrize("fault", [Fault.FAILS, Fault.LOST])
def test_each_call_goes_wrong_once_on_the_way_up_and_down(aws: World, tmp_path: Path, fault: Fault) -> None:
    up, down = Each(fault), Each(fault)
    come_up(aws, tmp_path, up)
    assert_whole(aws, tmp_path)
    assert {"create_vpc", "run_instances", "attach_volume", "create_load_balancer"} <= up.operations
    controllers_make(aws)
    take_down(aws, tmp_path, down)
    assert seen(aws) == {}
    assert {"delete_vpc", "terminate_instances", "release_address", "delete_snapshot"} <= down.operations


def test_killed_after_each_change_on_the_way_up_and_down(aws: World, tmp_path: Path) -> None:
    """One process after another, each killed after the first thing that it changed, until one has nothing
    more to change."""
    kills = AtFirstChange(Fault.KILLED_AFTER)
    for way in (come_up, take_down):
        for _ in range(60):
            before = len(kills.operations)
            with contextlib.suppress(Killed):
                way(aws, tmp_path, kills)
            if len(kills.operations) == before:
                break
        if way is come_up:
            assert_whole(aws, tmp_path)
    assert seen(aws) == {}
    assert {"create_vpc", "run_instances", "register_targets"} <= set(kills.operations)
    assert {"delete_vpc", "terminate_instances", "delete_load_balancer"} <= set(kills.operations)


def test_what_is_shown_late_is_not_made_twice(aws: World, tmp_path: Path) -> None:
    """An answer that is lost while AWS does not show yet what was made: the client token tells."""
    aws.late = 8
    come_up(aws, tmp_path, Each(Fault.LOST))
    assert_whole(aws, tmp_path)


@settings(max_examples=5, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    up=st.dictionaries(st.integers(0, 80), st.sampled_from(Fault), max_size=4),
    down=st.dictionaries(st.integers(0, 80), st.sampled_from(Fault), max_size=4),
    killed_at=st.integers(0, 75),
)
def test_whatever_call_goes_wrong_nothing_is_there_twice_and_nothing_is_left(
    aws: World, tmp_path: Path, up: dict[int, Fault], down: dict[int, Fault], killed_at: int
) -> None:
    aws.reset()
    for faults in ({killed_at: Fault.KILLED_BEFORE}, up):
        with contextlib.suppress(Killed):
            come_up(aws, tmp_path, lambda number, _operation, _asked, faults=faults: faults.get(number))
    come_up(aws, tmp_path)
    assert_whole(aws, tmp_path)
    controllers_make(aws)
    with contextlib.suppress(Killed):
        take_down(aws, tmp_path, lambda number, _operation, _asked: down.get(number))
    take_down(aws, tmp_path)
    assert seen(aws) == {}
    assert aws.broken == []
