"""The stand-in for AWS refuses what AWS refuses, and things take their time: each by what the API answers."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from rookery.clouds.aws.api import (
    AwsApi,
    GoneError,
    TakenError,
    Thing,
    WouldError,
)
from rookery.clouds.cloud import BusyError, CloudError, SoldOutError, TokenError, UnsureError
from tests.kit.aws_systems import MACHINE, api_of
from tests.kit.strict_aws import World
from tests.kit.strict_aws.world import UBUNTU

CIDR = "10.1.0.0/24"


@pytest.fixture
def api(aws: World) -> AwsApi:
    return api_of(aws)


class Lone:
    """A network made by hand, call by call."""

    def __init__(self, api: AwsApi) -> None:
        self.api = api
        self.vpc = str(self.ec2("create_vpc", CidrBlock=CIDR)["Vpc"]["VpcId"])
        subnet = self.ec2("create_subnet", VpcId=self.vpc, CidrBlock=CIDR, AvailabilityZone="eu-central-1a")
        self.subnet = str(subnet["Subnet"]["SubnetId"])
        group = self.ec2("create_security_group", GroupName="lone", Description="d", VpcId=self.vpc)
        self.group = str(group["GroupId"])

    def ec2(self, operation: str, **asked: Any) -> Thing:
        return self.api.call("ec2", operation, "a test", **asked)

    def elb(self, operation: str, **asked: Any) -> Thing:
        return self.api.call("elbv2", operation, "a test", **asked)

    def run(self, *, address: str = "10.1.0.10", public: bool = True, **more: Any) -> str:
        interface = {
            "DeviceIndex": 0,
            "SubnetId": self.subnet,
            "PrivateIpAddress": address,
            "Groups": [self.group],
            "AssociatePublicIpAddress": public,
            "DeleteOnTermination": True,
        }
        asked = {
            "ImageId": UBUNTU,
            "InstanceType": MACHINE,
            "MinCount": 1,
            "MaxCount": 1,
            "NetworkInterfaces": [interface],
            **more,
        }
        return str(self.ec2("run_instances", **asked)["Instances"][0]["InstanceId"])

    def state(self, instance: str) -> str:
        answer = self.ec2("describe_instances", InstanceIds=[instance])
        return str(answer["Reservations"][0]["Instances"][0]["State"]["Name"])

    def volume(self, **more: Any) -> str:
        asked = {"AvailabilityZone": "eu-central-1a", "Size": 10, **more}
        return str(self.ec2("create_volume", **asked)["VolumeId"])

    def volume_state(self, volume: str) -> str:
        return str(self.ec2("describe_volumes", VolumeIds=[volume])["Volumes"][0]["State"])

    def wait(self, look: Callable[[], str], wanted: str) -> list[str]:
        """Return what was seen on the way to a state, each once."""
        found = [look()]
        while found[-1] != wanted:
            assert len(found) < 30, found
            found.append(look())
        return list(dict.fromkeys(found))


@pytest.fixture
def lone(api: AwsApi) -> Lone:
    return Lone(api)


# --- In use


def test_what_is_in_use_is_not_deleted(lone: Lone) -> None:
    server = lone.run()
    for operation, asked, code in (
        ("delete_security_group", {"GroupId": lone.group}, "DependencyViolation"),
        ("delete_subnet", {"SubnetId": lone.subnet}, "DependencyViolation"),
        ("delete_vpc", {"VpcId": lone.vpc}, "DependencyViolation"),
    ):
        with pytest.raises(BusyError, match=code):
            lone.ec2(operation, **asked)
    lone.ec2("terminate_instances", InstanceIds=[server])
    assert lone.wait(lambda: lone.state(server), "terminated") == ["shutting-down", "terminated"]
    lone.ec2("delete_security_group", GroupId=lone.group)
    lone.ec2("delete_subnet", SubnetId=lone.subnet)
    lone.ec2("delete_vpc", VpcId=lone.vpc)


def test_a_security_group_that_another_names_stays(lone: Lone) -> None:
    other = lone.ec2("create_security_group", GroupName="other", Description="d", VpcId=lone.vpc)["GroupId"]
    rule = [{"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": lone.group}]}]
    lone.ec2("authorize_security_group_ingress", GroupId=other, IpPermissions=rule)
    with pytest.raises(BusyError, match="has a dependent object"):
        lone.ec2("delete_security_group", GroupId=lone.group)
    lone.ec2("revoke_security_group_ingress", GroupId=other, IpPermissions=rule)
    lone.ec2("delete_security_group", GroupId=lone.group)
    with pytest.raises(BusyError, match="DependencyViolation"):
        lone.ec2("delete_vpc", VpcId=lone.vpc)


def test_a_gateway_stays_while_addresses_are_mapped(lone: Lone) -> None:
    gateway = lone.ec2("create_internet_gateway")["InternetGateway"]["InternetGatewayId"]
    lone.ec2("attach_internet_gateway", InternetGatewayId=gateway, VpcId=lone.vpc)
    server = lone.run()
    lone.wait(lambda: lone.state(server), "running")
    with pytest.raises(BusyError, match="has some mapped public address"):
        lone.ec2("detach_internet_gateway", InternetGatewayId=gateway, VpcId=lone.vpc)


def test_a_load_balancer_s_interface_outlives_it_and_holds_the_subnet(lone: Lone) -> None:
    made = lone.elb(
        "create_load_balancer", Name="lb", Type="network", Scheme="internal", Subnets=[lone.subnet]
    )
    arn = made["LoadBalancers"][0]["LoadBalancerArn"]

    def state() -> str:
        answer = lone.elb("describe_load_balancers", LoadBalancerArns=[arn])
        return str(answer["LoadBalancers"][0]["State"]["Code"])

    assert lone.wait(state, "active") == ["provisioning", "active"]
    interface = lone.ec2("describe_network_interfaces")["NetworkInterfaces"][0]["NetworkInterfaceId"]
    with pytest.raises(BusyError, match=r"InvalidNetworkInterface\.InUse"):
        lone.ec2("delete_network_interface", NetworkInterfaceId=interface)
    lone.elb("delete_load_balancer", LoadBalancerArn=arn)
    with pytest.raises(BusyError, match="DependencyViolation"):
        lone.ec2("delete_subnet", SubnetId=lone.subnet)
    while lone.ec2("describe_network_interfaces")["NetworkInterfaces"]:
        pass
    lone.ec2("delete_subnet", SubnetId=lone.subnet)


# --- Twice


def test_one_client_token_makes_one_instance(lone: Lone) -> None:
    first = lone.run(ClientToken="t")
    assert lone.run(ClientToken="t") == first
    with pytest.raises(CloudError, match="IdempotentParameterMismatch"):
        lone.run(ClientToken="t", EbsOptimized=True)
    lone.ec2("terminate_instances", InstanceIds=[first])
    lone.wait(lambda: lone.state(first), "terminated")
    # For a day it stands for the one that is no more.
    assert lone.run(ClientToken="t") == first


def test_one_client_token_makes_one_volume(lone: Lone) -> None:
    assert lone.volume(ClientToken="t") == lone.volume(ClientToken="t")
    with pytest.raises(CloudError, match="IdempotentParameterMismatch"):
        lone.volume(ClientToken="t", Size=11)


def test_a_load_balancer_asked_for_twice_is_one_and_otherwise_refused(lone: Lone) -> None:
    asked = {"Name": "lb", "Type": "network", "Scheme": "internal", "Subnets": [lone.subnet]}
    first = lone.elb("create_load_balancer", **asked)["LoadBalancers"][0]["LoadBalancerArn"]
    assert lone.elb("create_load_balancer", **asked)["LoadBalancers"][0]["LoadBalancerArn"] == first
    with pytest.raises(TakenError, match="DuplicateLoadBalancerName"):
        lone.elb("create_load_balancer", **{**asked, "Scheme": "internet-facing"})


def test_names_and_addresses_are_taken_once(lone: Lone) -> None:
    lone.run()
    with pytest.raises(BusyError, match=r"InvalidIPAddress\.InUse"):
        lone.run()
    with pytest.raises(TakenError, match=r"InvalidSubnet\.Conflict"):
        lone.ec2("create_subnet", VpcId=lone.vpc, CidrBlock=CIDR)
    lone.ec2("create_placement_group", GroupName="g", Strategy="spread")
    with pytest.raises(TakenError, match=r"InvalidPlacementGroup\.Duplicate"):
        lone.ec2("create_placement_group", GroupName="g", Strategy="spread")


# --- What cannot be


@pytest.mark.parametrize(
    ("asked", "error", "code"),
    [
        ({"MinCount": 2, "MaxCount": 1}, CloudError, "InvalidParameterValue"),
        ({"InstanceType": "t3.gigantic"}, CloudError, "InvalidInstanceType"),
        ({"ImageId": "ami-00000000"}, GoneError, r"InvalidAMIID\.NotFound"),
        ({"KeyName": "nobody"}, GoneError, r"InvalidKeyPair\.NotFound"),
        ({"Placement": {"GroupName": "nobody"}}, GoneError, r"InvalidPlacementGroup\.Unknown"),
        ({"DryRun": True}, WouldError, "DryRunOperation"),
    ],
)
def test_what_cannot_be_is_refused(
    lone: Lone, asked: dict[str, Any], error: type[CloudError], code: str
) -> None:
    with pytest.raises(error, match=code):
        lone.run(**asked)


def test_a_spread_group_takes_seven_and_lives_as_long_as_they(lone: Lone) -> None:
    lone.ec2("create_placement_group", GroupName="g", Strategy="spread")
    lone.ec2("describe_placement_groups")
    made = [lone.run(address=f"10.1.0.{10 + one}", Placement={"GroupName": "g"}) for one in range(7)]
    with pytest.raises(SoldOutError, match="spread group g"):
        lone.run(address="10.1.0.20", Placement={"GroupName": "g"})
    with pytest.raises(BusyError, match=r"InvalidPlacementGroup\.InUse"):
        lone.ec2("delete_placement_group", GroupName="g")
    lone.ec2("terminate_instances", InstanceIds=made)
    lone.wait(lambda: lone.state(made[-1]), "terminated")
    lone.ec2("delete_placement_group", GroupName="g")


def test_a_volume_is_attached_once_where_both_are_ready(lone: Lone) -> None:
    server, volume = lone.run(), lone.volume()
    attach = {"VolumeId": volume, "InstanceId": server, "Device": "/dev/sdf"}
    with pytest.raises(BusyError, match="IncorrectState"):
        lone.ec2("attach_volume", **attach)
    lone.wait(lambda: lone.state(server), "running")
    assert lone.wait(lambda: lone.volume_state(volume), "available")[-1] == "available"
    lone.ec2("attach_volume", **attach)
    with pytest.raises(BusyError, match="VolumeInUse"):
        lone.ec2("attach_volume", **attach)
    with pytest.raises(BusyError, match="VolumeInUse"):
        lone.ec2("delete_volume", VolumeId=volume)
    elsewhere = lone.volume(AvailabilityZone="eu-central-1b")
    lone.wait(lambda: lone.volume_state(elsewhere), "available")
    with pytest.raises(CloudError, match=r"InvalidVolume\.ZoneMismatch"):
        lone.ec2("attach_volume", **{**attach, "VolumeId": elsewhere, "Device": "/dev/sdg"})
    other = lone.volume()
    lone.wait(lambda: lone.volume_state(other), "available")
    with pytest.raises(CloudError, match="already in use"):
        lone.ec2("attach_volume", **{**attach, "VolumeId": other})
    # It does not go with its server.
    lone.ec2("terminate_instances", InstanceIds=[server])
    assert lone.wait(lambda: lone.volume_state(volume), "available") == ["in-use", "available"]


def test_a_target_is_looked_at_before_it_is_healthy(lone: Lone) -> None:
    group = lone.elb("create_target_group", Name="tg", Protocol="TCP", Port=6443, VpcId=lone.vpc)
    arn = group["TargetGroups"][0]["TargetGroupArn"]
    server = lone.run()
    with pytest.raises(BusyError, match="InvalidTarget"):
        lone.elb("register_targets", TargetGroupArn=arn, Targets=[{"Id": server}])
    lone.wait(lambda: lone.state(server), "running")
    lone.elb("register_targets", TargetGroupArn=arn, Targets=[{"Id": server}])

    def health() -> str:
        answer = lone.elb("describe_target_health", TargetGroupArn=arn)
        return str(answer["TargetHealthDescriptions"][0]["TargetHealth"]["State"])

    assert lone.wait(health, "healthy") == ["initial", "healthy"]


# --- On demand


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("RequestLimitExceeded", BusyError),
        ("Throttling", BusyError),
        ("InternalError", UnsureError),
        ("Unavailable", UnsureError),
        ("InsufficientInstanceCapacity", SoldOutError),
        ("VcpuLimitExceeded", CloudError),
        ("AuthFailure", TokenError),
        ("UnauthorizedOperation", TokenError),
        ("drop", UnsureError),
        ("lose", UnsureError),
    ],
)
def test_faults_on_demand_are_told_apart(aws: World, lone: Lone, fault: str, error: type[Exception]) -> None:
    aws.fault = lambda asked: fault if asked.action == "CreateVolume" else ""
    with pytest.raises(error) as caught:
        lone.volume()
    assert "of-a-test" not in str(caught.value)
    aws.fault = None
    # Only what was lost on its way back took effect.
    assert len(lone.ec2("describe_volumes")["Volumes"]) == (1 if fault == "lose" else 0)


def test_what_was_just_made_may_not_be_shown_yet(aws: World, lone: Lone) -> None:
    aws.late = 3
    server = lone.run()

    def look() -> Iterator[str]:
        for reservation in lone.ec2("describe_instances")["Reservations"]:
            yield from (one["InstanceId"] for one in reservation["Instances"])

    assert list(look()) == []
    while list(look()) != [server]:
        pass
