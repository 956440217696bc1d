"""What AWS refuses and moto lets pass: a row for each action, with where AWS says so.

Codes: docs.aws.amazon.com/AWSEC2/latest/APIReference/errors-overview.html, and each action's own page there
(`API_NAME.html`), of which the sentences in quotes are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.kit.strict_aws.asked import Asked, RefusalError
from tests.kit.strict_aws.placement import PlacementGroups

Check = Callable[[Any, Asked, PlacementGroups], None]
_DEAD = ("shutting-down", "terminated")


def interfaces(ec2: Any, vpc: str) -> Iterator[Any]:
    return (one for one in ec2.enis.values() if one.subnet.vpc_id == vpc)


def instance(ec2: Any, name: str) -> Any:
    return next((one for one in ec2.all_instances() if one.id == name), None)


def hangs(what: str) -> RefusalError:
    return RefusalError("DependencyViolation", f"{what} has dependencies and cannot be deleted.")


def run_instances(ec2: Any, asked: Asked, groups: PlacementGroups) -> None:
    """Of several pages: RunInstances, errors-overview, and moto's own lists of types and images."""
    least, most = int(asked.get("MinCount", "1")), int(asked.get("MaxCount", "1"))
    if least > most or least < 1:
        raise RefusalError("InvalidParameterValue", f"Value ({least}) for parameter minCount is invalid.")
    _check_type(asked.get("InstanceType"))
    if asked.get("ImageId") not in ec2.amis:
        raise RefusalError("InvalidAMIID.NotFound", f"The image id '[{asked.get('ImageId')}]' does not exist")
    key = asked.get("KeyName")
    if key and key not in ec2.key_pairs:
        raise RefusalError("InvalidKeyPair.NotFound", f"The key pair '{key}' does not exist")
    _check_interface(ec2, asked)
    if name := asked.get("Placement.GroupName"):
        groups.check_room(name, most)


def _check_type(name: str) -> None:
    from moto.ec2.models.instance_types import INSTANCE_TYPES

    if name not in INSTANCE_TYPES:
        raise RefusalError(
            "InvalidInstanceType", f"The following supplied instance types do not exist: [{name}]"
        )


def _check_interface(ec2: Any, asked: Asked) -> None:
    for group in asked.many("NetworkInterface.1.SecurityGroupId"):
        if ec2.get_security_group_from_id(group) is None:
            raise RefusalError("InvalidGroup.NotFound", f"The security group '{group}' does not exist")
    address, subnet = (
        asked.get("NetworkInterface.1.PrivateIpAddress"),
        asked.get("NetworkInterface.1.SubnetId"),
    )
    if address and any(
        one.subnet.id == subnet and one.private_ip_address == address for one in ec2.enis.values()
    ):
        raise RefusalError("InvalidIPAddress.InUse", f"Address {address} is in use.")


def delete_security_group(ec2: Any, asked: Asked, groups: PlacementGroups) -> None:
    """'If you attempt to delete a security group that is associated with an instance or network interface,
    or is referenced by another security group in the same VPC, the operation fails with
    DependencyViolation.'"""
    name = asked.get("GroupId")
    used = any(name in [group.id for group in one.group_set] for one in ec2.enis.values())
    others = (one for inside in ec2.groups.values() for one in inside.values() if one.id != name)
    named = any(
        rule.source_group.get("GroupId") == name
        for one in others
        for rule in (*one.ingress_rules, *one.egress_rules)
    )
    if used or named:
        raise RefusalError("DependencyViolation", f"resource {name} has a dependent object")


def delete_subnet(ec2: Any, asked: Asked, groups: PlacementGroups) -> None:
    """'You must terminate all running instances in the subnet before you can delete the subnet.'"""
    name = asked.get("SubnetId")
    if any(one.subnet.id == name for one in ec2.enis.values()):
        raise hangs(f"The subnet '{name}'")


def delete_vpc(ec2: Any, asked: Asked, groups: PlacementGroups) -> None:
    """'You must detach or delete all gateways and resources that are associated with the VPC before you can
    delete it', security groups but the default one among them."""
    name = asked.get("VpcId")
    gateways = any(one.vpc is not None and one.vpc.id == name for one in ec2.internet_gateways.values())
    firewalls = any(one.name != "default" for one in ec2.groups[name].values())
    subnets = bool(ec2.describe_subnets(filters={"vpc-id": name}))
    if gateways or firewalls or subnets or any(interfaces(ec2, name)):
        raise hangs(f"The vpc '{name}'")


def detach_internet_gateway(ec2: Any, asked: Asked, groups: PlacementGroups) -> None:
    """'The VPC must not contain any running instances with Elastic IP addresses or public IPv4 addresses.'"""
    name = asked.get("VpcId")
    if any(one.public_ip for one in interfaces(ec2, name)):
        raise RefusalError(
            "DependencyViolation",
            f"Network {name} has some mapped public address(es). Please unmap those public address(es) before"
            " detaching the gateway.",
        )


def delete_network_interface(ec2: Any, asked: Asked, groups: PlacementGroups) -> None:
    """'You must detach the network interface before you can delete it.'"""
    found = ec2.enis.get(asked.get("NetworkInterfaceId"))
    if found is not None and found.status != "available":
        raise RefusalError(
            "InvalidNetworkInterface.InUse", f"Network interface '{found.id}' is currently in use."
        )


def attach_volume(ec2: Any, asked: Asked, groups: PlacementGroups) -> None:
    """ebs/latest/userguide/ebs-attaching-volume.html: the volume `available`, the instance `running` or
    `stopped`, both in one zone, and a device name that is free."""
    volume, server = ec2.volumes.get(asked.get("VolumeId")), instance(ec2, asked.get("InstanceId"))
    if volume is None or server is None:
        return
    if volume.attachment is not None:
        raise RefusalError("VolumeInUse", f"{volume.id} is already attached to an instance")
    if volume.status != "available":
        raise RefusalError("IncorrectState", f"Volume '{volume.id}' is not 'available'.")
    if server.state not in ("running", "stopped"):
        raise RefusalError("IncorrectState", f"Instance '{server.id}' is not 'running'.")
    if volume.availability_zone != server.availability_zone:
        raise RefusalError("InvalidVolume.ZoneMismatch", "The volume is not in the same zone as the instance")
    if asked.get("Device") in server.block_device_mapping:
        raise RefusalError(
            "InvalidParameterValue", f"Attachment point {asked.get('Device')} is already in use"
        )


def delete_volume(ec2: Any, asked: Asked, groups: PlacementGroups) -> None:
    """'The volume must be in the available state (not attached to an instance).'"""
    volume = ec2.volumes.get(asked.get("VolumeId"))
    if volume is not None and volume.attachment is not None:
        raise RefusalError("VolumeInUse", f"Volume {volume.id} is currently attached")
    if volume is not None and volume.status != "available":
        raise RefusalError("IncorrectState", f"Volume '{volume.id}' is not 'available'.")


CHECKS: Mapping[str, Check] = {
    "RunInstances": run_instances,
    "DeleteSecurityGroup": delete_security_group,
    "DeleteSubnet": delete_subnet,
    "DeleteVpc": delete_vpc,
    "DetachInternetGateway": detach_internet_gateway,
    "DeleteNetworkInterface": delete_network_interface,
    "AttachVolume": attach_volume,
    "DeleteVolume": delete_volume,
}
