"""A system on Google: looked for, made, found again, marked and taken away, whatever happens in between."""

from __future__ import annotations

import contextlib
import subprocess
import sys
import tempfile
from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rookery.clouds.cloud import BusyError, CloudError, SoldOutError, TokenError, UnsureError
from rookery.clouds.gcp.access import Access, find_access
from rookery.clouds.gcp.account import Account
from rookery.clouds.gcp.cloud import GoogleCloud
from rookery.clouds.gcp.refusals import GoneError, TakenError, of_answer
from rookery.design.model import Design
from rookery.errors import InputError, MissingLibraryError, NotPossibleError
from rookery.plan.cloud import LEASE
from rookery.plan.resources import Kind
from rookery.systems.cloud.removal import CloudRemoval
from rookery.systems.cloud.servers import CloudServers
from rookery.systems.protocol import Leftover
from tests.kit.cloud_systems import bring_up
from tests.kit.cloud_systems import removal_of as cloud_removal
from tests.kit.google_cloud.serving import Direct, served
from tests.kit.google_cloud.special import control, put
from tests.kit.google_cloud.state import LINK, PROJECT, REGION, ZONES, Fault, Project, path_of
from tests.kit.google_systems import google_cloud, google_design, google_servers, patience
from tests.kit.memory_cloud import Killed

DISK = {"type": "diskTypes/pd-balanced", "sizeGb": "10", "users": []}
SMALL = {"controlPlane": {"count": 1}, "workers": {"count": 1}, "storage": {"count": 3}}


def quiet(_text: str) -> None:
    """Hears what is reported, and forgets it."""


def counted(project: Project) -> Counter[str]:
    return Counter(one.collection for one in project.things.values())


def removal_of(servers: CloudServers, design: Design, project: Project) -> CloudRemoval:
    return cloud_removal(servers, design, google_cloud(project), patience(project))


# --- Who one is


def refused(environment: dict[str, str], home: Path) -> str:
    with pytest.raises((TokenError, InputError)) as caught:
        find_access(environment, home, REGION)
    return caught.value.what


def test_access_is_what_the_environment_says_and_its_token_is_never_shown(tmp_path: Path) -> None:
    token = {"GOOGLE_OAUTH_ACCESS_TOKEN": "ya29.hidden"}
    found = find_access({**token, "GOOGLE_CLOUD_PROJECT": "p-2"}, tmp_path, REGION)
    assert (found.project, found.zone, found.endpoint) == ("p-2", "", "https://compute.googleapis.com")
    assert "hidden" not in repr(found)
    here = "http://127.0.0.1:8080/compute/v1/"
    more = {"CLOUDSDK_CORE_PROJECT": "p-3", "CLOUDSDK_COMPUTE_ZONE": f"{REGION}-b"}
    found = find_access({**token, **more, "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": here}, tmp_path, REGION)
    assert (found.project, found.zone, found.endpoint) == ("p-3", f"{REGION}-b", "http://127.0.0.1:8080")
    assert found.project_endpoint == found.endpoint


def test_what_is_no_access_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    token = {"GOOGLE_OAUTH_ACCESS_TOKEN": "ya29.hidden", "GOOGLE_CLOUD_PROJECT": "p-2"}
    assert refused({}, tmp_path) == "there are no credentials for Google"
    assert refused({**token, "GOOGLE_OAUTH_ACCESS_TOKEN": "two words"}, tmp_path) == (
        "GOOGLE_OAUTH_ACCESS_TOKEN holds characters that no token has"
    )
    assert refused({**token, "GOOGLE_CLOUD_PROJECT": ""}, tmp_path) == (
        "no project at Google is named, and the credentials name none"
    )
    assert refused({**token, "CLOUDSDK_COMPUTE_ZONE": "us-central1-a"}, tmp_path) == (
        f"CLOUDSDK_COMPUTE_ZONE is us-central1-a, which is not in {REGION}"
    )
    for endpoint in ("http://10.0.0.1", "ftp://127.0.0.1", "127.0.0.1:80"):
        found = refused({**token, "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": endpoint}, tmp_path)
        assert found.endswith("where everybody on the way reads the token")
    broken = tmp_path / "key.json"
    broken.write_text('{"private_key": "hidden"')
    assert "hidden" not in refused({"GOOGLE_APPLICATION_CREDENTIALS": str(broken)}, tmp_path)


