"""Removing one thing at AWS, in the order that EC2 accepts, until it is gone.

A network is the last: its subnets go, its gateway is let go of and goes, then the VPC. What still hangs in it
for a while, a load balancer's interfaces, is waited for; what will not go, somebody's server, is named.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from typing import Any

from rookery.clouds.aws.account import Account
from rookery.clouds.aws.api import GoneError, Thing
from rookery.clouds.aws.job import Waiting
from rookery.clouds.aws.seen import CLASSIC, Network, filters, link_of, server_made, state_of, tags_of
from rookery.clouds.cloud import SYSTEM, BusyError, CloudError, Made


class Remover:
    """Removes things of one account in one region."""

    def __init__(self, account: Account, waiting: Waiting) -> None:
        self._account = account
        self._waiting = waiting

    def remove(self, made: Made) -> None:
        """Remove a thing; one that is gone already is fine."""
        way = next(way for start, way in self._ways.items() if made.id.startswith(start))
        with contextlib.suppress(GoneError):
            way(made)

    @property
    def _ways(self) -> Mapping[str, Callable[[Made], None]]:
        """What is done with a thing, by what its id begins with; the last is a placement group of old."""
        return {
            "vpc-": self._network,
            "sg-": self._firewall,
            "key-": lambda made: self._ec2("delete_key_pair", made, KeyName=made.name),
            "pg-": self._group,
            "i-": self._server,
            "vol-": self._volume,
            "eipalloc-": self._address,
            "igw-": lambda made: self._gateway(made, made.id),
            "eni-": self._interface,
            "snap-": lambda made: self._ec2("delete_snapshot", made, SnapshotId=made.id),
            f"{CLASSIC}/": lambda made: self._elb(
                "elb", "delete_load_balancer", made, LoadBalancerName=made.id.partition("/")[2]
            ),
            "arn:": self._balancing,
            "": self._group,
        }

    def _ec2(self, operation: str, made: Made, **asked: Any) -> None:
        self._elb("ec2", operation, made, **asked)

    def _elb(self, service: str, operation: str, made: Made, **asked: Any) -> None:
        self._account.api.call(service, operation, f"{made.kind} {made.name}", **asked)

    def _server(self, made: Made) -> None:
        self._ec2("terminate_instances", made, InstanceIds=[made.id])

        def look() -> str:
            seen = self._account.each("instances", filters(instance_id=made.id))
            return state_of(seen[0]) if seen else ""

        self._waiting.until(f"{made.kind} {made.name}", look)

    def _volume(self, made: Made) -> None:
        """Delete a volume; one that is attached still is let go of before."""

        def look() -> str:
            seen = self._account.each("volumes", filters(volume_id=made.id))
            if not seen or seen[0]["State"] in ("available", "error"):
                return ""
            return str(seen[0]["State"])

        seen = self._account.each("volumes", filters(volume_id=made.id))
        if not seen:
            return
        link = link_of(seen[0])
        if link and link.get("State") == "attached":
            self._ec2("detach_volume", made, VolumeId=made.id)
        self._waiting.until(f"{made.kind} {made.name}", look)
        self._ec2("delete_volume", made, VolumeId=made.id)

    def _group(self, made: Made) -> None:
        self._ec2("delete_placement_group", made, GroupName=made.name)

    def _firewall(self, made: Made) -> None:
        """Delete a security group, after its own rules: groups that name each other hold each other."""
        seen = self._account.each("firewalls", filters(group_id=made.id))
        if not seen:
            return
        for key, operation in (
            ("IpPermissions", "revoke_security_group_ingress"),
            ("IpPermissionsEgress", "revoke_security_group_egress"),
        ):
            rules = [rule for rule in seen[0].get(key) or () if rule.get("UserIdGroupPairs")]
            if rules:
                self._ec2(
                    operation, made, GroupId=made.id, IpPermissions=[_references(rule) for rule in rules]
                )
        self._ec2("delete_security_group", made, GroupId=made.id)

    def _address(self, made: Made) -> None:
        seen = made.seen
        assert isinstance(seen, Mapping)
        if seen.get("AssociationId"):
            with contextlib.suppress(GoneError):
                self._ec2("disassociate_address", made, AssociationId=seen["AssociationId"])
        self._ec2("release_address", made, AllocationId=made.id)

    def _interface(self, made: Made) -> None:
        self._ec2("delete_network_interface", made, NetworkInterfaceId=made.id)

    def _balancing(self, made: Made) -> None:
        """Delete a load balancer, then the target groups that it led to, which nothing names any more."""
        if ":targetgroup/" in made.id:
            self._elb("elbv2", "delete_target_group", made, TargetGroupArn=made.id)
            return
        groups = self._account.api.pages(
            "elbv2", "describe_target_groups", "TargetGroups", made.name, LoadBalancerArn=made.id
        )
        arns = [str(one["TargetGroupArn"]) for one in groups]
        self._elb("elbv2", "delete_load_balancer", made, LoadBalancerArn=made.id)
        for arn in arns:
            with contextlib.suppress(GoneError):
                self._elb("elbv2", "delete_target_group", made, TargetGroupArn=arn)

    # --- The network

    def _network(self, made: Made) -> None:
        found = self._account.each("vpcs", filters(vpc_id=made.id))
        if not found:
            return
        network = self._account.network(found[0])
        self._let_go(network, made)
        for subnet in network.subnets:
            with contextlib.suppress(GoneError):
                self._ec2("delete_subnet", made, SubnetId=subnet["SubnetId"])
        for gateway in network.gateways:
            self._gateway(made, str(gateway["InternetGatewayId"]), network.id)
        for table in network.tables:
            if table is not network.main_table:
                with contextlib.suppress(GoneError):
                    self._ec2("delete_route_table", made, RouteTableId=table["RouteTableId"])
        self._ec2("delete_vpc", made, VpcId=network.id)

    def _gateway(self, made: Made, gateway: str, vpc: str = "") -> None:
        with contextlib.suppress(GoneError):
            if vpc:
                self._ec2("detach_internet_gateway", made, InternetGatewayId=gateway, VpcId=vpc)
        with contextlib.suppress(GoneError):
            self._ec2("delete_internet_gateway", made, InternetGatewayId=gateway)

    def _let_go(self, network: Network, made: Made) -> None:
        """Remove interfaces that nothing has; BusyError where some go by themselves, else CloudError."""
        hanging = self._account.each("interfaces", filters(vpc_id=network.id))
        if not hanging:
            return
        alive = [
            one
            for one in self._account.each("instances", filters(vpc_id=network.id))
            if state_of(one) != "shutting-down" and tags_of(one).get(SYSTEM) != made.system
        ]
        if alive:
            names = ", ".join(sorted(server_made(one).name for one in alive))
            raise CloudError(
                f"{made.name} is used by {names}", hint="Remove what is in it, then the same command again."
            )
        for one in hanging:
            self._free(one, made)

    def _free(self, interface: Thing, made: Made) -> None:
        name = str(interface["NetworkInterfaceId"])
        if interface.get("Status") != "available":
            why = str(interface.get("Description") or interface.get("Status") or "")
            raise BusyError(f"{made.name} still has the interface {name} ({why})")
        with contextlib.suppress(GoneError):
            self._ec2("delete_network_interface", made, NetworkInterfaceId=name)


def _references(rule: Thing) -> dict[str, Any]:
    """Return the part of a rule that names other security groups."""
    kept = {key: rule[key] for key in ("IpProtocol", "FromPort", "ToPort") if key in rule}
    pairs = [{"GroupId": one["GroupId"]} for one in rule["UserIdGroupPairs"]]
    return {**kept, "UserIdGroupPairs": pairs}
