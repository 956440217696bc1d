"""The image of the servers: Canonical's newest of Ubuntu 22.04, for each architecture.

Canonical publishes its number as a public parameter (documentation.ubuntu.com/aws, find Ubuntu images); where
that may not be read, its own images are listed, by the account that they belong to.
"""

from __future__ import annotations

import contextlib
import threading
from dataclasses import dataclass

from rookery.clouds.aws.account import Account
from rookery.clouds.aws.api import GoneError, Thing
from rookery.clouds.aws.seen import filters
from rookery.clouds.cloud import CloudError, TokenError

_PARAMETER = "/aws/service/canonical/ubuntu/server/22.04/stable/current/{}/hvm/ebs-gp2/ami-id"
_CANONICAL = "099720109477"
_NAMES = "ubuntu/images/hvm-ssd*/ubuntu-jammy-22.04-{}-server-*"
_ARCHITECTURES = {"x86_64": "amd64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Image:
    """An image, the device of its root and that one's least size in GiB."""

    id: str
    device: str
    size: int


class Images:
    """Finds images, once for each architecture."""

    def __init__(self, account: Account) -> None:
        self._account = account
        self._images: dict[str, Image] = {}
        self._types: dict[str, Thing] = {}
        self._lock = threading.Lock()

    def image(self, machine: str) -> Image:
        """Return the image for a machine type."""
        architecture = self.architecture(machine)
        with self._lock:
            if architecture not in self._images:
                self._images[architecture] = self._found(architecture)
            return self._images[architecture]

    def architecture(self, machine: str) -> str:
        known = self.machine(machine)["ProcessorInfo"]["SupportedArchitectures"]
        return next((one for one in _ARCHITECTURES if one in known), "x86_64")

    def machine(self, name: str) -> Thing:
        """Return what AWS says of a machine type; CloudError where it has none."""
        with self._lock:
            if name not in self._types:
                answer = self._account.api.call(
                    "ec2", "describe_instance_types", f"machine type {name}", InstanceTypes=[name]
                )
                self._types[name] = answer["InstanceTypes"][0]
            return self._types[name]

    def _found(self, architecture: str) -> Image:
        name = _ARCHITECTURES[architecture]
        known = self._published(name)
        images = self._listed({"ImageIds": [known]}) if known else []
        images = images or self._listed(
            {
                "Owners": [_CANONICAL],
                "Filters": filters(name=_NAMES.format(name), architecture=architecture, state="available"),
            }
        )
        if not images:
            raise CloudError(f"{self._account.api.region} has no image of Ubuntu 22.04 for {architecture}")
        newest = max(images, key=lambda one: str(one.get("CreationDate", "")))
        device = str(newest.get("RootDeviceName") or "/dev/sda1")
        disks = [one for one in newest.get("BlockDeviceMappings") or () if one.get("DeviceName") == device]
        size = int((disks[0].get("Ebs") or {}).get("VolumeSize") or 0) if disks else 0
        return Image(id=str(newest["ImageId"]), device=device, size=size)

    def _published(self, architecture: str) -> str:
        name = _PARAMETER.format(architecture)
        with contextlib.suppress(GoneError, TokenError, CloudError):
            answer = self._account.api.call("ssm", "get_parameter", "the number of Ubuntu's image", Name=name)
            return str(answer["Parameter"]["Value"])
        return ""

    def _listed(self, asked: dict[str, object]) -> list[Thing]:
        with contextlib.suppress(GoneError):
            return list(
                self._account.api.pages("ec2", "describe_images", "Images", "the list of images", **asked)
            )
        return []
