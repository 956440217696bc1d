"""The stand-in for Compute Engine, by Google's own descriptions and by a client that nobody here wrote."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.kit.google_cloud.discovery import Json, document, match, request_problems, value_problems
from tests.kit.google_cloud.serving import served
from tests.kit.google_cloud.state import PROJECT, REGION, ZONES, Project

ZONE = ZONES[0]


class Client:
    """google-api-python-client, made from the description that it ships."""

    def __init__(self, endpoint: str) -> None:
        import httplib2
        from googleapiclient.discovery import build_from_document

        self._http = httplib2.Http()
        self._api = build_from_document(
            document("compute.v1"),
            http=self._http,
            client_options={"api_endpoint": f"{endpoint}/compute/v1/"},
        )

    def ask(self, collection: str, method: str, **more: Any) -> Json:
        found: Json = getattr(getattr(self._api, collection)(), method)(project=PROJECT, **more).execute()
        return found

    def do(self, collection: str, method: str, **more: Any) -> Json:
        """Begin what changes something, and wait until it is done; returns how it ended."""
        operation = self.ask(collection, method, **more)
        place = {name: more[name] for name in ("zone", "region") if name in more}
        service = {"zone": "zoneOperations", "region": "regionOperations"}.get(next(iter(place), ""))
        return self.ask(service or "globalOperations", "wait", operation=operation["name"], **place)

    def reason(self, collection: str, method: str, **more: Any) -> str:
        """Return why something is refused."""
        from googleapiclient.errors import HttpError

        with pytest.raises(HttpError) as caught:
            self.do(collection, method, **more)
        return f"{caught.value.status_code} {caught.value.error_details[0]['reason']}"

    def close(self) -> None:
        self._http.close()


@pytest.fixture
def project() -> Project:
    return Project(slow=2)


@pytest.fixture
def client(project: Project) -> Iterator[Client]:
    with served(project) as endpoint:
        found = Client(endpoint)
        yield found
        found.close()
    assert project.wrong == []


def network(client: Client) -> None:
    client.do("networks", "insert", body={"name": "n", "autoCreateSubnetworks": False, "mtu": 1500})
    body = {"name": "s", "network": "global/networks/n", "ipCidrRange": "10.0.0.0/24"}
    client.do("subnetworks", "insert", region=REGION, body=body)


def instance(name: str, address: str) -> Json:
    disk = {
        "boot": True,
        "autoDelete": True,
        "initializeParams": {
            "diskSizeGb": "10",
            "diskType": f"zones/{ZONE}/diskTypes/pd-balanced",
            "sourceImage": "projects/ubuntu-os-cloud/global/images/family/ubuntu-2204-lts",
        },
    }
    nic = {
        "network": "global/networks/n",
        "subnetwork": f"regions/{REGION}/subnetworks/s",
        "networkIP": address,
        "accessConfigs": [{"type": "ONE_TO_ONE_NAT"}],
    }
    return {
        "name": name,
        "machineType": f"zones/{ZONE}/machineTypes/e2-medium",
        "disks": [disk],
        "networkInterfaces": [nic],
    }


def test_servers_and_disks_live_as_another_client_asks(client: Client, project: Project) -> None:
    network(client)
    client.do("instances", "insert", zone=ZONE, body=instance("a", "10.0.0.5"))
    kind = f"zones/{ZONE}/diskTypes/pd-ssd"
    client.do("disks", "insert", zone=ZONE, body={"name": "d", "sizeGb": "20", "type": kind})
    attached = {"source": f"zones/{ZONE}/disks/d", "deviceName": "vdb"}
    client.do("instances", "attachDisk", zone=ZONE, instance="a", body=attached)
    found = client.ask("instances", "get", zone=ZONE, instance="a")
    assert (found["status"], found["networkInterfaces"][0]["networkIP"]) == ("RUNNING", "10.0.0.5")
    assert [one["deviceName"] for one in found["disks"]] == ["persistent-disk-0", "vdb"]
    everywhere = client.ask("instances", "aggregatedList", maxResults=1)
    assert [one["name"] for one in everywhere["items"][f"zones/{ZONE}"]["instances"]] == ["a"]

    assert client.reason("disks", "delete", zone=ZONE, disk="d") == "400 resourceInUseByAnotherResource"
    assert client.reason("networks", "delete", network="n") == "400 resourceInUseByAnotherResource"
    assert client.reason("instances", "insert", zone=ZONE, body=instance("a", "10.0.0.6")) == (
        "409 alreadyExists"
    )
    assert client.reason("instances", "insert", zone=ZONE, body=instance("b", "10.0.0.5")) == (
        "400 ipInUseByAnotherResource"
    )
    client.do("instances", "delete", zone=ZONE, instance="a")
    client.do("disks", "delete", zone=ZONE, disk="d")
    client.do("subnetworks", "delete", region=REGION, subnetwork="s")
    client.do("networks", "delete", network="n")
    assert project.things == {}


def test_a_load_balancer_holds_its_parts_and_comes_apart_in_one_order(
    client: Client, project: Project
) -> None:
    network(client)
    group, service = f"zones/{ZONE}/instanceGroups/g", f"regions/{REGION}/backendServices/b"
    check = {"name": "h", "type": "TCP", "tcpHealthCheck": {"port": 6443}}
    client.do("regionHealthChecks", "insert", region=REGION, body=check)
    client.do("instanceGroups", "insert", zone=ZONE, body={"name": "g", "network": "global/networks/n"})
    body = {"name": "b", "loadBalancingScheme": "EXTERNAL", "protocol": "TCP", "backends": [{"group": group}],
            "healthChecks": [f"regions/{REGION}/healthChecks/h"]}  # fmt: skip
    client.do("regionBackendServices", "insert", region=REGION, body=body)
    client.do("addresses", "insert", region=REGION, body={"name": "a"})
    rule = {"name": "f", "loadBalancingScheme": "EXTERNAL", "backendService": service, "IPProtocol": "TCP",
            "ports": ["6443"], "IPAddress": f"regions/{REGION}/addresses/a"}  # fmt: skip
    client.do("forwardingRules", "insert", region=REGION, body=rule)
    address = client.ask("addresses", "get", region=REGION, address="a")
    found = client.ask("forwardingRules", "get", region=REGION, forwardingRule="f")
    assert (address["status"], found["IPAddress"]) == ("IN_USE", address["address"])
    labels = {"labels": {"x": "y"}, "labelFingerprint": found["labelFingerprint"]}
    client.do("forwardingRules", "setLabels", region=REGION, resource="f", body=labels)
    assert client.reason("forwardingRules", "setLabels", region=REGION, resource="f", body=labels) == (
        "412 conditionNotMet"
    )
    used = "400 resourceInUseByAnotherResource"
    order = (
        ("forwardingRules", {"forwardingRule": "f", "region": REGION}),
        ("regionBackendServices", {"backendService": "b", "region": REGION}),
        ("instanceGroups", {"instanceGroup": "g", "zone": ZONE}),
    )
    for number, (collection, where) in enumerate(order):
        for later, there in order[number + 1 :]:
            assert client.reason(later, "delete", **there) == used
        client.do(collection, "delete", **where)
    client.do("regionHealthChecks", "delete", region=REGION, healthCheck="h")
    client.do("addresses", "delete", region=REGION, address="a")
    assert {one.collection for one in project.things.values()} == {"networks", "subnetworks", "routes"}


def test_what_is_still_being_made_cannot_be_used_and_may_end_badly(client: Client, project: Project) -> None:
    project.slow, project.sold_out = 50, {"e2-medium"}
    client.ask("networks", "insert", body={"name": "n", "autoCreateSubnetworks": False})
    body = {"name": "s", "network": "global/networks/n", "ipCidrRange": "10.0.0.0/24"}
    assert client.reason("subnetworks", "insert", region=REGION, body=body) == "400 resourceNotReady"
    project.slow = 0
    client.do("networks", "insert", body={"name": "m", "autoCreateSubnetworks": False})
    body |= {"network": "global/networks/m"}
    client.do("subnetworks", "insert", region=REGION, body=body)
    asked = instance("a", "10.0.0.5")
    asked["networkInterfaces"][0]["network"] = "global/networks/m"
    ended = client.do("instances", "insert", zone=ZONE, body=asked)
    assert ended["error"]["errors"][0]["code"] == "ZONE_RESOURCE_POOL_EXHAUSTED"
    assert [one.name for one in project.of("instances") + project.of("disks")] == []


def test_the_same_request_twice_is_one(client: Client, project: Project) -> None:
    number = "0b0c4f5a-1f3a-4f6e-9f64-0d4b7b2f8a11"
    body = {"name": "n", "autoCreateSubnetworks": False}
    first = client.ask("networks", "insert", body=body, requestId=number)
    assert client.ask("networks", "insert", body=body, requestId=number)["name"] == first["name"]
    assert client.reason("networks", "insert", body=body) == "409 alreadyExists"


def test_pages_and_filters_are_those_of_lists(client: Client, project: Project) -> None:
    kind = f"zones/{ZONE}/diskTypes/pd-ssd"
    for number in range(5):
        body = {"name": f"d-{number}", "sizeGb": "10", "type": kind, "labels": {"n": str(number % 2)}}
        client.do("disks", "insert", zone=ZONE, body=body)
    project.page, names = 2, []
    token: Json = {}
    while True:
        page = client.ask("disks", "list", zone=ZONE, filter="labels.n=0", **token)
        names.append([one["name"] for one in page["items"]])
        if "nextPageToken" not in page:
            break
        token = {"pageToken": page["nextPageToken"]}
    assert names == [["d-0", "d-2"], ["d-4"]]
    assert client.reason("disks", "list", zone=ZONE, filter="nonsense") == "400 invalid"


def test_a_request_that_google_would_not_understand_is_seen() -> None:
    found = match("POST", f"/compute/v1/projects/p/zones/{ZONE}/disks")
    assert found is not None
    api, method, path = found
    body = {"name": "d", "sizeGb": 10, "colour": "red", "users": [], "labels": {"a": 1}}
    assert request_problems(api, method, path, {"requestId": ["7"], "speed": ["1"]}, body) == [
        "compute.disks.insert: there is no parameter speed",
        "compute.disks.insert: requestId is no UUID",
        "compute.disks.insert: sizeGb is 10, and not string int64",
        "compute.disks.insert: there is no field colour",
        "compute.disks.insert: labels.a is 1, and not string",
        "compute.disks.insert: field users is told, and not asked for",
    ]
    assert request_problems(api, method, path, {}, {}) == ["compute.disks.insert: field name is required"]
    assert request_problems(api, method, path, {}, None) == ["compute.disks.insert: lacks its body"]
    wrong = list(value_problems(api, {"$ref": "Disk"}, {"status": "GOOD", "users": "a"}))
    assert (wrong[0].partition(" of ")[0], wrong[1]) == ("status is 'GOOD', and none", "users is no list")
    assert match("POST", "/compute/v1/projects/p/zones/z/disk") is None
