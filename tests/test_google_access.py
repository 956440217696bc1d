"""Getting into a project of Google's: who one is, what is in the way there, and how each call fails."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from rookery.clouds.cloud import BusyError, CloudError, SoldOutError, TokenError, UnsureError
from rookery.clouds.gcp.access import Access, find_access
from rookery.clouds.gcp.account import Account
from rookery.clouds.gcp.cloud import GoogleCloud
from rookery.clouds.gcp.refusals import GoneError, TakenError, of_answer
from rookery.design.model import Design
from rookery.errors import InputError, MissingLibraryError, NotPossibleError
from rookery.systems.cloud.servers import CloudServers
from tests.kit.cloud_systems import bring_up
from tests.kit.google_cloud.serving import Direct, served
from tests.kit.google_cloud.special import put
from tests.kit.google_cloud.state import PROJECT, REGION, ZONES, Fault, Project
from tests.kit.google_systems import (
    DISK,
    SMALL,
    counted,
    google_cloud,
    google_design,
    google_servers,
    patience,
)

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


def test_servers_that_were_made_from_another_machine_let_nobody_else_in(tmp_path: Path) -> None:
    project, design = Project(), google_design(hosts=SMALL)
    bring_up(google_servers(design, project, tmp_path / "here"))
    elsewhere = google_servers(design, project, tmp_path / "elsewhere")
    with pytest.raises(NotPossibleError) as caught:
        elsewhere.require()
    names = ", ".join(f"demo-{one}" for one in ("cp-1", "storage-k", "storage-l", "storage-m", "worker-a"))
    assert caught.value.details[0] == f"{names}: made from another machine, whose key alone logs in there"
    with pytest.raises(CloudError, match="was made from another machine"):
        bring_up(elsewhere)
    assert counted(project)["instances"] == 5
    google_servers(design, project, tmp_path / "here").require()


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
    no_controller = cloud.preflight("demo", servers.resources).notes
    assert [one[:50] for one in no_controller] == ["the tree installs no controller of Google's: `up` "]
    project.rights_closed = True
    note, *others = cloud.preflight("demo", servers.resources).notes
    assert tuple(others) == no_controller
    assert note.startswith("whether these credentials may make and remove all this, only making tells")


def test_a_project_that_is_closed_or_unknown_lets_nobody_in(tmp_path: Path) -> None:
    project = Project(disabled=True)
    with pytest.raises(TokenError, match="Compute Engine API has not been used") as caught:
        google_servers(google_design(), project, tmp_path).require()
    assert caught.value.hint.startswith("`gcloud services enable compute.googleapis.com`")


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
