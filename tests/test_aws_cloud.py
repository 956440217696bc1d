"""AWS: what a system is made of there, what is in its way, what is found again, and what is left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rookery.clouds.aws.api import AwsApi, require_credentials
from rookery.clouds.aws.asked import client_token, device_of, short_name
from rookery.clouds.cloud import SYSTEM, UNTIL, CloudError, Made, SoldOutError, TokenError
from rookery.errors import NotPossibleError
from rookery.plan.cloud import LEASE
from rookery.plan.resources import Kind, Resource, ServerWish
from rookery.prices.book import cloud_of
from rookery.run.clouds import connect
from rookery.systems.cloud.servers import CloudServers
from rookery.systems.protocol import Leftover
from tests.kit.aws_systems import (
    MACHINE,
    Clock,
    api_of,
    controllers_make,
    made_names,
    servers_at,
    small_design,
)
from tests.kit.aws_systems import (
    cloud_of as cloud_at,
)
from tests.kit.cloud_systems import bring_up, cloud_design, removal_of
from tests.kit.strict_aws import REGION, World


def quiet(_text: str) -> None:
    """Hears what is reported, and forgets it."""


def ec2(aws: World, operation: str, **asked: Any) -> Any:
    return api_of(aws).call("ec2", operation, "somebody", **asked)


def small(aws: World, folder: Path, *, until: str = "") -> CloudServers:
    return servers_at(small_design(), cloud_at(aws), folder, until=until)


def up(aws: World, folder: Path) -> dict[str, Made]:
    """Bring a small system up; return what is there, by the ids of its resources."""
    servers = small(aws, folder)
    bring_up(servers)
    return dict(servers.there())


def down(aws: World, folder: Path) -> None:
    removal_of(small(aws, folder), small_design(), cloud_at(aws), Clock().patience()).take_down(quiet)


# --- From nothing to servers


def test_a_system_comes_up_is_told_of_and_is_there(aws: World, tmp_path: Path) -> None:
    design = cloud_design("aws")
    servers = servers_at(design, cloud_at(aws), tmp_path)
    servers.require()
    assert sorted(bring_up(servers)) == sorted(step.id for step in servers.steps())
    again = servers_at(design, cloud_at(aws), tmp_path)
    assert bring_up(again) == []
    told, there = again.told(), again.there()
    server = there["server:storage-k"]
    assert server.private == "10.148.189.128"
    assert server.node_id == f"aws:///eu-central-1a/{server.id}"
    assert told.hosts["storage-k"]["ansible_host"] == server.public
    assert [drive["device"] for drive in told.hosts["storage-k"]["drives"]] == [
        f"/dev/disk/by-id/nvme-Amazon_Elastic_Block_Store_{volume.id.replace('-', '')}"
        for volume in (there["volume:storage-k-vdb"], there["volume:storage-k-vdc"])
    ]
    assert told.variables["ansible_user"] == "ubuntu"
    # The load balancer has its address in the network only: from outside, a server is asked.
    assert there["balancer"].public == ""
    assert told.variables["api_url"] == f"https://{there['server:cp-1'].public}:6443"
    assert {one.product for one in there.values() if one.product} == {MACHINE, "gp3", "nlb"}


def test_what_is_let_in_and_what_is_tagged(aws: World, tmp_path: Path) -> None:
    there = up(aws, tmp_path)
    group = ec2(aws, "describe_security_groups", GroupIds=[there["firewall"].id])["SecurityGroups"][0]
    rules = {
        (one["IpProtocol"], one.get("FromPort"), one["IpRanges"][0]["CidrIp"])
        for one in group["IpPermissions"]
    }
    assert rules == {
        ("-1", None, "10.148.189.0/24"),
        ("tcp", 22, "0.0.0.0/0"),
        ("tcp", 6443, "0.0.0.0/0"),
        ("icmp", -1, "0.0.0.0/0"),
    }
    server = ec2(aws, "describe_instances", InstanceIds=[there["server:cp-1"].id])["Reservations"][0]
    tags = {one["Key"]: one["Value"] for one in server["Instances"][0]["Tags"]}
    assert tags == {"Name": "demo-cp-1", SYSTEM: "demo", "kubernetes.io/cluster/demo": "owned"}


def test_what_a_hand_changed_is_made_as_it_was_asked(aws: World, tmp_path: Path) -> None:
    there = up(aws, tmp_path)
    server, group = there["server:storage-k"].id, there["firewall"].id
    ssh = {"IpProtocol": "tcp", "FromPort": 22, "ToPort": 22, "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}
    other = {**ssh, "FromPort": 23, "ToPort": 23}
    ec2(aws, "revoke_security_group_ingress", GroupId=group, IpPermissions=[ssh])
    ec2(aws, "authorize_security_group_ingress", GroupId=group, IpPermissions=[other])
    ec2(aws, "stop_instances", InstanceIds=[server])
    servers = small(aws, tmp_path)
    lacking = {
        one.id: servers.cloud.lacks(one, servers.there()[one.id], servers.there())
        for one in servers.resources
    }
    assert {name: what for name, what in lacking.items() if what} == {
        "firewall": "has other rules",
        "server:storage-k": "stopped",
    }
    bring_up(servers)
    again = small(aws, tmp_path)
    assert set(again.facts()) == {step.id for step in again.steps()}


def test_a_server_that_is_gone_is_made_again_and_gets_its_drive(aws: World, tmp_path: Path) -> None:
    before = up(aws, tmp_path)
    ec2(aws, "terminate_instances", InstanceIds=[before["server:storage-k"].id])
    for _ in range(4):
        ec2(aws, "describe_instances")
    after = up(aws, tmp_path)
    assert after["server:storage-k"].id != before["server:storage-k"].id
    assert after["volume:storage-k-vdb"].id == before["volume:storage-k-vdb"].id
    assert after["attached:storage-k-vdb"].on == "demo-storage-k"
    assert made_names(aws)["server"] == ["demo-cp-1", "demo-storage-k"]


# --- In the way


def preflight(aws: World, resources: Sequence[Resource]) -> list[str]:
    found = cloud_at(aws).preflight("demo", resources)
    return [one.what for one in found.problems]


def test_all_that_is_in_the_way_is_said_before_the_first_cent(aws: World, tmp_path: Path) -> None:
    servers = small(aws, tmp_path)
    ec2(aws, "create_key_pair", KeyName="demo")
    ec2(aws, "create_placement_group", GroupName="demo-1", Strategy="spread")
    aws.quotas.update({"L-1216C47A": 3.0, "L-F678F1CE": 1.0, "L-69A177A2": 0.0})
    aws.denied = frozenset({"CreateVolume", "RunInstances"})
    before = made_names(aws)
    with pytest.raises(NotPossibleError) as caught:
        servers.require()
    assert str(caught.value) == (
        "7 things are in the way at AWS, and nothing was made\n"
        "    the SSH key demo is there, and is not this system's\n"
        "      Give the system another name, or remove it where it was made\n"
        "    the placement group demo-1 is there, and is not this system's\n"
        "      Give the system another name, or remove it where it was made\n"
        "    these credentials may not create volume\n"
        "      Give their user or role the right; docs/decisions/0066-aws.md has all that are needed\n"
        "    these credentials may not run instances\n"
        "      Give their user or role the right; docs/decisions/0066-aws.md has all that are needed\n"
        "    4 vCPUs of running standard instances are needed, and eu-central-1 has 0 of 3 in use\n"
        "      Ask for more: `aws service-quotas request-service-quota-increase --service-code ec2"
        " --quota-code L-1216C47A --desired-value 4`, which may take a day\n"
        "    1 VPCs are needed, and eu-central-1 has 1 of 1 in use\n"
        "      Ask for more: `aws service-quotas request-service-quota-increase --service-code vpc"
        " --quota-code L-F678F1CE --desired-value 2`, which may take a day\n"
        "    1 network load balancers are needed, and eu-central-1 has 0 of 0 in use\n"
        "      Ask for more: `aws service-quotas request-service-quota-increase --service-code"
        " elasticloadbalancing --quota-code L-69A177A2 --desired-value 1`, which may take a day"
    )
    assert made_names(aws) == before


@pytest.mark.parametrize(
    ("machine", "said"),
    [
        ("t3.gigantic", ["eu-central-1 has no machine type t3.gigantic"]),
        ("t2.large", ["t2.large is of an older kind, on which drives have no names that last"]),
        (MACHINE, []),
    ],
)
def test_a_machine_type_is_looked_at(aws: World, tmp_path: Path, machine: str, said: list[str]) -> None:
    resources = [
        replace(one, wish=replace(one.wish, machine=machine)) if isinstance(one.wish, ServerWish) else one
        for one in small(aws, tmp_path).resources
    ]
    assert preflight(aws, resources) == said


def test_what_nobody_can_tell_is_said(aws: World, tmp_path: Path) -> None:
    aws.quotas.clear()
    vpc = ec2(aws, "create_vpc", CidrBlock="10.148.0.0/16")["Vpc"]["VpcId"]
    found = cloud_at(aws).preflight("demo", small(aws, tmp_path).resources)
    assert found.problems == ()
    assert found.notes == (
        f"{vpc} has addresses of 10.148.189.0/24 too: the two cannot be connected",
        "Whether servers of a type are free now AWS tells only when one is made",
        "Whether these credentials may make load balancers AWS tells only when one is made",
        (
            "The limits of vCPUs of running standard instances, VPCs, network load balancers, TiB of gp3"
            " volumes could not be read: see AWS Console, Service Quotas"
        ),
    )


def test_a_type_that_is_sold_out_ends_it_and_the_next_command_goes_on(aws: World, tmp_path: Path) -> None:
    aws.sold_out = frozenset({MACHINE})
    with pytest.raises(SoldOutError, match=rf"{MACHINE} capacity"):
        bring_up(small(aws, tmp_path))
    assert "server" not in made_names(aws)
    aws.sold_out = frozenset()
    up(aws, tmp_path)
    assert made_names(aws)["server"] == ["demo-cp-1", "demo-storage-k"]


def test_another_machine_s_key_opens_nothing(aws: World, tmp_path: Path) -> None:
    up(aws, tmp_path / "one")
    with pytest.raises(CloudError, match="the SSH key demo in the account is another machine's"):
        bring_up(small(aws, tmp_path / "two"))


# --- To nothing again


def test_what_controllers_made_goes_and_what_is_others_stays(aws: World, tmp_path: Path) -> None:
    up(aws, tmp_path)
    controllers_make(aws)
    # Called alike, and nobody's business: only tags say what is whose.
    tags = [{"Key": "Name", "Value": "demo"}]
    other = ec2(
        aws,
        "create_vpc",
        CidrBlock="10.9.0.0/16",
        TagSpecifications=[{"ResourceType": "vpc", "Tags": tags}],
    )["Vpc"]["VpcId"]
    owned = [{"Key": SYSTEM, "Value": "demo-two"}, {"Key": "Name", "Value": "demo-cp-1"}]
    volume = ec2(
        aws,
        "create_volume",
        AvailabilityZone="eu-central-1a",
        Size=1,
        TagSpecifications=[{"ResourceType": "volume", "Tags": owned}],
    )["VolumeId"]
    removal = removal_of(small(aws, tmp_path), small_design(), cloud_at(aws), Clock().patience())
    found = removal.leftovers()
    for kind, name in (
        ("load balancer", "a1b2"),
        ("load balancer", "c3d4"),
        ("firewall", "k8s-elb-1"),
        ("volume", "demo-dynamic-pvc-1"),
        ("other", "of a pod"),
    ):
        assert Leftover(kind=kind, name=name) in found
    assert {one.kind for one in found} >= {"address", "network", "server", "SSH key", "placement group"}
    removal.take_down(quiet)
    assert removal.leftovers() == ()
    assert made_names(aws) == {"network": ["demo"], "volume": ["demo-cp-1"]}
    assert (other in aws.ec2.vpcs, volume in aws.ec2.volumes) == (True, True)


def test_somebody_s_server_in_the_network_is_named_at_once(aws: World, tmp_path: Path) -> None:
    there = up(aws, tmp_path)
    network = there["network"].seen
    ec2(
        aws,
        "run_instances",
        ImageId="ami-0a1b2c3d4e5f60718",
        InstanceType=MACHINE,
        MinCount=1,
        MaxCount=1,
        SubnetId=network.subnets[0]["SubnetId"],  # type: ignore[attr-defined]
        TagSpecifications=[{"ResourceType": "instance", "Tags": [{"Key": "Name", "Value": "bastion"}]}],
    )
    clock = Clock()
    removal = removal_of(small(aws, tmp_path), small_design(), cloud_at(aws), clock.patience())
    with pytest.raises(CloudError) as caught:
        removal.take_down(quiet)
    assert caught.value.details == ("network demo: demo is used by bastion",)
    assert made_names(aws)["server"] == ["bastion"]


# --- Leases


def test_a_lease_is_on_everything_and_can_be_moved(aws: World, tmp_path: Path) -> None:
    bring_up(small(aws, tmp_path, until="20261130t203000z"))
    seen = [one for one in cloud_at(aws).systems() if one.kind not in (Kind.ATTACHMENT, Kind.TARGET)]
    assert {one.system for one in seen} == {"demo"}
    assert {one.until for one in seen} == {"20261130t203000z"}
    assert len(seen) == 10
    assert bring_up(small(aws, tmp_path, until="20261201t090000z")) == [LEASE]
    again = [one for one in cloud_at(aws).systems() if one.kind not in (Kind.ATTACHMENT, Kind.TARGET)]
    assert {one.until for one in again} == {"20261201t090000z"}
    wanted = [{"Name": f"tag:{UNTIL}", "Values": ["20261201t090000z"]}]
    assert len(ec2(aws, "describe_subnets", Filters=wanted)["Subnets"]) == 1
    down(aws, tmp_path)
    assert cloud_at(aws).systems() == ()


# --- The way in


def test_without_credentials_nothing_is_asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    with pytest.raises(TokenError, match="AWS needs credentials"):
        require_credentials()
    with pytest.raises(TokenError, match="AWS needs credentials"):
        connect(cloud_of("aws"))


def test_an_account_is_the_environment_s_in_the_price_book_s_region(
    aws: World, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.url)
    monkeypatch.setenv("ROOKERY_AWS_ZONE", "eu-central-1b")
    cloud = connect(cloud_of("aws"))
    assert (cloud.provider, cloud.title, cloud.place) == ("aws", "AWS", REGION)
    assert cloud.systems() == ()
    resources = {one.id: one for one in small(aws, tmp_path).resources}
    made = cloud.make(resources["volume:storage-k-vdb"], {SYSTEM: "demo"}, {}, quiet)
    assert made.seen["AvailabilityZone"] == "eu-central-1b"  # type: ignore[index]


def test_one_call_is_one_request_and_no_error_has_a_secret(aws: World) -> None:
    for fault, error in (
        ("RequestLimitExceeded", CloudError),
        ("drop", CloudError),
        ("AuthFailure", TokenError),
    ):
        aws.fault = lambda _asked, fault=fault: fault
        before = len(aws.log)
        with pytest.raises(error) as caught:
            AwsApi(REGION, endpoint_url=aws.url).call("ec2", "describe_vpcs", "a look")
        assert len(aws.log) == before + 1
        assert "of-a-test" not in f"{caught.value!r} {caught.value}"


# --- Names


def test_names_of_load_balancers_are_short_and_one_s_own() -> None:
    assert short_name("demo-api") == "demo-api"
    long = [short_name(f"a-system-with-quite-a-long-name-{one}-api") for one in ("one", "two")]
    assert len(set(long)) == 2
    assert all(
        len(one) <= 32 and not one.startswith("internal-") for one in (*long, short_name("internal-x"))
    )


def test_drives_and_tokens_have_names_by_what_is_asked() -> None:
    assert [device_of(name) for name in ("vdb", "vdl", "vdm", "vdaa")] == [
        "/dev/sdf",
        "/dev/sdp",
        "/dev/xvdba",
        "/dev/xvdbo",
    ]
    assert client_token({"a": 1, "b": 2}, 0) == client_token({"b": 2, "a": 1}, 0)
    tokens = {client_token({"a": 1}, 0), client_token({"a": 1}, 1), client_token({"a": 2}, 0)}
    assert (len(tokens), max(map(len, tokens)) <= 64) == (3, True)
