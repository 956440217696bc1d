"""What is left of a system at AWS: by its label, by name, and by what hangs on its network and its servers.

A tag `Name` is nobody's own: others' things may be called alike. So only what AWS itself knows by its name is
looked for by name, and what has no label counts where it is in the system's own network or bears the tag of
the cluster's controllers.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rookery.clouds.aws.account import Account, Lists
from rookery.clouds.aws.seen import (
    CONTROLLER,
    address_made,
    balancer_made,
    batched,
    classic_made,
    cluster_tag,
    filters,
    firewall_made,
    group_made,
    key_made,
    link_of,
    other_made,
    tags_of,
    target_group_made,
    volume_made,
)
from rookery.clouds.cloud import SYSTEM, Made
from rookery.plan.resources import Kind


def left_of(account: Account, system: str, names: frozenset[str]) -> tuple[Made, ...]:
    """Return all that is left of a system."""
    lists = account.lists(system)
    looker = _Looker(account, lists, system)
    found: dict[tuple[Kind, str, str], Made] = {}
    for one in (*lists.all(), *looker.by_name(names), *looker.hanging(), *looker.of_controllers()):
        other = one.system and one.system != system
        # Of what was seen twice, what is known by its label has more to say.
        if not other:
            found.setdefault((one.kind, one.id, one.name if one.kind is Kind.TARGET else ""), one)
    return tuple(found.values())


class _Looker:
    def __init__(self, account: Account, lists: Lists, system: str) -> None:
        self._account = account
        self._lists = lists
        self._system = system
        self._networks = frozenset(network.id for network in lists.networks)

    def by_name(self, names: frozenset[str]) -> Iterator[Made]:
        """Yield what has one of these names, where AWS has no second one of that name, and no label."""
        for key in self._account.each("keys"):
            if key["KeyName"] in names and SYSTEM not in tags_of(key):
                yield key_made(key)
        for group in self._account.each("groups"):
            if group["GroupName"] in names and SYSTEM not in tags_of(group):
                yield group_made(group)

    def hanging(self) -> Iterator[Made]:
        """Yield what is in the system's network, whoever made it: nobody else has any business there."""
        yield from self._balancers()
        for network in sorted(self._networks):
            inside = filters(vpc_id=network)
            for group in self._account.each("firewalls", inside):
                if group["GroupName"] != "default":
                    yield _by(firewall_made(group))
            for interface in self._account.each("interfaces", [*inside, *filters(status="available")]):
                yield _by(
                    other_made(interface, "NetworkInterfaceId", name=str(interface.get("Description") or ""))
                )
        yield from self._on_servers()

    def _on_servers(self) -> Iterator[Made]:
        """Yield volumes and addresses that the system's servers have."""
        names = self._lists.servers
        if not names:
            return
        for some in batched(list(names)):
            for volume in self._account.each("volumes", filters(**{"attachment.instance-id": some})):
                if (link := link_of(volume)) and not link.get("DeleteOnTermination"):
                    yield _by(volume_made(volume, names))
            for address in self._account.each("addresses", filters(instance_id=some)):
                yield address_made(address, names)

    def _balancers(self) -> Iterator[Made]:
        api = self._account.api
        what = "the list of load balancers"
        seen = [
            one
            for one in api.pages("elbv2", "describe_load_balancers", "LoadBalancers", what)
            if one.get("VpcId") in self._networks
        ]
        tags = self._account.tags([str(one["LoadBalancerArn"]) for one in seen])
        for one in seen:
            arn = str(one["LoadBalancerArn"])
            yield _by(balancer_made(self._account.whole(one, tags.get(arn, {}), ())))
        groups = {
            str(one["TargetGroupArn"]): one
            for one in api.pages("elbv2", "describe_target_groups", "TargetGroups", what)
            if one.get("VpcId") in self._networks and not one.get("LoadBalancerArns")
        }
        for arn, found in self._account.tags(list(groups)).items():
            yield _by(target_group_made(groups[arn], found))
        yield from self._classic()

    def _classic(self) -> Iterator[Made]:
        api = self._account.api
        what = "the list of classic load balancers"
        for one in api.pages("elb", "describe_load_balancers", "LoadBalancerDescriptions", what):
            name = str(one["LoadBalancerName"])
            answer = api.call("elb", "describe_tags", what, LoadBalancerNames=[name])
            tags = {
                key: value for found in answer["TagDescriptions"] for key, value in tags_of(found).items()
            }
            if one.get("VPCId") in self._networks or tags.get(SYSTEM) == self._system:
                yield classic_made(one, tags)

    def of_controllers(self) -> Iterator[Made]:
        """Yield what bears the tag that the cluster's controllers mark their own things with."""
        marked = [{"Name": "tag-key", "Values": [cluster_tag(self._system)]}]
        names = self._lists.servers
        for volume in self._account.each("volumes", marked):
            yield _by(volume_made(volume, names))
        for address in self._account.each("addresses", marked):
            yield _by(address_made(address, names))
        for snapshot in self._account.each("snapshots", marked, OwnerIds=["self"]):
            yield _by(other_made(snapshot, "SnapshotId", state=str(snapshot.get("State", ""))))


def _by(made: Made) -> Made:
    """Return a thing that a controller made as its; what has the system's label is the system's."""
    return made if made.system or made.maker else replace(made, maker=CONTROLLER)
