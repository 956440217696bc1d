"""What Hetzner's answers say of things, as values that all clouds share."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from rookery.clouds.cloud import SYSTEM, UNTIL, Made
from rookery.plan.resources import Kind
from rookery.units import GB

PATHS: Mapping[Kind, str] = {
    Kind.NETWORK: "networks",
    Kind.FIREWALL: "firewalls",
    Kind.KEY: "ssh_keys",
    Kind.GROUP: "placement_groups",
    Kind.SERVER: "servers",
    Kind.VOLUME: "volumes",
    Kind.BALANCER: "load_balancers",
    Kind.ADDRESS: "primary_ips",
    Kind.OTHER: "floating_ips",
}
"""What the API calls each kind; a floating IP is nothing that a design asks for."""

CCM, CSI = "hcloud-cloud-controller-manager", "csi-driver"
_CCM_LABEL, _CSI_LABEL = "hcloud-ccm/", "managed-by"

Thing = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Lists:
    """What an account has, by kind, as the API tells it."""

    things: Mapping[Kind, Sequence[Thing]]

    def of(self, kind: Kind) -> Sequence[Thing]:
        return self.things.get(kind, ())

    def server(self, number: int) -> str:
        """Return a server's name; its number where it is not among these."""
        names = (str(one["name"]) for one in self.of(Kind.SERVER) if one["id"] == number)
        return next(names, str(number))

    def all(self) -> Iterator[Made]:
        """Yield everything, attachments and targets beside what they are of."""
        for kind, things in self.things.items():
            for one in things:
                yield from made_of(kind, one, self.server)


def made_of(kind: Kind, thing: Thing, server: Any = str) -> Iterator[Made]:
    """Yield one thing as a value, and what it has beside; `server` gives a server's name by its number."""
    labels = thing.get("labels") or {}
    yield Made(
        kind=kind,
        id=str(thing["id"]),
        name=str(thing.get("name") or thing["id"]),
        system=labels.get(SYSTEM, ""),
        until=labels.get(UNTIL, ""),
        maker=_maker(labels),
        since=_since(thing.get("created")),
        product=_product(kind, thing),
        size=int(thing.get("size") or 0) * GB if kind is Kind.VOLUME else 0,
        public=_public(kind, thing),
        private=_private(thing),
        state=str(thing.get("status") or ""),
        on=_holder(kind, thing, server),
        node_id=f"hcloud://{thing['id']}" if kind is Kind.SERVER else "",
        seen=thing,
    )
    if kind is Kind.VOLUME and thing.get("server"):
        yield attachment_of(thing, server(thing["server"]))
    if kind is Kind.BALANCER:
        for target in thing.get("targets") or ():
            if target.get("server"):
                yield target_of(thing, server(target["server"]["id"]))


def attachment_of(volume: Thing, server: str) -> Made:
    """Return a volume's attachment to a server, which has its path there by the volume's number."""
    return Made(
        kind=Kind.ATTACHMENT,
        id=str(volume["id"]),
        name=str(volume["name"]),
        system=(volume.get("labels") or {}).get(SYSTEM, ""),
        on=server,
        device=f"/dev/disk/by-id/scsi-0HC_Volume_{volume['id']}",
        seen=volume,
    )


def target_of(balancer: Thing, server: str) -> Made:
    """Return a server behind a load balancer."""
    return Made(
        kind=Kind.TARGET,
        id=str(balancer["id"]),
        name=server,
        system=(balancer.get("labels") or {}).get(SYSTEM, ""),
        on=str(balancer["name"]),
        seen=balancer,
    )


def networks_of(thing: Thing) -> frozenset[int]:
    """Return the numbers of the networks that a server or a load balancer is in."""
    return frozenset(int(one["network"]) for one in thing.get("private_net") or () if one.get("network"))


def _maker(labels: Mapping[str, str]) -> str:
    if any(name.startswith(_CCM_LABEL) for name in labels):
        return CCM
    return CSI if labels.get(_CSI_LABEL) == CSI else ""


def _since(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None


def _product(kind: Kind, thing: Thing) -> str:
    if kind is Kind.SERVER:
        return str((thing.get("server_type") or {}).get("name", ""))
    if kind is Kind.BALANCER:
        return str((thing.get("load_balancer_type") or {}).get("name", ""))
    if kind is Kind.VOLUME:
        return "volume"
    return "primary IPv4" if kind is Kind.ADDRESS and thing.get("type") == "ipv4" else ""


def _public(kind: Kind, thing: Thing) -> str:
    if kind in (Kind.ADDRESS, Kind.OTHER):
        return str(thing.get("ip") or "")
    net = thing.get("public_net") or {}
    return str((net.get("ipv4") or {}).get("ip") or "")


def _private(thing: Thing) -> str:
    return next((str(one["ip"]) for one in thing.get("private_net") or () if one.get("ip")), "")


def _holder(kind: Kind, thing: Thing, server: Any) -> str:
    if kind is Kind.VOLUME:
        return str(server(thing["server"])) if thing.get("server") else ""
    if kind is Kind.ADDRESS and thing.get("assignee_type") == "server" and thing.get("assignee_id"):
        return str(server(thing["assignee_id"]))
    return ""
