"""Making a network at AWS, and what servers need besides.

A network is a VPC, its one subnet and a way out; then a security group, a key, a placement group.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping

from rookery.clouds.aws.account import Account
from rookery.clouds.aws.api import TakenError, Thing
from rookery.clouds.aws.asked import Rule, is_same_key, permissions, rules_asked, rules_seen, specified
from rookery.clouds.aws.job import Job, Making, Waiting
from rookery.clouds.aws.seen import Network, filters, is_attached
from rookery.clouds.aws.zones import Zones
from rookery.clouds.cloud import SYSTEM, BusyError, CloudError
from rookery.plan.resources import FirewallWish, KeyWish, NetworkWish

_OPEN = "0.0.0.0/0"


class NetworkMaker(Making):
    """Makes networks, and what servers need besides."""

    def __init__(self, account: Account, zones: Zones, waiting: Waiting) -> None:
        super().__init__(account, waiting)
        self._zones = zones

    def network(self, job: Job, wish: NetworkWish) -> Network:
        tags = job.tags(cluster=True)
        vpcs = self._account.each("vpcs", job.mine)
        vpc = (
            vpcs[0]
            if vpcs
            else self._ec2(
                "create_vpc", job, CidrBlock=wish.cidr, TagSpecifications=specified(("vpc",), tags)
            )["Vpc"]
        )
        network = self._account.network(vpc)
        if not any(one["CidrBlock"] == wish.cidr for one in network.subnets):
            self._ec2(
                "create_subnet",
                job,
                VpcId=network.id,
                CidrBlock=wish.cidr,
                AvailabilityZone=self._zones.zone(job.labels[SYSTEM]),
                TagSpecifications=specified(("subnet",), tags),
            )
        self._lead_out(job, network, tags)
        network = self._account.network(vpc)
        if lacks := network.lacks(wish.cidr):
            raise BusyError(f"{job.what} is {lacks}")
        return network

    def _lead_out(self, job: Job, network: Network, tags: list[dict[str, str]]) -> None:
        gateways = self._account.each("gateways", job.mine)
        gateway = (
            gateways[0]
            if gateways
            else self._ec2(
                "create_internet_gateway", job, TagSpecifications=specified(("internet-gateway",), tags)
            )["InternetGateway"]
        )
        gateway_id = str(gateway["InternetGatewayId"])
        if not is_attached(gateway, network.id):
            with contextlib.suppress(TakenError):
                self._ec2("attach_internet_gateway", job, InternetGatewayId=gateway_id, VpcId=network.id)
        if not network.leads_out(gateway_id):
            self._route(job, network, gateway_id)

    def _route(self, job: Job, network: Network, gateway: str) -> None:
        if network.main_table is None:
            raise BusyError(f"{job.what} has no route table yet")
        table = str(network.main_table["RouteTableId"])
        asked = {"RouteTableId": table, "DestinationCidrBlock": _OPEN, "GatewayId": gateway}
        try:
            self._ec2("create_route", job, **asked)
        except TakenError:
            self._ec2("replace_route", job, **asked)

    def firewall(self, job: Job, wish: FirewallWish) -> Thing:
        vpc = job.there[wish.network].id
        wanted = filters(vpc_id=vpc, group_name=job.name)
        found = self._account.each("firewalls", wanted)
        if not found:
            with contextlib.suppress(TakenError):
                self._ec2(
                    "create_security_group",
                    job,
                    GroupName=job.name,
                    Description=f"Servers of {job.labels[SYSTEM]}",
                    VpcId=vpc,
                    TagSpecifications=specified(("security-group",), job.tags(cluster=True)),
                )
            found = self._account.each("firewalls", wanted)
        if not found:
            raise BusyError(f"{job.what} is not to be seen yet")
        job.check_owner(found[0])
        self._let_in(job, found[0], rules_asked(wish, str(job.network(wish.network).vpc["CidrBlock"])))
        return self._account.each("firewalls", wanted)[0]

    def _let_in(self, job: Job, group: Thing, asked: Mapping[Rule, str]) -> None:
        seen = rules_seen(group)
        missing = {rule: why for rule, why in asked.items() if rule not in seen}
        if missing:
            with contextlib.suppress(TakenError):
                self._ec2(
                    "authorize_security_group_ingress",
                    job,
                    GroupId=group["GroupId"],
                    IpPermissions=permissions(missing),
                )
        surplus = dict.fromkeys(sorted(seen - set(asked)), "")
        if surplus:
            self._ec2(
                "revoke_security_group_ingress",
                job,
                GroupId=group["GroupId"],
                IpPermissions=permissions(surplus),
            )

    def key(self, job: Job, wish: KeyWish) -> Thing:
        wanted = filters(key_name=job.name)
        found = self._account.each("keys", wanted)
        if not found:
            with contextlib.suppress(TakenError):
                self._ec2(
                    "import_key_pair",
                    job,
                    KeyName=job.name,
                    PublicKeyMaterial=wish.public.encode(),
                    TagSpecifications=specified(("key-pair",), job.tags()),
                )
            found = self._account.each("keys", wanted)
        if not found:
            raise BusyError(f"{job.what} is not to be seen yet")
        job.check_owner(found[0])
        if not is_same_key(found[0], wish):
            raise other_key(job.name)
        return found[0]

    def group(self, job: Job) -> Thing:
        wanted = filters(group_name=job.name)

        def look() -> str:
            found[:] = self._account.each("groups", wanted)
            state = str(found[0].get("State", "")) if found else "not to be seen"
            return "" if state == "available" else state

        found: list[Thing] = []
        if look():
            with contextlib.suppress(TakenError):
                self._ec2(
                    "create_placement_group",
                    job,
                    GroupName=job.name,
                    Strategy="spread",
                    TagSpecifications=specified(("placement-group",), job.tags()),
                )
            self._waiting.until(job.what, look)
        job.check_owner(found[0])
        return found[0]


def other_key(name: str) -> CloudError:
    """Return the error for a key of the account that opens its servers to another machine only."""
    return CloudError(
        f"the SSH key {name} in the account is another machine's: this one cannot log in where it is",
        hint="Work from the machine that made the system, or remove it (`rookery down`) and make it anew.",
    )
