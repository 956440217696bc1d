"""Servers at Hetzner, over its SDK and its API's stand-in: made, finished, removed, whatever goes wrong."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rookery.clouds.cloud import SYSTEM, UNTIL, CloudError, SoldOutError, TokenError, UnsureError
from rookery.clouds.hetzner.access import find_access
from rookery.clouds.hetzner.cloud import HetznerCloud
from rookery.clouds.hetzner.fake.faults import Fault
from rookery.clouds.hetzner.fake.serve import Served
from rookery.clouds.hetzner.fake.settings import Settings, Times
from rookery.errors import InputError, NotPossibleError
from tests.kit.cloud_systems import bring_up, cloud_design, removal_of, servers_of
from tests.kit.fake_hetzner import AT_ONCE, TOKEN, Api, fake_hetzner
from tests.kit.hetzner_accounts import account_at, cloud_at
from tests.kit.memory_cloud import Killed

SMALL = {"hosts": {"controlPlane": {"count": 1}, "workers": {"count": 1}, "storage": {"count": 1}}}
READS = "a-token-that-may-only-look-" + "1" * 37


def quiet(_text: str) -> None:
    """Hears what is reported, and forgets it."""


def labels_of(served: Served) -> dict[str, list[dict[str, str]]]:
    api = Api(served)
    kinds = ("servers", "volumes", "networks", "firewalls", "load_balancers", "placement_groups", "ssh_keys")
    return {kind: [one["labels"] for one in api.done("GET", f"/{kind}")[kind]] for kind in kinds}


# --- From an empty account to servers, and back


def test_what_a_design_asks_for_is_there_and_nothing_else(tmp_path: Path) -> None:
    design = cloud_design()
    with fake_hetzner() as served:
        servers = servers_of(design, cloud_at(served), tmp_path, until="20261201t090000z")
        servers.require()
        bring_up(servers)
        assert served.fake.counts() == {
            "servers": 7,
            "volumes": 8,
            "networks": 1,
            "firewalls": 1,
            "load_balancers": 1,
            "placement_groups": 1,
            "ssh_keys": 1,
            "primary_ips": 14,
        }
        label = {SYSTEM: "demo", UNTIL: "20261201t090000z"}
        assert all(one == label for labels in labels_of(served).values() for one in labels)
        again = servers_of(design, cloud_at(served), tmp_path, until="20261201t090000z")
        again.require()
        assert bring_up(again) == []
        removal = removal_of(again, design, cloud_at(served))
        assert len(removal.leftovers()) == 7 + 8 + 8 + 1 + 1 + 1 + 1 + 1 + 1 + 14
        removal.take_down(quiet)
        assert removal.leftovers() == ()
        assert served.fake.counts() == {}


def test_servers_have_the_addresses_of_the_design_and_are_shut_to_the_world(tmp_path: Path) -> None:
    design = cloud_design()
    with fake_hetzner() as served:
        bring_up(servers_of(design, cloud_at(served), tmp_path))
        api = Api(served)
        for one in api.done("GET", "/servers")["servers"]:
            host = design.host(one["name"].removeprefix("demo-"))
            assert [net["ip"] for net in one["private_net"]] == [host.address]
            assert one["status"] == "running"
            assert one["placement_group"]["name"] == "demo-1"
            assert one["public_net"]["firewalls"][0]["status"] == "applied"
        (firewall,) = api.done("GET", "/firewalls")["firewalls"]
        let_in = [(one["protocol"], one["port"]) for one in firewall["rules"]]
        assert let_in == [("tcp", "22"), ("icmp", None)]
        (balancer,) = api.done("GET", "/load_balancers")["load_balancers"]
        assert design.load_balancer is not None
        assert balancer["private_net"][0]["ip"] == design.load_balancer.address
        assert [one["listen_port"] for one in balancer["services"]] == [6443]
        (target,) = balancer["targets"]
        assert target["use_private_ip"]


def test_drives_are_known_by_the_numbers_of_their_volumes(tmp_path: Path) -> None:
    with fake_hetzner() as served:
        servers = servers_of(cloud_design(), cloud_at(served), tmp_path)
        bring_up(servers)
        volumes = {one["name"]: one for one in Api(served).done("GET", "/volumes")["volumes"]}
        drives = servers.told().hosts["storage-k"]["drives"]
        assert [drive["device"] for drive in drives] == [
            volumes["demo-storage-k-vdb"]["linux_device"],
            volumes["demo-storage-k-vdc"]["linux_device"],
        ]
        assert {one["format"] for one in volumes.values()} == {None}


def test_what_the_cluster_s_controllers_made_is_found_and_goes(tmp_path: Path) -> None:
    """They label nothing as ours: a load balancer hangs on the network, a volume on a server."""
    design = cloud_design("hetzner", **SMALL)
    with fake_hetzner() as served:
        servers = servers_of(design, cloud_at(served), tmp_path)
        bring_up(servers)
        there, api = servers.there(), Api(served)
        network, worker = int(there["network"].id), int(there["server:worker-a"].id)
        ccm = {"hcloud-ccm/service-uid": "b51f"}
        place = {"location": "hel1"}
        api.done(
            "POST",
            "/load_balancers",
            name="a3f0",
            load_balancer_type="lb11",
            network=network,
            labels=ccm,
            **place,
        )
        csi = {"managed-by": "csi-driver"}
        api.done("POST", "/volumes", name="pvc-1", size=10, server=worker, labels=csi)
        api.done("POST", "/volumes", name="photos", size=10, server=worker)
        api.done("POST", "/volumes", name="pvc-2", size=10, labels=csi, **place)
        # One that lost its server to somebody's own: it is detached first.
        mine = api.server("mine")["id"]
        volume = there["volume:storage-k-vdb"].id
        api.done("POST", f"/volumes/{volume}/actions/detach")
        api.done("POST", f"/volumes/{volume}/actions/attach", server=mine)
        removal = removal_of(servers, design, cloud_at(served))
        found = {one.name for one in removal.leftovers()}
        assert {"a3f0", "pvc-1"} <= found
        assert not {"photos", "pvc-2"} & found
        removal.take_down(quiet)
        assert removal.leftovers() == ()
        # Somebody's own data stays, and what nobody can tell whose it is.
        assert api.names("/volumes") == ["photos", "pvc-2"]
        assert api.names("/servers") == ["mine"]
        assert api.names("/load_balancers") == []


# --- Before the first cent


def test_all_that_is_in_the_way_is_said_at_once(tmp_path: Path) -> None:
    stock = {("cpx22", "hel1"): 0}
    with fake_hetzner(Settings(times=Times(speed=0), readonly=(READS,), stock=stock)) as served:
        api = Api(served)
        api.done("POST", "/networks", name="demo", ip_range="10.9.0.0/16")
        servers = servers_of(cloud_design(), cloud_at(served, token=READS), tmp_path)
        api.done("POST", "/ssh_keys", name="laptop", public_key=servers.login.public_key())
        calls = len(served.fake.calls)
        with pytest.raises(NotPossibleError) as caught:
            servers.require()
        assert len(served.fake.calls) - calls < 30
    lines = [line for line in caught.value.details if not line.startswith(" ")]
    assert lines == [
        "Hetzner's token may only read, and nothing can be made or removed with it",
        "cpx22, for 7 servers, is sold out in hel1",
        "the network demo is there already, and was made by somebody else",
        "this machine's SSH key is in the account as laptop, and Hetzner takes a key once",
    ]
    nexts = next(line for line in caught.value.details if "next that fits" in line)
    assert nexts.startswith("  The next that fits is cpx32 (4 CPU, 8 GB) for ")


def test_an_unknown_token_is_said_to_be_unknown(tmp_path: Path) -> None:
    with fake_hetzner() as served:
        servers = servers_of(cloud_design(), cloud_at(served, token="x" * 64), tmp_path)
        with pytest.raises(TokenError, match="Hetzner does not know the token"):
            servers.require()


def test_what_no_call_tells_is_a_note(tmp_path: Path) -> None:
    with fake_hetzner() as served:
        api, design = Api(served), cloud_design()
        api.done("POST", "/networks", name="office", ip_range="10.0.0.0/8")
        servers = servers_of(design, cloud_at(served), tmp_path)
        servers.require()
        limits, networks = servers.notes
        assert limits.startswith("the project will have 7 servers, 8 volumes and 1 load balancer;")
        assert networks.startswith("the network office (10.0.0.0/8) of the project has addresses of ")


# --- What Hetzner refuses, and what it does not answer


def test_sold_out_half_way_ends_it_with_what_is_made_and_is_gone_on_with(tmp_path: Path) -> None:
    design = cloud_design("hetzner", **SMALL)
    settings_ = Settings(times=Times(speed=0), stock={("cpx22", "hel1"): 2})
    with fake_hetzner(settings_) as served:
        with pytest.raises(SoldOutError, match="server demo-") as caught:
            bring_up(servers_of(design, cloud_at(served), tmp_path))
        assert "rookery prices refresh" in caught.value.hint
        assert served.fake.counts()["servers"] == 2
        # Servers that are there stay; the rest is of a type that is in stock.
        there = servers_of(design, cloud_at(served), tmp_path)
        there._machines = lambda: {host.name: "cpx32" for host in design.servers}
        bring_up(there)
        kinds = [one["server_type"]["name"] for one in Api(served).done("GET", "/servers")["servers"]]
        assert sorted(kinds) == ["cpx22", "cpx22", "cpx32"]


def test_a_limit_of_the_account_ends_it_and_says_where_it_is_raised(tmp_path: Path) -> None:
    with fake_hetzner(Settings(times=Times(speed=0), limits={"server": 5})) as served:
        with pytest.raises(CloudError) as caught:
            bring_up(servers_of(cloud_design(), cloud_at(served), tmp_path))
        assert "resource_limit_exceeded" in caught.value.what
        assert caught.value.hint.startswith("The project's limits are in Hetzner Console, Limits")


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status", "status": 503},
        {"kind": "status", "status": 502},
        {"kind": "status", "status": 423, "code": "locked"},
        {"kind": "status", "status": 429, "code": "rate_limit_exceeded"},
        {"kind": "drop"},
        {"kind": "drop", "when": "after"},
        {"kind": "status", "status": 504, "when": "after"},
    ],
    ids=str,
)
def test_what_may_be_asked_again_is_asked_again_and_made_once(tmp_path: Path, fault: dict[str, Any]) -> None:
    design = cloud_design("hetzner", **SMALL)
    with fake_hetzner() as served:
        for path in ("/servers", "/networks", "/volumes", "/load_balancers", "*/actions/*"):
            served.fake.plan(Fault(method="POST", path=path, times=2, **fault))
        served.fake.plan(Fault(method="GET", path="/actions*", times=2, **fault))
        bring_up(servers_of(design, cloud_at(served), tmp_path))
        counts = served.fake.counts()
        assert (counts["servers"], counts["volumes"], counts["networks"]) == (3, 2, 1)


def test_one_call_is_one_request_whatever_it_is_answered() -> None:
    """Who tries again looks before: the SDK's own retries are off."""
    with fake_hetzner() as served:
        account = account_at(served)
        for status, code in ((502, ""), (429, "rate_limit_exceeded"), (409, "conflict"), (504, "timeout")):
            fault = Fault(kind="status", status=status, code=code, path="/locations", times=9)
            served.fake.plan(fault)
            with pytest.raises(CloudError):
                account.all("locations")
            assert fault.seen == 1
            served.fake.faults.planned.clear()