def test_a_missing_library_is_said_once_somebody_speaks_of_google(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rookery.clouds.gcp.access.find_spec", lambda _: None)
    assert refused({}, tmp_path) == "there are no credentials for Google"
    (tmp_path / ".config/gcloud").mkdir(parents=True)
    (tmp_path / ".config/gcloud/application_default_credentials.json").write_text("{}")
    with pytest.raises(MissingLibraryError) as caught:
        find_access({}, tmp_path, REGION)
    assert caught.value.extra == "gcp"


def test_nothing_of_google_s_is_loaded_before_it_is_asked() -> None:
    """It takes two seconds, which no other command has to give."""
    program = (
        "import sys, rookery.clouds.gcp.cloud, rookery.clouds.gcp.access;"
        " print([one for one in sys.modules if one.split('.')[0] in ('google', 'grpc', 'requests')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "[]"


# --- Before the first cent


def in_the_way(project: Project, design: Design | None = None, **zone: str) -> list[str]:
    servers = google_servers(design or google_design(), project, tmp(), cloud=google_cloud(project, **zone))
    with pytest.raises(NotPossibleError) as caught:
        servers.require()
    return [line for line in caught.value.details if not line.startswith("  ")]


def tmp() -> Path:
    return Path(tempfile.gettempdir())


def test_nothing_is_in_the_way_of_an_empty_project(tmp_path: Path) -> None:
    project = Project()
    google_servers(google_design(), project, tmp_path).require()
    assert project.things == {}
    assert project.wrong == []


def test_all_that_is_in_the_way_is_said_at_once() -> None:
    project = Project(limits={"CPUS": 8, "FIREWALLS": 2}, denied={"compute.networks.create"})
    put(project, "networks", "global", {"name": "demo", "description": "the demo of sales"})
    put(
        project,
        "disks",
        f"zones/{ZONES[0]}",
        {**DISK, "name": "demo-cp-1", "labels": {"rookery-io-system": "other"}},
    )
    before = dict(project.things)
    assert in_the_way(project) == [
        "demo, one of the project's networks, is not this system's",
        "demo-cp-1, one of the project's disks, is not this system's",
        f"14 more of CPUS are wanted in {REGION}, and 8 of 8 are free",
        f"3 more of FIREWALLS are wanted in project {PROJECT}, and 2 of 2 are free",
        f"the credentials may not compute.networks.create in project {PROJECT}",
    ]
    assert project.things == before


def test_a_type_that_the_zone_lacks_is_said_with_the_zone_that_has_it() -> None:
    project, design = Project(), google_design()
    servers = CloudServers(
        design,
        lambda: google_cloud(project, zone=ZONES[1]),
        machines=lambda: {host.name: "n2-standard-8" for host in design.servers},
        folder=tmp(),
        patience=patience(project),
    )
    with pytest.raises(NotPossibleError) as caught:
        servers.require()
    assert caught.value.details == (
        "europe-west3-b has no servers of type n2-standard-8",
        "  CLOUDSDK_COMPUTE_ZONE=europe-west3-a has it",
    )


def test_what_nobody_tells_of_rights_is_noted(tmp_path: Path) -> None:
    project = Project(faults={})
    cloud, design = google_cloud(project), google_design()
    servers = google_servers(design, project, tmp_path, cloud=cloud)
    assert cloud.preflight("demo", servers.resources).notes == ()
    project.rights_closed = True
    (note,) = cloud.preflight("demo", servers.resources).notes
    assert note.startswith("whether these credentials may make and remove all this, only making tells")


def test_a_project_that_is_closed_or_unknown_lets_nobody_in(tmp_path: Path) -> None:
    project = Project(disabled=True)
    with pytest.raises(TokenError, match="Compute Engine API has not been used") as caught:
        google_servers(google_design(), project, tmp_path).require()
    assert caught.value.hint.startswith("`gcloud services enable compute.googleapis.com`")


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
        (Kind.VOLUME, "pd-balanced"): 8,
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


# --- Over a network


def test_each_call_is_one_request_and_tells_apart_how_it_failed(tmp_path: Path) -> None:
    project = Project(token="ya29.right")
    with served(project) as endpoint:
        access = {
            "GOOGLE_OAUTH_ACCESS_TOKEN": "ya29.right",
            "GOOGLE_CLOUD_PROJECT": PROJECT,
            "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE": f"{endpoint}/compute/v1/",
        }
        account = Account(find_access(access, tmp_path, REGION))
        errors = {
            Fault.UNAVAILABLE: UnsureError,
            Fault.TOO_MANY: BusyError,
            Fault.DROPPED: UnsureError,
            Fault.LOST: UnsureError,
        }
        for fault, expected in errors.items():
            project.revive({0: fault})
            with pytest.raises(expected):
                account.get("networks", network="demo")
            assert project.number == 1
        project.revive()
        with pytest.raises(GoneError):
            account.get("networks", network="demo")
        wrong = Account(find_access({**access, "GOOGLE_OAUTH_ACCESS_TOKEN": "ya29.wrong"}, tmp_path, REGION))
        with pytest.raises(TokenError) as caught:
            GoogleCloud(wrong, place=REGION).found("demo")
        assert "ya29" not in f"{caught.value}{caught.value.__cause__}{caught.value.__context__}"
        design = google_design(hosts=SMALL)
        cloud = GoogleCloud(account, place=REGION)
        servers = google_servers(design, project, tmp_path, cloud=cloud)
        servers.require()
        bring_up(servers)
        assert counted(project)["instances"] == 5
    assert project.wrong == []


def test_a_creation_whose_answer_was_lost_is_the_same_request_when_it_is_sent_again() -> None:
    project = Project(slow=50)
    account = Account(Access(credentials=_anonymous(), project=PROJECT), adapter=Direct(project))
    body = {"name": "n", "autoCreateSubnetworks": False}
    project.revive({0: Fault.LOST})
    with pytest.raises(UnsureError):
        account.change("networks", "insert", body)
    account.change("networks", "insert", body)
    assert len(project.operations) == 1
    with pytest.raises(TakenError):
        account.change("networks", "insert", body)


def _anonymous() -> object:
    from google.auth.credentials import AnonymousCredentials

    return AnonymousCredentials()


@pytest.mark.parametrize(
    ("status", "reason", "expected"),
    [
        (400, "resourceNotReady", BusyError),
        (403, "rateLimitExceeded", BusyError),
        (403, "quotaExceeded", CloudError),
        (403, "forbidden", TokenError),
        (401, "authError", TokenError),
        (500, "backendError", UnsureError),
        (503, "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", SoldOutError),
        (400, "invalid", CloudError),
    ],
)
def test_what_google_says_is_one_of_the_errors_of_all_clouds(
    status: int, reason: str, expected: type[Exception]
) -> None:
    found = of_answer("server a", status=status, reason=reason, message="No.\nmore")
    assert type(found) is expected
    if status != 401:
        assert str(found).startswith(f"server a: No ({reason})")


# --- Interrupted anywhere


def cycle(up: dict[int, Fault], again: dict[int, Fault], down: dict[int, Fault], *, slow: int) -> None:
    """Bring a system up and take it down, interrupted; it is there once, then there is nothing."""
    project, design = Project(slow=slow, controlled="demo"), google_design(hosts=SMALL)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for faults in (up, again):
            project.revive(faults)
            with contextlib.suppress(Killed):
                bring_up(google_servers(design, project, folder))
        project.revive()
        servers = google_servers(design, project, folder)
        bring_up(servers)
        found = counted(project)
        assert (found["instances"], found["disks"], found["networks"]) == (5, 5 + 6 + 1, 1)
        assert (found["forwardingRules"], found["backendServices"], found["addresses"]) == (3, 2, 1)
        assert set(servers.facts()) == {step.id for step in servers.steps()}
        project.revive(down)
        with contextlib.suppress(Killed):
            removal_of(servers, design, project).take_down(quiet)
        project.revive()
        removal = removal_of(servers, design, project)
        removal.take_down(quiet)
        assert removal.leftovers() == ()
    assert project.things == {}
    assert project.wrong == []


_FAULTS = st.sampled_from(Fault)


@settings(max_examples=12, deadline=None)
@given(
    killed_at=st.integers(0, 125),
    up=st.dictionaries(st.integers(0, 125), _FAULTS, max_size=4),
    down=st.dictionaries(st.integers(0, 85), _FAULTS, max_size=4),
    slow=st.sampled_from([0, 1, 5, 20]),
)
def test_whatever_call_goes_wrong_nothing_is_made_twice_and_nothing_is_left(
    killed_at: int, up: dict[int, Fault], down: dict[int, Fault], slow: int
) -> None:
    cycle({killed_at: Fault.KILLED_AFTER}, up, down, slow=slow)
