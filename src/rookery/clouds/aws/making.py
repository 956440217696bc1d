"""Making one thing at AWS, or finishing what is there of it.

Each part begins with a look for what has the name and the system's label, so it is the same after a kill,
after a lost answer, and at first. AWS shows what was made some seconds late: an instance and a volume have a
client token besides, a subnet, a security group, a key and a load balancer are refused or given back the
second time.
"""

from __future__ import annotations

from rookery.clouds.aws.account import Account
from rookery.clouds.aws.api import GoneError
from rookery.clouds.aws.balancers import BalancerMaker
from rookery.clouds.aws.images import Images
from rookery.clouds.aws.job import Job, Waiting
from rookery.clouds.aws.networks import NetworkMaker
from rookery.clouds.aws.seen import (
    balancer_made,
    firewall_made,
    group_made,
    key_made,
    network_made,
    server_made,
    volume_made,
)
from rookery.clouds.aws.servers import ServerMaker
from rookery.clouds.aws.zones import Zones
from rookery.clouds.cloud import BusyError, Labels, Made, There
from rookery.plan.resources import (
    AttachmentWish,
    BalancerWish,
    FirewallWish,
    KeyWish,
    NetworkWish,
    Resource,
    ServerWish,
    TargetWish,
    VolumeWish,
)


class Maker:
    """Makes things of one account in one region."""

    def __init__(self, account: Account, zones: Zones, images: Images, waiting: Waiting) -> None:
        self._networks = NetworkMaker(account, zones, waiting)
        self._servers = ServerMaker(account, zones, images, waiting)
        self._balancers = BalancerMaker(account, waiting)

    def make(self, resource: Resource, labels: Labels, there: There) -> Made:
        """Return the one thing that is asked for, whole."""
        job = Job(resource=resource, labels=labels, there=there)
        try:
            return self._make(job)
        except GoneError as error:
            # What it builds on was just made, and not every part of AWS knows of it yet.
            raise BusyError(error.what) from None

    def _make(self, job: Job) -> Made:
        match job.resource.wish:
            case AttachmentWish() as wish:
                return self._servers.attach(job, wish)
            case ServerWish() as wish:
                return server_made(self._servers.server(job, wish))
            case VolumeWish() as wish:
                return volume_made(self._servers.volume(job, wish), {})
            case BalancerWish() as wish:
                return balancer_made(self._balancers.balancer(job, wish))
            case TargetWish() as wish:
                return self._balancers.target(job, wish)
            case _:
                return self._before_servers(job)

    def _before_servers(self, job: Job) -> Made:
        match job.resource.wish:
            case NetworkWish() as wish:
                return network_made(self._networks.network(job, wish))
            case FirewallWish() as wish:
                return firewall_made(self._networks.firewall(job, wish))
            case KeyWish() as wish:
                return key_made(self._networks.key(job, wish))
            case _:
                return group_made(self._networks.group(job))