def test_an_action_that_fails_says_so(tmp_path: Path) -> None:
    with fake_hetzner() as served:
        served.fake.fail_action("attach_volume")
        with pytest.raises(CloudError, match=r"volume demo-storage-k-vd. at demo-storage-k"):
            bring_up(servers_of(cloud_design("hetzner", **SMALL), cloud_at(served), tmp_path))


# --- Interrupted anywhere

HOW = st.sampled_from(["fails", "lost", "killed before", "killed after"])


def interrupted(served: Served, number: int, how: str) -> HetznerCloud:
    """Return an account in which one call goes wrong."""
    if how == "fails":
        served.fake.plan(Fault(kind="status", status=503, nth=number + 1))
    if how == "lost":
        served.fake.plan(Fault(kind="drop", when="after", nth=number + 1))
    killed = number if how.startswith("killed") else -1
    return cloud_at(served, dies_at=killed, after=how == "killed after")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    up=st.lists(st.tuples(st.integers(0, 75), HOW), min_size=1, max_size=3),
    down=st.lists(st.tuples(st.integers(0, 60), HOW), min_size=1, max_size=2),
)
def test_interrupted_at_any_call_up_ends_well_and_down_leaves_nothing(
    tmp_path: Path, up: list[tuple[int, str]], down: list[tuple[int, str]]
) -> None:
    design = cloud_design("hetzner", **SMALL)
    with fake_hetzner(AT_ONCE) as served:
        for number, how in up:
            with contextlib.suppress(Killed):
                bring_up(servers_of(design, interrupted(served, number, how), tmp_path))
            served.fake.faults.planned.clear()
        servers = servers_of(design, cloud_at(served), tmp_path)
        bring_up(servers)
        counts = served.fake.counts()
        assert counts == {
            "servers": 3,
            "volumes": 2,
            "networks": 1,
            "firewalls": 1,
            "load_balancers": 1,
            "placement_groups": 1,
            "ssh_keys": 1,
            "primary_ips": 6,
        }
        assert set(servers.facts()) == {step.id for step in servers.steps()}
        for number, how in down:
            with contextlib.suppress(Killed):
                removal_of(servers, design, interrupted(served, number, how)).take_down(quiet)
            served.fake.faults.planned.clear()
        removal = removal_of(servers, design, cloud_at(served))
        removal.take_down(quiet)
        assert removal.leftovers() == ()
        assert served.fake.counts() == {}


