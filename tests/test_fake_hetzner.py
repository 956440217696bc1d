"""The stand-in for Hetzner's API: what it has, how long things take, and every way in which it refuses."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from rookery.clouds.hetzner.fake.settings import Settings, Times
from tests.kit.fake_hetzner import AT_ONCE, PUBLIC_KEY, Api, HeldHetzner, fake_hetzner
from tests.kit.hcloud_description import needs_description, problems

REAL_TIMES = Settings(per_hour=0)


@pytest.fixture
def api() -> Iterator[Api]:
    with fake_hetzner() as served:
        yield Api(served)


@pytest.fixture
def slow() -> Iterator[Api]:
    """Actions take as long as they do at Hetzner, by a clock that the test turns."""
    with fake_hetzner(REAL_TIMES, turned=True) as served:
        yield Api(served)


def network(api: Api, name: str = "net", ip_range: str = "10.0.0.0/16") -> int:
    subnet = {"type": "cloud", "network_zone": "eu-central", "ip_range": ip_range.replace("/16", "/24")}
    made = api.done("POST", "/networks", name=name, ip_range=ip_range, subnets=[subnet])
    return int(made["network"]["id"])


def volume(api: Api, name: str = "data", **more: Any) -> int:
    made = api.done("POST", "/volumes", **{"name": name, "size": 10, "location": "hel1", **more})
    return int(made["volume"]["id"])


# What takes time.


def test_a_server_is_made_attached_and_started_one_after_the_other(slow: Api) -> None:
    net, data = network(slow), None
    data = volume(slow)
    slow.served.fake.turn(5)
    made = slow.done(
        "POST",
        "/servers",
        name="storage-1",
        server_type="cpx22",
        image="ubuntu-24.04",
        location="hel1",
        networks=[net],
        volumes=[data],
    )
    server = f"/servers/{made['server']['id']}"
    assert made["action"]["command"] == "create_server"
    assert [one["command"] for one in made["next_actions"]] == [
        "attach_to_network",
        "attach_volume",
        "start_server",
    ]
    assert made["root_password"]
    now = slow.one(server)
    assert (now["status"], now["locked"], now["private_net"]) == ("initializing", True, [])
    slow.served.fake.turn(12)
    assert slow.one(server)["status"] == "starting"
    slow.served.fake.turn(2)
    assert [net["ip"] for net in slow.one(server)["private_net"]] == ["10.0.0.2"]
    slow.served.fake.turn(3)
    now = slow.one(server)
    assert (now["status"], now["locked"], now["volumes"]) == ("running", False, [data])
    assert slow.one(f"/volumes/{data}")["server"] == made["server"]["id"]
    ended = slow.one(f"/actions/{made['action']['id']}")
    assert (ended["status"], ended["progress"], ended["error"]) == ("success", 100, None)


def test_what_an_action_runs_on_is_locked(slow: Api) -> None:
    server, data = slow.server()["id"], volume(slow)
    assert slow.refused("DELETE", f"/servers/{server}") == (
        423,
        "locked",
        f"server {server} is locked: another action is running",
    )
    assert slow.refused("DELETE", f"/volumes/{data}")[:2] == (423, "locked")
    slow.served.fake.turn(15)
    slow.done("POST", f"/volumes/{data}/actions/attach", server=server)
    second = volume(slow, "second")
    slow.served.fake.turn(1)
    assert slow.refused("POST", f"/volumes/{second}/actions/attach", server=server)[:2] == (423, "locked")


def test_a_network_that_is_being_changed_is_a_conflict(slow: Api) -> None:
    net = network(slow)
    more = {"type": "cloud", "network_zone": "eu-central"}
    slow.done("POST", f"/networks/{net}/actions/add_subnet", **more)
    assert slow.refused("POST", f"/networks/{net}/actions/add_subnet", **more)[:2] == (409, "conflict")
    assert slow.refused("DELETE", f"/networks/{net}")[:2] == (409, "conflict")
    slow.served.fake.turn(2)
    assert [one["ip_range"] for one in slow.one(f"/networks/{net}")["subnets"]] == [
        "10.0.0.0/24",
        "10.0.1.0/24",
    ]


def test_an_action_fails_on_demand_and_those_after_it_do_too(slow: Api) -> None:
    slow.served.fake.fail_action("create_server")
    made = slow.done("POST", "/servers", name="a", server_type="cpx22", image="debian-13", location="hel1")
    slow.served.fake.turn(20)
    failed = slow.one(f"/actions/{made['action']['id']}")
    assert (failed["status"], failed["error"]) == (
        "error",
        {"code": "action_failed", "message": "Action failed"},
    )
    assert slow.one(f"/actions/{made['next_actions'][0]['id']}")["status"] == "error"
    assert slow.one(f"/servers/{made['server']['id']}")["locked"] is False


# What is deleted, and what that does to others.


def test_a_server_that_goes_lets_go_of_all_that_it_had(api: Api) -> None:
    net = network(api)
    firewall = api.done("POST", "/firewalls", name="f")["firewall"]["id"]
    group = api.done("POST", "/placement_groups", name="p", type="spread")["placement_group"]["id"]
    server = api.server(networks=[net], firewalls=[{"firewall": firewall}], placement_group=group)["id"]
    data = volume(api, server=server, location=None)
    balancer = api.done(
        "POST",
        "/load_balancers",
        name="lb",
        load_balancer_type="lb11",
        location="hel1",
        network=net,
        targets=[{"type": "server", "server": {"id": server}, "use_private_ip": True}],
    )["load_balancer"]["id"]
    assert api.refused("DELETE", f"/firewalls/{firewall}")[:2] == (422, "resource_in_use")
    assert api.refused("DELETE", f"/placement_groups/{group}")[:2] == (422, "resource_in_use")
    assert api.refused("DELETE", f"/volumes/{data}")[:2] == (422, "service_error")
    subnet = api.refused("POST", f"/networks/{net}/actions/delete_subnet", ip_range="10.0.0.0/24")
    assert subnet == (422, "service_error", "cannot remove subnet because servers are attached to it")
    api.done("DELETE", f"/servers/{server}")
    assert api.refused("GET", f"/servers/{server}")[:2] == (404, "not_found")
    assert api.one(f"/volumes/{data}")["server"] is None
    assert api.one(f"/load_balancers/{balancer}")["targets"] == []
    assert api.names("/primary_ips") == []
    for path in (f"/volumes/{data}", f"/load_balancers/{balancer}", f"/firewalls/{firewall}"):
        api.done("DELETE", path)
    api.done("DELETE", f"/placement_groups/{group}")
    api.done("DELETE", f"/networks/{net}")
    assert api.served.fake.counts() == {}


def test_a_network_goes_and_what_was_attached_stays(api: Api) -> None:
    net = network(api)
    server = api.server(networks=[net])["id"]
    assert api.one(f"/networks/{net}")["servers"] == [server]
    api.done("DELETE", f"/networks/{net}")
    assert api.one(f"/servers/{server}")["private_net"] == []


def test_what_is_protected_stays(api: Api) -> None:
    server, net = api.server()["id"], network(api)
    half = api.refused("POST", f"/servers/{server}/actions/change_protection", delete=True)
    assert half[:2] == (422, "invalid_input")
    api.done("POST", f"/servers/{server}/actions/change_protection", delete=True, rebuild=True)
    assert api.refused("DELETE", f"/servers/{server}")[:2] == (423, "protected")
    api.done("POST", f"/networks/{net}/actions/change_protection", delete=True)
    assert api.refused("DELETE", f"/networks/{net}")[:2] == (423, "protected")
    api.done("POST", f"/networks/{net}/actions/change_protection", delete=False)
    api.done("DELETE", f"/networks/{net}")


def test_an_address_that_a_server_has_is_unassigned_first(api: Api) -> None:
    said = {"name": "mine", "type": "ipv4", "assignee_type": "server", "location": "hel1"}
    address = api.done("POST", "/primary_ips", **said)["primary_ip"]["id"]
    server = api.server(public_net={"ipv4": address, "enable_ipv6": False})["id"]
    assert api.refused("DELETE", f"/primary_ips/{address}")[:2] == (422, "must_be_unassigned")
    assert api.refused("POST", f"/primary_ips/{address}/actions/unassign")[:2] == (422, "server_not_stopped")
    api.done("DELETE", f"/servers/{server}")
    assert api.one(f"/primary_ips/{address}")["assignee_id"] is None
    api.done("DELETE", f"/primary_ips/{address}")


# What is refused.


def test_all_that_is_wrong_with_a_request_is_said_by_field(api: Api) -> None:
    response = api.ask(
        "POST", "/servers", name="under_score", image="debian-13", labels={"hetzner.cloud/a": "b"}
    )
    error = response.json()["error"]
    assert (response.status_code, error["code"]) == (422, "invalid_input")
    assert error["message"] == "invalid input in fields 'name', 'server_type'"
    assert [one["name"] for one in error["details"]["fields"]] == ["name", "server_type"]
    labels = api.refused(
        "POST", "/placement_groups", name="p", type="spread", labels={"hetzner.cloud/a": "b"}
    )
    assert labels[2].startswith("invalid input in field 'labels.hetzner.cloud/a'")
    unknown = api.refused(
        "POST", "/servers", name="a", server_type="cx999", image="debian-13", location="hel1"
    )
    assert unknown[2] == "invalid input in field 'server_type': server type cx999 does not exist"


def test_names_and_keys_are_unique(api: Api) -> None:
    api.server("a")
    said = {"server_type": "cpx22", "image": "ubuntu-24.04", "location": "hel1"}
    assert api.refused("POST", "/servers", name="a", **said)[:2] == (409, "uniqueness_error")
    api.done("POST", "/ssh_keys", name="k", public_key=PUBLIC_KEY)
    response = api.ask("POST", "/ssh_keys", name="other", public_key=PUBLIC_KEY + " elsewhere")
    assert response.status_code == 409
    assert response.json()["error"]["details"] == {"fields": [{"name": "public_key"}]}


def test_an_account_has_limits() -> None:
    with fake_hetzner(Settings(times=Times(speed=0), limits={"server": 1, "dedicated_core": 2})) as served:
        api = Api(served)
        cores = api.ask("POST", "/servers", name="a", server_type="ccx23", image="debian-13", location="hel1")
        assert cores.json()["error"] == {
            "code": "resource_limit_exceeded",
            "message": "dedicated core limit exceeded",
            "details": {"limits": [{"name": "dedicated_core_limit"}]},
        }
        api.server("a")
        more = api.refused(
            "POST", "/servers", name="b", server_type="cpx22", image="debian-13", location="hel1"
        )
        assert more == (403, "resource_limit_exceeded", "server limit exceeded")


def test_a_type_is_sold_out_half_way_and_its_stock_says_so() -> None:
    with fake_hetzner(Settings(times=Times(speed=0), stock={("cpx22", "hel1"): 1})) as served:
        api = Api(served)

        def available() -> bool:
            (kind,) = api.done("GET", "/server_types?name=cpx22")["server_types"]
            return next(bool(one["available"]) for one in kind["locations"] if one["name"] == "hel1")

        assert available()
        first = api.server("a")["id"]
        assert not available()
        said = {"server_type": "cpx22", "image": "debian-13", "location": "hel1"}
        refused = api.refused("POST", "/servers", name="b", **said)
        assert refused == (412, "resource_unavailable", "error during placement")
        api.done("DELETE", f"/servers/{first}")
        api.done("GET", "/servers")
        assert available()


def test_a_spread_group_has_ten_servers_and_a_server_sixteen_volumes(api: Api) -> None:
    group = api.done("POST", "/placement_groups", name="p", type="spread")["placement_group"]["id"]
    servers = [api.server(f"s{number}", placement_group=group)["id"] for number in range(10)]
    said = {"server_type": "cpx22", "image": "debian-13", "location": "hel1", "placement_group": group}
    assert api.refused("POST", "/servers", name="s10", **said)[:2] == (422, "placement_error")
    for number in range(16):
        volume(api, f"v{number}", server=servers[0], location=None)
        api.done("GET", "/volumes")
    refused = api.refused("POST", "/volumes", name="v16", size=10, server=servers[0])
    assert refused[:2] == (422, "limit_exceeded_error")


def test_tokens_are_asked_for_and_some_may_only_look() -> None:
    with fake_hetzner(Settings(readonly=("looks",))) as served:
        assert Api(served, "wrong").refused("GET", "/servers")[:2] == (401, "unauthorized")
        looks = Api(served, "looks")
        assert looks.names("/servers") == []
        refused = looks.refused("POST", "/placement_groups", name="p", type="spread")
        assert refused[:2] == (401, "token_readonly")


def test_what_is_no_json_and_what_is_no_path(api: Api) -> None:
    response = api.client.post("/servers", content=b"{")
    assert (response.status_code, response.json()["error"]["code"]) == (400, "json_error")
    assert api.refused("GET", "/nowhere")[:2] == (404, "not_found")
    assert api.refused("PUT", "/servers")[:2] == (405, "method_not_allowed")
    assert api.refused("GET", "/actions")[:2] == (410, "deprecated_api_endpoint")
    assert api.refused("POST", "/floating_ips")[:2] == (501, "unsupported_here")


def test_requests_are_counted_and_come_back_with_time() -> None:
    with fake_hetzner(Settings(per_hour=3), turned=True) as served:
        api = Api(served)
        left = [api.ask("GET", "/locations").headers["RateLimit-Remaining"] for _ in range(3)]
        assert left == ["2", "1", "0"]
        refused = api.ask("GET", "/locations")
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "rate_limit_exceeded")
        assert refused.headers["RateLimit-Limit"] == "3"
        assert int(refused.headers["RateLimit-Reset"]) == 1_800_003_600
        served.fake.turn(1200)
        assert api.ask("GET", "/locations").status_code == 200


def test_since_datacenters_are_gone_nothing_names_one_or_takes_one() -> None:
    with fake_hetzner(Settings(times=Times(speed=0), datacenters=False), held=False) as served:
        api = Api(served)
        assert "datacenter" not in api.server()
        assert api.refused("GET", "/datacenters")[:2] == (410, "deprecated_api_endpoint")
        said = {"name": "b", "server_type": "cpx22", "image": "debian-13", "datacenter": "hel1-dc4"}
        assert api.refused("POST", "/servers", **said)[:2] == (422, "invalid_input")
        address = {"name": "a", "type": "ipv4", "assignee_type": "server", "datacenter": "hel1-dc4"}
        refused = api.refused("POST", "/primary_ips", **address)
        assert refused[2] == "invalid input in field 'location': is needed where there is no assignee"


# Lists.


def test_lists_come_in_pages_that_name_each_other(api: Api) -> None:
    for number in range(7):
        api.done("POST", "/placement_groups", name=f"p{number}", type="spread")
    response = api.ask("GET", "/placement_groups?page=2&per_page=3&sort=name:desc")
    assert [one["name"] for one in response.json()["placement_groups"]] == ["p3", "p2", "p1"]
    assert response.json()["meta"]["pagination"] == {
        "page": 2,
        "per_page": 3,
        "previous_page": 1,
        "next_page": 3,
        "last_page": 3,
        "total_entries": 7,
    }
    base = f"{api.served.endpoint}/placement_groups?sort=name%3Adesc"
    assert response.headers["Link"] == ", ".join(
        f'<{base}&page={page}&per_page=3>; rel="{rel}"'
        for rel, page in (("prev", 1), ("next", 3), ("last", 3))
    )
    assert api.done("GET", "/placement_groups?per_page=500")["meta"]["pagination"]["per_page"] == 50
    assert api.refused("GET", "/placement_groups?page=0")[:2] == (422, "invalid_input")
    assert api.refused("GET", "/placement_groups?sort=colour")[:2] == (422, "invalid_input")


def test_lists_are_filtered_by_what_their_kind_has(api: Api) -> None:
    api.server("a", labels={"role": "storage"})
    api.server("b", labels={"role": "worker"})
    api.done("GET", "/servers")
    assert api.names("/servers?name=b") == ["b"]
    assert api.names("/servers?label_selector=role%20in%20(storage,edge)") == ["a"]
    assert api.names("/servers?status=running&status=off") == ["a", "b"]
    assert api.names("/servers?status=off") == []
    assert set(api.names("/images?type=system&architecture=arm&name=debian-13")) == {"debian-13"}


# The description.


@needs_description
def test_an_answer_that_is_otherwise_than_described_is_found(api: Api) -> None:
    made = api.done("POST", "/placement_groups", name="p", type="spread")
    assert list(problems("POST", "/placement_groups", 201, made)) == []
    made["placement_group"]["colour"] = "blue"
    del made["placement_group"]["servers"]
    found = list(problems("POST", "/placement_groups", 201, made))
    assert len(found) == 2
    assert any("'colour' was unexpected" in one for one in found)
    assert any("'servers' is a required property" in one for one in found)
    assert list(problems("GET", "/servers", 200, None)) != []
    assert isinstance(api.served.fake, HeldHetzner)


def test_a_call_that_is_left_open_ends_with_the_server() -> None:
    with fake_hetzner(AT_ONCE) as served:
        client = httpx.Client(base_url=served.endpoint, trust_env=False)
        assert client.get("/servers").status_code == 401
    with contextlib.closing(client), pytest.raises(httpx.TransportError):
        client.get("/servers")
