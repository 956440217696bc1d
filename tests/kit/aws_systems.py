"""Systems on AWS for tests: an account behind the strict stand-in, and processes whose calls go wrong."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from rookery.clouds.aws.api import AwsApi
from rookery.clouds.aws.cloud import AwsCloud
from rookery.clouds.aws.job import Waiting
from rookery.clouds.patience import Patience
from rookery.design.model import Design
from rookery.systems.cloud.servers import CloudServers
from tests.kit.cloud_systems import cloud_design
from tests.kit.memory_cloud import Fault, Killed
from tests.kit.strict_aws import REGION, World

MACHINE = "t3.large"
_DEFAULT_VPC = "172.31.0.0/16"  # which every account has
QUICKLY = Waiting(pause=1.0, limit=60.0, sleep=lambda _: None)


class Clock:
    """A clock that only sleeping moves."""

    def __init__(self) -> None:
        self.time = 0.0

    def sleep(self, seconds: float) -> None:
        self.time += seconds

    def patience(self, limit: float = 3600.0) -> Patience:
        """Return patience by this clock: none of it is waited for."""
        return Patience(limit=limit, sleep=self.sleep, now=lambda: self.time)


_SHARED: dict[str, AwsApi] = {}


def api_of(world: World) -> AwsApi:
    """Return the way into a world; clients take long to make, so all processes of a test share them."""
    if world.url not in _SHARED:
        _SHARED[world.url] = AwsApi(REGION, endpoint_url=world.url)
    return _SHARED[world.url]


Faults = Callable[[int, str, Mapping[str, Any]], Fault | None]


class FaultyApi(AwsApi):
    """One process' way into an account, of which each call can fail, lose its answer or be the last.

    `faults` says by a call's number, operation and parameters what happens to it.
    """

    def __init__(self, shared: AwsApi, faults: Faults) -> None:
        super().__init__(shared.region)
        self._shared = shared
        self._faults = faults
        self._numbers = threading.Lock()
        self._dead = False
        self.calls: list[str] = []

    def _send(self, service: str, operation: str, asked: Mapping[str, Any]) -> Any:
        from botocore.exceptions import ClientError, ConnectionClosedError

        with self._numbers:
            if self._dead:
                raise Killed
            fault = self._faults(len(self.calls), operation, asked)
            self.calls.append(operation)
            if fault is Fault.KILLED_BEFORE:
                self._dead = True
                raise Killed
        if fault is Fault.FAILS:
            error = {"Error": {"Code": "RequestLimitExceeded", "Message": "Request limit exceeded."}}
            raise ClientError({**error, "ResponseMetadata": {"HTTPStatusCode": 503}}, operation)  # type: ignore[typeddict-item]
        try:
            return self._shared._send(service, operation, asked)
        finally:
            if fault is Fault.KILLED_AFTER:
                self._dead = True
                raise Killed
            if fault is Fault.LOST:
                raise ConnectionClosedError(endpoint_url="http://127.0.0.1")


def no_faults(_number: int, _operation: str, _asked: Mapping[str, Any]) -> None:
    """Nothing goes wrong."""


def cloud_of(world: World, faults: Faults = no_faults) -> AwsCloud:
    api = FaultyApi(api_of(world), faults)
    return AwsCloud(api, machines=lambda: (MACHINE,), waiting=QUICKLY)


def servers_at(made: Design, cloud: AwsCloud, folder: Path, *, until: str = "") -> CloudServers:
    return CloudServers(
        made,
        lambda: cloud,
        machines=lambda: {host.name: MACHINE for host in made.servers},
        folder=folder,
        until=until,
        patience=Clock().patience(),
        lets_in=lambda _: True,
    )


def small_design() -> Design:
    """Return a control plane and a server with a drive, behind a load balancer: each kind of thing."""
    whole = cloud_design("aws")
    names = ("cp-1", "storage-k", "lb-1")
    hosts = tuple(
        replace(host, drives=host.drives[:1]) if host.drives else host
        for host in whole.hosts
        if host.name in names
    )
    return replace(whole, hosts=hosts)


def made_names(world: World) -> dict[str, list[str]]:
    """Return the names of all that there is, by kind, as the account has it: what is dead is not there."""
    ec2, elb = world.ec2, world.elb

    def named(things: Iterable[Any]) -> list[str]:
        return sorted((one.get_tags() and _tag(one, "Name")) or one.id for one in things)

    own = {name for name, vpc in ec2.vpcs.items() if vpc.cidr_block != _DEFAULT_VPC}
    alive = [one for one in ec2.all_instances() if one.state != "terminated"]
    firewalls = [one for vpc in own for one in ec2.groups[vpc].values() if one.name != "default"]
    found = {
        "network": named(ec2.vpcs[name] for name in own),
        "subnet": named(one for one in ec2.describe_subnets() if one.vpc_id in own),
        "gateway": named(ec2.internet_gateways.values()),
        "firewall": named(firewalls),
        "key": sorted(ec2.key_pairs),
        "group": sorted(world.groups.groups),
        "server": named(alive),
        "volume": named(ec2.volumes.values()),
        "balancer": sorted(one.name for one in elb.load_balancers.values()),
        "targets": sorted(one.name for one in elb.target_groups.values()),
        "interface": sorted(one.description for one in ec2.enis.values() if one.instance is None),
        "address": sorted(one.public_ip for one in ec2.addresses),
        "snapshot": sorted(one.id for one in ec2.snapshots.values() if one.from_ami is None),
        "classic": sorted(world.classic.load_balancers),
    }
    return {kind: names for kind, names in found.items() if names}


def _tag(thing: Any, key: str) -> str:
    return next((str(one["value"]) for one in thing.get_tags() if one["key"] == key), "")


def controllers_make(world: World) -> None:
    """Be the cluster's controllers of a system: their load balancers, security group, volume and address.

    As cloud-provider-aws and the EBS CSI driver make them, with their tags and without ours.
    """
    api = api_of(world)
    cluster = [{"Key": "kubernetes.io/cluster/demo", "Value": "owned"}]
    vpc = next(one for one in world.ec2.vpcs.values() if _tag(one, "Name") == "demo").id
    subnet = next(one for one in world.ec2.describe_subnets() if one.vpc_id == vpc).id
    nodes = next(one for one in world.ec2.groups[vpc].values() if one.name == "demo").id
    server = min(one.id for one in world.ec2.all_instances() if one.state == "running")

    def ec2(operation: str, **asked: Any) -> Mapping[str, Any]:
        return api.call("ec2", operation, "the controller", **asked)

    group = ec2("create_security_group", GroupName="k8s-elb-1", Description="of a Service", VpcId=vpc)[
        "GroupId"
    ]
    ec2("create_tags", Resources=[group], Tags=cluster)
    for one, other in ((nodes, group), (group, nodes)):
        rule = {"IpProtocol": "-1", "UserIdGroupPairs": [{"GroupId": other}]}
        ec2("authorize_security_group_ingress", GroupId=one, IpPermissions=[rule])
    api.call(
        "elbv2",
        "create_load_balancer",
        "the controller",
        Name="a1b2",
        Type="network",
        Scheme="internet-facing",
        SubnetMappings=[{"SubnetId": subnet}],
        Tags=cluster,
    )
    api.call(
        "elb",
        "create_load_balancer",
        "the controller",
        LoadBalancerName="c3d4",
        Listeners=[{"Protocol": "TCP", "LoadBalancerPort": 443, "InstancePort": 31443}],
        Subnets=[subnet],
        SecurityGroups=[group],
        Tags=cluster,
    )
    tags = [
        *cluster,
        {"Key": "CSIVolumeName", "Value": "pvc-1"},
        {"Key": "Name", "Value": "demo-dynamic-pvc-1"},
    ]
    volume = ec2(
        "create_volume",
        AvailabilityZone="eu-central-1a",
        Size=10,
        TagSpecifications=[{"ResourceType": "volume", "Tags": tags}],
    )["VolumeId"]
    for _ in range(3):
        ec2("describe_volumes", VolumeIds=[volume])
    ec2("attach_volume", VolumeId=volume, InstanceId=server, Device="/dev/xvdaa")
    ec2("create_snapshot", VolumeId=volume, TagSpecifications=[{"ResourceType": "snapshot", "Tags": cluster}])
    ec2("allocate_address", Domain="vpc", TagSpecifications=[{"ResourceType": "elastic-ip", "Tags": cluster}])
    ec2("create_network_interface", SubnetId=subnet, Description="of a pod", Groups=[group])
