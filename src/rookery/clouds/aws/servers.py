"""Making servers and volumes at AWS, and attaching one to the other."""

from __future__ import annotations

from typing import Any

from rookery.clouds.aws.account import Account
from rookery.clouds.aws.api import TakenError, Thing
from rookery.clouds.aws.asked import VOLUME_TYPE, client_token, device_of, size_asked, specified
from rookery.clouds.aws.images import Images
from rookery.clouds.aws.job import Job, Making, Tokens, Waiting
from rookery.clouds.aws.seen import attachment_made, filters, link_of, state_of
from rookery.clouds.aws.zones import Zones
from rookery.clouds.cloud import SYSTEM, BusyError, CloudError, Made, UnsureError
from rookery.plan.resources import AttachmentWish, ServerWish, VolumeWish

_DEAD = ("shutting-down", "terminated")
_MOST_TOKENS = 20


class ServerMaker(Making):
    """Makes servers and volumes."""

    def __init__(self, account: Account, zones: Zones, images: Images, waiting: Waiting) -> None:
        super().__init__(account, waiting)
        self._zones = zones
        self._images = images
        self._tokens = Tokens()

    def server(self, job: Job, wish: ServerWish) -> Thing:
        found = self._account.each("instances", job.mine)
        alive = [one for one in found if state_of(one) not in _DEAD]
        if not alive and found:
            raise BusyError(f"{job.what} is {state_of(found[0])}")
        instance = min(alive, key=lambda one: str(one["LaunchTime"])) if alive else self._run(job, wish)
        return self._running(job, str(instance["InstanceId"]))

    def _run(self, job: Job, wish: ServerWish) -> Thing:
        """Have an instance made. A token that stands for a dead one is passed over."""
        asked = self._asked(job, wish)
        for number in range(_MOST_TOKENS):
            token = client_token(asked, number)
            try:
                instance: Thing = self._ec2("run_instances", job, **asked, ClientToken=token)["Instances"][0]
            except TakenError as error:
                raise UnsureError(error.what) from None
            if state_of(instance) not in _DEAD:
                return instance
        raise CloudError(f"{job.what} was made {_MOST_TOKENS} times and is gone each time")

    def _asked(self, job: Job, wish: ServerWish) -> dict[str, Any]:
        network = job.network(wish.network)
        image = self._images.image(wish.machine)
        placement = {"Placement": {"GroupName": job.there[wish.group].name}} if wish.group else {}
        interface = {
            "DeviceIndex": 0,
            "SubnetId": str(network.subnets[0]["SubnetId"]),
            "PrivateIpAddress": wish.address,
            "Groups": [job.there[wish.firewall].id],
            "AssociatePublicIpAddress": True,
            "DeleteOnTermination": True,
        }
        disk = {
            "VolumeSize": max(image.size, size_asked(VolumeWish(size=wish.disk, device_class="ssd"))),
            "VolumeType": VOLUME_TYPE,
            "DeleteOnTermination": True,
        }
        return {
            "ImageId": image.id,
            "InstanceType": wish.machine,
            "MinCount": 1,
            "MaxCount": 1,
            "KeyName": job.there[wish.key].name,
            "NetworkInterfaces": [interface],
            "BlockDeviceMappings": [{"DeviceName": image.device, "Ebs": disk}],
            "UserData": wish.user_data,
            # Pods are one hop further away than their server.
            "MetadataOptions": {"HttpTokens": "required", "HttpPutResponseHopLimit": 2},
            "TagSpecifications": [
                *specified(("instance",), job.tags(cluster=True)),
                *specified(("volume",), job.tags()),
            ],
            **placement,
        }

    def _running(self, job: Job, instance_id: str) -> Thing:
        """Return an instance once it runs, started where it is off."""
        seen: list[Thing] = []

        def look() -> str:
            seen[:] = self._account.each("instances", filters(instance_id=instance_id))
            state = state_of(seen[0]) if seen else "not to be seen"
            if state in _DEAD:
                raise BusyError(f"{job.what} is {state}")
            if state == "stopped":
                self._ec2("start_instances", job, InstanceIds=[instance_id])
            return "" if state == "running" else state

        self._waiting.until(job.what, look)
        return seen[0]

    # --- Volumes

    def volume(self, job: Job, wish: VolumeWish) -> Thing:
        found = self._account.each(
            "volumes", [*job.mine, *filters(status=("creating", "available", "in-use"))]
        )
        volume = found[0] if found else self._new_volume(job, wish)
        volume = self._settled(job, str(volume["VolumeId"]))
        self._tokens.forget(job.resource.id)
        return volume

    def _new_volume(self, job: Job, wish: VolumeWish) -> Thing:
        return self._ec2(
            "create_volume",
            job,
            AvailabilityZone=self._zones.zone(job.labels[SYSTEM]),
            Size=size_asked(wish),
            VolumeType=VOLUME_TYPE,
            ClientToken=self._tokens.of(job.resource.id),
            TagSpecifications=specified(("volume",), job.tags()),
        )

    def _settled(self, job: Job, volume_id: str) -> Thing:
        """Return a volume once it is made, and where it is attached, once that is done."""
        seen: list[Thing] = []

        def look() -> str:
            seen[:] = self._account.each("volumes", filters(volume_id=volume_id))
            if not seen:
                return "not to be seen"
            if seen[0]["State"] == "creating":
                return "creating"
            link = str(link_of(seen[0]).get("State") or "attached")
            return "" if link == "attached" else link

        self._waiting.until(job.what, look)
        return seen[0]

    def attach(self, job: Job, wish: AttachmentWish) -> Made:
        server, volume_id = job.there[wish.server], job.there[wish.volume].id
        volume = self._settled(job, volume_id)
        if not link_of(volume):
            self._ec2(
                "attach_volume", job, VolumeId=volume_id, InstanceId=server.id, Device=device_of(wish.drive)
            )
            volume = self._settled(job, volume_id)
        if link_of(volume).get("InstanceId") != server.id:
            raise BusyError(f"{job.what} is attached to {link_of(volume).get('InstanceId', 'nothing')}")
        return attachment_made(volume, server.name)
