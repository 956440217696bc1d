"""A system on Google: made, found again, marked and taken away."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from rookery.clouds.cloud import CloudError, SoldOutError
from rookery.plan.cloud import LEASE
from rookery.plan.resources import Kind
from rookery.systems.protocol import Leftover
from tests.kit.cloud_systems import bring_up
from tests.kit.google_cloud.special import control, put
from tests.kit.google_cloud.state import LINK, PROJECT, REGION, ZONES, Project, path_of
from tests.kit.google_systems import (
    DISK,
    counted,
    google_cloud,
    google_design,
    google_servers,
    quiet,
    removal_of,
)

# --- From nothing to servers


def test_everything_is_made_once_and_then_there(tmp_path: Path) -> None:
    project, design = Project(slow=3, page=2), google_design()
    servers = google_servers(design, project, tmp_path)
    servers.require()
    done = bring_up(servers)
    assert sorted(done) == sorted(step.id for step in servers.steps())
    assert counted(project) == {
        "networks": 1, "subnetworks": 1, "routes": 1, "firewalls": 3, "resourcePolicies": 1, "instances": 7,
        "disks": 7 + 8, "addresses": 1, "healthChecks": 1, "instanceGroups": 1, "backendServices": 2,
        "forwardingRules": 2,
    }  # fmt: skip
    again = google_servers(design, project, tmp_path)
    before = len(project.calls)
    again.require()
    assert bring_up(again) == []
    # What is there is seen in a look: no call of the second run is about one thing.
    kinds = {one.split()[0].partition(".")[2] for one in project.calls[before:]}
    assert kinds <= {"list", "aggregatedList", "listInstances"}
    assert project.wrong == []


def test_a_server_is_as_it_was_asked_for_from_the_call_that_makes_it(tmp_path: Path) -> None:
    project, design = Project(), google_design(network={"mtu": 8000})
    servers = google_servers(design, project, tmp_path, until="20261130t203000z")
    bring_up(servers)
    body = project.get(path_of(f"zones/{ZONES[0]}", "instances", "demo-storage-k")).body
    host = next(one for one in design.servers if one.name == "storage-k")
    labels = {"rookery-io-system": "demo", "rookery-io-until": "20261130t203000z"}
    assert (body["labels"], body["canIpForward"]) == (labels, False)
    assert "serviceAccounts" not in body
    assert body["networkInterfaces"][0]["networkIP"] == host.address
    told = {one["key"]: one["value"] for one in body["metadata"]["items"]}
    assert told["ssh-keys"] == f"ubuntu:{servers.login.public_key()}"
    assert (told["enable-oslogin"], told["block-project-ssh-keys"]) == ("FALSE", "TRUE")
    assert told["user-data"].startswith("#cloud-config\n")
    disk = project.get(path_of(f"zones/{ZONES[0]}", "disks", "demo-storage-k")).body
    assert (disk["labels"], disk["sizeGb"]) == (labels, "19")
    assert project.get(path_of("global", "networks", "demo")).body["mtu"] == 8000
    told_hosts = servers.told().hosts["storage-k"]
    assert [one["device"] for one in told_hosts["drives"]] == [
        "/dev/disk/by-id/google-vdb",
        "/dev/disk/by-id/google-vdc",
    ]
    rule = project.get(path_of(f"regions/{REGION}", "forwardingRules", "demo-api")).body
    assert servers.told().variables["api_url"] == f"https://{rule['IPAddress']}:6443"
    inside = project.get(path_of(f"regions/{REGION}", "forwardingRules", "demo-api-inside")).body
    assert design.load_balancer is not None
    assert (inside["IPAddress"], inside["loadBalancingScheme"]) == (design.load_balancer.address, "INTERNAL")


def test_what_is_sold_out_is_said_and_what_is_made_stays(tmp_path: Path) -> None:
    project, design = Project(slow=3, sold_out={"e2-medium"}), google_design()
    with pytest.raises(SoldOutError, match="does not have enough resources") as caught:
        bring_up(google_servers(design, project, tmp_path))
    assert caught.value.hint == "Another zone may have some: CLOUDSDK_COMPUTE_ZONE names it."
    assert counted(project)["networks"] == 1
    project.sold_out = set()
    bring_up(google_servers(design, project, tmp_path))
    assert counted(project)["instances"] == 7


def test_a_quota_that_is_met_half_way_ends_it(tmp_path: Path) -> None:
    project = Project(limits={"INSTANCES": 3})
    with pytest.raises(CloudError, match="Quota 'INSTANCES' exceeded"):
        bring_up(google_servers(google_design(), project, tmp_path))
    assert counted(project)["instances"] == 3


def test_another_s_thing_of_the_same_name_is_not_taken(tmp_path: Path) -> None:
    project = Project()
    put(project, "networks", "global", {"name": "demo", "description": "rookery-io-system=demo-two"})
    with pytest.raises(CloudError, match="there is one called demo among the project's networks"):
        bring_up(google_servers(google_design(), project, tmp_path))


def test_servers_that_were_stopped_are_started_and_rules_are_as_asked(tmp_path: Path) -> None:
    project, design = Project(), google_design()
    bring_up(google_servers(design, project, tmp_path))
    project.get(path_of(f"zones/{ZONES[0]}", "instances", "demo-cp-1")).body["status"] = "TERMINATED"
    project.get(path_of("global", "firewalls", "demo")).body["allowed"] = [{"IPProtocol": "all"}]
    done = bring_up(google_servers(design, project, tmp_path))
    assert {"server:cp-1", "firewall"} <= set(done)
    assert project.get(path_of("global", "firewalls", "demo")).body["allowed"] == [
        {"IPProtocol": "tcp", "ports": ["22"]},
        {"IPProtocol": "icmp"},
    ]
    assert bring_up(google_servers(design, project, tmp_path)) == []
    assert project.wrong == []


def test_a_system_stays_in_the_zone_where_it_is(tmp_path: Path) -> None:
    project, design = Project(), google_design()
    bring_up(google_servers(design, project, tmp_path, cloud=google_cloud(project, zone=ZONES[1])))
    path = path_of(f"zones/{ZONES[1]}", "instances", "demo-worker-a")
    project.forget(path)
    project.forget(path_of(f"zones/{ZONES[1]}", "disks", "demo-worker-a"))
    bring_up(google_servers(design, project, tmp_path, cloud=google_cloud(project, zone=ZONES[0])))
    assert path in project.things


# --- The lease


def test_a_lease_is_on_all_that_costs_and_can_be_moved(tmp_path: Path) -> None:
    project, design = Project(), google_design()
    bring_up(google_servers(design, project, tmp_path, until="20261130t203000z"))
    longer = google_servers(design, project, tmp_path, until="20261201t090000z")
    assert bring_up(longer) == [LEASE]
    assert bring_up(google_servers(design, project, tmp_path, until="20261201t090000z")) == []
    labelled = [one for one in project.things.values() if one.collection in ("instances", "forwardingRules")]
    assert {one.body["labels"]["rookery-io-until"] for one in labelled} == {"20261201t090000z"}
    seen = google_cloud(project).systems()
    assert {one.until for one in seen if one.kind not in (Kind.ATTACHMENT, Kind.TARGET)} == {
        "20261201t090000z"
    }
    products = Counter((one.kind, one.product) for one in seen if one.product)
    assert products == {
        (Kind.SERVER, "e2-medium"): 7,
        (Kind.VOLUME, "pd-balanced"): 7 + 8,
        (Kind.BALANCER, "forwarding rules"): 1,
    }
    assert {one.since for one in seen if one.product} == {1796068800.0}


# --- To nothing again


def test_what_the_cluster_s_controllers_made_goes_too(tmp_path: Path) -> None:
    project, design = Project(slow=3, controlled="demo"), google_design()
    put(project, "networks", "global", {"name": "demo-two", "description": "rookery-io-system=demo-two"})
    put(
        project,
        "firewalls",
        "global",
        {"name": "k8s-fw-other", "network": f"{LINK}projects/{PROJECT}/global/networks/demo-two"},
    )
    put(project, "disks", f"zones/{ZONES[0]}", {**DISK, "name": "pvc-other"})
    bystanders = set(project.things)
    servers = google_servers(design, project, tmp_path)
    bring_up(servers)
    control(project)
    removal = removal_of(servers, design, project)
    assert {Leftover(kind="volume", name="pvc-1"), Leftover(kind="load balancer", name="a1b2")} <= set(
        removal.leftovers()
    )
    removal.take_down(quiet)
    assert removal.leftovers() == ()
    assert set(project.things) == bystanders
    assert project.wrong == []


def test_what_somebody_else_s_server_uses_is_said_and_stays(tmp_path: Path) -> None:
    project, design = Project(), google_design()
    servers = google_servers(design, project, tmp_path)
    bring_up(servers)
    network = LINK + path_of("global", "networks", "demo")
    subnetwork = LINK + path_of(f"regions/{REGION}", "subnetworks", "demo")
    nic = {"network": network, "subnetwork": subnetwork, "networkIP": "10.0.0.9"}
    put(project, "instances", f"zones/{ZONES[0]}", {"name": "bastion", "status": "RUNNING", "disks": [],
        "machineType": "zones/z/machineTypes/e2-small", "networkInterfaces": [nic]})  # fmt: skip
    removal = removal_of(servers, design, project)
    with pytest.raises(CloudError) as caught:
        removal.take_down(quiet)
    assert caught.value.details == ("network demo: demo is used by bastion",)
    assert counted(project) == {"networks": 1, "subnetworks": 1, "routes": 1, "instances": 1}


def test_a_network_of_the_same_name_that_is_another_s_is_not_taken_away(tmp_path: Path) -> None:
    project, design = Project(), google_design()
    put(project, "networks", "global", {"name": "demo", "description": "the demo of sales"})
    servers = google_servers(design, project, tmp_path)
    removal_of(servers, design, project).take_down(quiet)
    assert counted(project) == {"networks": 1}