# --- Who one is


def test_the_token_is_the_environment_s_or_that_of_the_active_context(tmp_path: Path) -> None:
    with pytest.raises(TokenError, match="HCLOUD_TOKEN is not set, and hcloud has no configuration"):
        find_access({}, tmp_path)
    folder = tmp_path / ".config" / "hcloud"
    folder.mkdir(parents=True)
    (folder / "cli.toml").write_text(
        'active_context = "work"\n[[contexts]]\nname = "home"\ntoken = "hhh"\n'
        '[[contexts]]\nname = "work"\ntoken = "www"\nendpoint = "https://hetzner.example/v1/"\n'
    )
    found = find_access({}, tmp_path)
    assert (found.token, found.endpoint) == ("www", "https://hetzner.example/v1")
    assert find_access({"HCLOUD_CONTEXT": "home"}, tmp_path).token == "hhh"
    mine = find_access({"HCLOUD_TOKEN": " mine\n", "HCLOUD_ENDPOINT": "http://127.0.0.1:9/v1"}, tmp_path)
    assert (mine.token, mine.endpoint) == ("mine", "http://127.0.0.1:9/v1")
    assert "mine" not in repr(mine)
    with pytest.raises(TokenError, match="has no active context with one"):
        find_access({"HCLOUD_CONTEXT": "nowhere"}, tmp_path)
    (folder / "cli.toml").write_text('token = "secret-of-mine\n')
    with pytest.raises(TokenError, match="cannot be read") as caught:
        find_access({}, tmp_path)
    assert "secret-of-mine" not in str(caught.value)


@pytest.mark.parametrize(
    "endpoint", ["http://api.example.com/v1", "http://8.8.8.8/v1", "ftp://127.0.0.1", "x"]
)
def test_a_token_goes_over_no_line_that_others_read(tmp_path: Path, endpoint: str) -> None:
    with pytest.raises(InputError, match="where everybody on the way reads the token"):
        find_access({"HCLOUD_TOKEN": "t", "HCLOUD_ENDPOINT": endpoint}, tmp_path)


def test_no_error_has_the_token_in_it(tmp_path: Path) -> None:
    with fake_hetzner() as served:
        account = account_at(served)
        said = []
        for fault in ({"kind": "drop"}, {"kind": "status", "status": 500}, {"kind": "status", "status": 401}):
            served.fake.plan(Fault(path="/locations", **fault))
            with pytest.raises((UnsureError, TokenError)) as caught:
                account.all("locations")
            said.append(f"{caught.value!r} {caught.value} {caught.value.__cause__!r}")
            served.fake.faults.planned.clear()
    assert not any(TOKEN in one for one in said)
