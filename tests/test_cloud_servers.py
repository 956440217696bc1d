"""Servers of a cloud, whichever it is: made, found again, told of, taken away, whatever happens between."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rookery.clouds.cloud import SYSTEM, UNTIL, BusyError, CloudError, UnsureError
from rookery.clouds.lease import lease_end, lease_text
from rookery.clouds.patience import Patience, patiently
from rookery.errors import InputError, NotPossibleError
from rookery.plan.cloud import LEASE, cloud_resources, cloud_steps, longest_chain
from rookery.plan.resources import Kind
from rookery.systems.protocol import Leftover
from tests.kit.cloud_systems import bring_up, cloud_design, removal_of, servers_of
from tests.kit.memory_cloud import Account, Fault, Killed, MemoryCloud


def quiet(_text: str) -> None:
    """Hears what is reported, and forgets it."""


# --- What is asked for


def test_a_design_asks_for_everything_by_names_of_its_own() -> None:
    design = cloud_design()
    resources = cloud_resources(
        design, machines=dict.fromkeys([h.name for h in design.hosts], "m"), public_key="k"
    )
    counted = {kind: sum(one.kind is kind for one in resources) for kind in Kind}
    assert counted == {
        Kind.NETWORK: 1,
        Kind.FIREWALL: 1,
        Kind.KEY: 1,
        Kind.GROUP: 1,
        Kind.SERVER: 7,
        Kind.VOLUME: 8,
        Kind.ATTACHMENT: 8,
        Kind.BALANCER: 1,
        Kind.TARGET: 1,
        Kind.ADDRESS: 0,
        Kind.OTHER: 0,
    }
    names = [(one.kind, one.name) for one in resources]
    assert len(set(names)) == len(names)
    seen: set[str] = set()
    for one in resources:
        assert seen.issuperset(one.needs), one
        seen.add(one.id)


def test_servers_of_one_role_share_a_group_of_at_most_what_the_cloud_takes() -> None:
    design = cloud_design(
        hosts={"controlPlane": {"count": 3}, "workers": {"count": 12}, "storage": {"count": 8}}
    )
    resources = cloud_resources(
        design, machines=dict.fromkeys([h.name for h in design.hosts], "m"), public_key="k"
    )
    groups = {one.id: one.wish.servers for one in resources if one.kind is Kind.GROUP}  # type: ignore[union-attr]
    assert groups == {"group:1": 10, "group:2": 10, "group:3": 3}
    placed = {one.wish.host: one.wish.group for one in resources if one.kind is Kind.SERVER}  # type: ignore[union-attr]
    assert {placed[f"cp-{number}"] for number in (1, 2, 3)} == {"group:1"}


def test_the_longest_chain_is_a_network_a_server_and_what_waits_for_both() -> None:
    design = cloud_design()
    resources = cloud_resources(
        design, machines=dict.fromkeys([h.name for h in design.hosts], "m"), public_key="k"
    )
    times = {"network": 2.0, "server": 15.0, "volume": 5.0, "attached": 3.0, "balancer": 10.0, "target": 1.0}
    steps = cloud_steps(resources)
    chain = longest_chain(steps, lambda step: times.get(step.id.partition(":")[0], 0.0))
    assert [step.id.partition(":")[0] for step in chain] == ["network", "server", "attached"]
    assert all(step.elsewhere for step in steps)


# --- From nothing to servers


def test_everything_is_made_once_and_then_there(tmp_path: Path) -> None:
    account, design = Account(), cloud_design()
    servers = servers_of(design, MemoryCloud(account), tmp_path)
    servers.require()
    done = bring_up(servers)
    assert sorted(done) == sorted(step.id for step in servers.steps())
    again = servers_of(design, MemoryCloud(account), tmp_path)
    again.require()
    assert bring_up(again) == []
    assert {one.labels[SYSTEM] for one in account.things.values()} == {"demo"}


def test_playbooks_are_told_where_servers_and_drives_are(tmp_path: Path) -> None:
    account, design = Account(), cloud_design()
    servers = servers_of(design, MemoryCloud(account), tmp_path)
    assert servers.told().hosts == {}
    bring_up(servers)
    told = servers.told()
    server = account.things[Kind.SERVER, "demo-storage-k"]
    drives = [account.things[Kind.VOLUME, f"demo-storage-k-{name}"] for name in ("vdb", "vdc")]
    assert told.hosts["storage-k"] == {
        "ansible_host": f"192.0.2.{server.id}",
        "drives": [
            {
                "name": name,
                "size": 20_000_000_000,
                "class": "ssd",
                "device": f"/dev/disk/by-id/memory-{thing.id}",
            }
            for name, thing in zip(("vdb", "vdc"), drives, strict=True)
        ],
        "kubelet_settings": {"providerID": f"memory://{server.id}"},
    }
    balancer = account.things[Kind.BALANCER, "demo-api"]
    assert told.variables["api_url"] == f"https://192.0.2.{balancer.id}:6443"
    assert told.variables["ansible_ssh_private_key_file"] == str(tmp_path / "login")
    assert servers.exec_argv("cp-1", ("ls", "a b"))[-2:] == [
        f"root@{account.things[Kind.SERVER, 'demo-cp-1'].id.join(('192.0.2.', ''))}",
        "ls 'a b'",
    ]
    with pytest.raises(InputError, match="there is no host 'lb-1'"):
        servers.exec_argv("lb-1", ())


def test_somebody_else_s_name_ends_it_before_anything_is_made(tmp_path: Path) -> None:
    account = Account()
    account.add(Kind.NETWORK, "demo", {})
    account.add(Kind.SERVER, "demo-cp-1", {SYSTEM: "other"})
    before = dict(account.things)
    with pytest.raises(NotPossibleError) as caught:
        servers_of(cloud_design(), MemoryCloud(account), tmp_path).require()
    assert str(caught.value) == (
        "2 things are in the way at Memory, and nothing was made\n"
        "    the network demo is somebody else's\n"
        "      Give the system another name.\n"
        "    the server demo-cp-1 is somebody else's\n"
        "      Give the system another name."
    )
    assert account.things == before


def test_a_lease_is_on_everything_and_can_be_moved(tmp_path: Path) -> None:
    account, design = Account(), cloud_design()
    bring_up(servers_of(design, MemoryCloud(account), tmp_path, until="20261130t203000z"))
    assert {one.labels[UNTIL] for one in account.things.values()} == {"20261130t203000z"}
    longer = servers_of(design, MemoryCloud(account), tmp_path, until="20261201t090000z")
    assert bring_up(longer) == [LEASE]
    assert {one.labels[UNTIL] for one in account.things.values()} == {"20261201t090000z"}
    del account.things[Kind.SERVER, "demo-worker-a"]
    bring_up(servers_of(design, MemoryCloud(account), tmp_path))
    assert account.things[Kind.SERVER, "demo-worker-a"].labels[UNTIL] == "20261201t090000z"


def test_the_end_of_a_lease_is_read_as_it_was_written() -> None:
    end = lease_end("20261130t203000z")
    assert end is not None
    assert (lease_text(end), lease_end("forever"), lease_end("")) == ("20261130t203000z", None, None)


# --- To nothing again


def test_what_the_cluster_s_controllers_made_goes_too_and_is_not_made_again(tmp_path: Path) -> None:
    account, design = Account(), cloud_design()
    bystander = account.add(Kind.SERVER, "demo-two-cp-1", {SYSTEM: "demo-two"})
    servers = servers_of(design, MemoryCloud(account), tmp_path)
    account.controlled = "demo"
    bring_up(servers)
    assert (Kind.BALANCER, "demo-public") in account.things
    assert (Kind.VOLUME, "pvc-1") in account.things
    removal = removal_of(servers, design, MemoryCloud(account))
    removal.require()
    found = removal.leftovers()
    assert Leftover(kind="volume", name="pvc-1") in found
    removal.take_down(quiet)
    assert removal.leftovers() == ()
    assert list(account.things.values()) == [bystander]


def test_what_does_not_go_is_said_when_the_rest_is_gone(tmp_path: Path) -> None:
    account, design = Account(), cloud_design()
    servers = servers_of(design, MemoryCloud(account), tmp_path)
    bring_up(servers)
    account.add(Kind.SERVER, "bastion", {}, network="demo")
    removal = removal_of(servers, design, MemoryCloud(account))
    with pytest.raises(CloudError) as caught:
        removal.take_down(quiet)
    assert str(caught.value) == (
        "one thing of demo did not go\n"
        "    network demo: demo is used by bastion\n"
        "  `rookery down demo` again; what is left goes on costing money."
    )
    assert removal.leftovers() == (Leftover(kind="network", name="demo"),)


# --- Interrupted anywhere


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    up=st.dictionaries(st.integers(0, 80), st.sampled_from(Fault), max_size=4),
    down=st.dictionaries(st.integers(0, 60), st.sampled_from(Fault), max_size=4),
    killed_at=st.integers(0, 80),
)
def test_whatever_call_goes_wrong_nothing_is_made_twice_and_nothing_is_left(
    tmp_path: Path, up: dict[int, Fault], down: dict[int, Fault], killed_at: int
) -> None:
    account, design = Account(), cloud_design()
    account.controlled = "demo"
    for faults in ({killed_at: Fault.KILLED_BEFORE}, up):
        with contextlib.suppress(Killed):
            bring_up(servers_of(design, MemoryCloud(account, faults), tmp_path))
    servers = servers_of(design, MemoryCloud(account), tmp_path)
    bring_up(servers)
    made = [one.name for one in account.of(Kind.SERVER)]
    assert sorted(made) == sorted(f"demo-{host.name}" for host in design.servers)
    assert len(account.of(Kind.VOLUME)) == 8 + 1
    assert set(servers.facts()) == {step.id for step in servers.steps()}
    with contextlib.suppress(Killed):
        removal_of(servers, design, MemoryCloud(account, down)).take_down(quiet)
    removal = removal_of(servers, design, MemoryCloud(account))
    removal.take_down(quiet)
    assert removal.leftovers() == ()
    assert not account.things


# --- Patience


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.time = 0.0
        self.slept: list[float] = []

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.time += seconds

    def patience(self, limit: float) -> Patience:
        return Patience(limit=limit, sleep=self.sleep, now=lambda: self.time)


def test_it_is_asked_again_with_growing_pauses_and_not_before_the_cloud_says() -> None:
    clock = Clock()
    said: list[str] = []
    answers = iter([BusyError("locked"), UnsureError("no answer"), BusyError("too many requests", after=40)])

    def call() -> str:
        for error in answers:
            raise error
        return "made"

    assert patiently("server a", call, clock.patience(600), said.append) == "made"
    assert clock.slept == [1.0, 2.0, 40.0]
    assert said[2] == "server a: too many requests; again in 40 s"


def test_patience_ends_with_what_was_seen_last() -> None:
    clock = Clock()

    def call() -> None:
        raise BusyError("server is locked")

    with pytest.raises(CloudError, match=r"waited \d+ s for server a, in vain: server is locked") as caught:
        patiently("server a", call, clock.patience(60), quiet)
    assert not isinstance(caught.value, BusyError)
    assert sum(clock.slept) <= 60


def test_what_the_cloud_refuses_for_good_is_not_asked_again() -> None:
    calls = []

    def call() -> None:
        calls.append(1)
        raise CloudError("the limit of servers is reached")

    with pytest.raises(CloudError, match="the limit of servers"):
        patiently("server a", call, Clock().patience(600), quiet)
    assert len(calls) == 1


def test_who_only_looks_makes_no_key(tmp_path: Path) -> None:
    account, design = Account(), cloud_design()
    servers = servers_of(design, MemoryCloud(account), tmp_path / "none")
    assert len(servers.steps()) > len(tuple(servers.facts())) == 0
    assert servers.removal(noted=tmp_path / "x").leftovers() == ()
    assert not (tmp_path / "none").exists()


def test_kubeone_is_refused_before_any_server_costs_money(tmp_path: Path) -> None:
    account, design = Account(), cloud_design(kubernetes={"bootstrap": "kubeone"})
    with pytest.raises(NotPossibleError, match="KubeOne is told the servers' addresses in their own network"):
        servers_of(design, MemoryCloud(account), tmp_path).require()
    assert account.calls == []
