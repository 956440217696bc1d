"""Making one thing at Hetzner, or finishing what is there of it.

Each part of it begins with what is there, so it is the same after a kill, after a lost answer, and at first.
"""

from __future__ import annotations

import threading
from typing import Any

from rookery.clouds.cloud import SYSTEM, BusyError, CloudError, Labels, Made, There, UnsureError
from rookery.clouds.hetzner.account import Account, GoneError, TakenError
from rookery.clouds.hetzner.asked import (
    asked_rules,
    asked_service,
    asked_size,
    asked_subnet,
    has_subnet,
    is_same_key,
    missing_services,
    rules_in_short,
)
from rookery.clouds.hetzner.seen import PATHS, Thing, attachment_of, made_of, networks_of, target_of
from rookery.plan.resources import (
    AttachmentWish,
    BalancerWish,
    FirewallWish,
    GroupWish,
    KeyWish,
    Kind,
    NetworkWish,
    Resource,
    ServerWish,
    TargetWish,
    VolumeWish,
)

BALANCER_TYPE = "lb11"
_SETTLED = ("running", "off")


class Maker:
    """Makes things of one project, at one place of it."""

    def __init__(self, account: Account, *, place: str, zone: str, image: str) -> None:
        self._account = account
        self._place = place
        self._zone = zone
        self._image = image
        self._lock = threading.Lock()
        self._alone: dict[str, threading.Lock] = {}

    def _in_turn(self, made: Made) -> threading.Lock:
        """Return the lock of one server or load balancer: Hetzner does one thing at a time with each, and
        refuses whoever comes meanwhile."""
        with self._lock:
            return self._alone.setdefault(f"{made.kind}:{made.id}", threading.Lock())

    def make(self, resource: Resource, labels: Labels, there: There) -> Made:
        """Return the one thing that is asked for, whole."""
        wish = resource.wish
        if isinstance(wish, AttachmentWish):
            volume, server = there[wish.volume], there[wish.server]
            with self._in_turn(server):
                return self._attach(volume, server)
        if isinstance(wish, TargetWish):
            balancer, server = there[wish.balancer], there[wish.server]
            with self._in_turn(balancer):
                return self._target(balancer, server)
        thing = self._ensure(resource, labels, there)
        return next(made_of(resource.kind, self._finished(resource, thing, there)))

    def _ensure(self, resource: Resource, labels: Labels, there: There) -> Thing:
        """Return a thing that is there, or make it: whatever was made of it before is found by its name."""
        seen = there.get(resource.id)
        if seen is not None and (thing := self._read(resource.kind, seen.id)) is not None:
            return thing
        what = f"{resource.kind} {resource.name}"
        path = PATHS[resource.kind]
        body = {"name": resource.name, "labels": dict(labels), **self._body(resource, there)}
        try:
            answer = self._account.call("POST", f"/{path}", what, json=body)
        except TakenError as error:
            return self._taken(resource, labels, error)
        made = answer[path.removesuffix("s")]
        self._account.finish(answer, what)
        return self._read(resource.kind, str(made["id"])) or made

    def _taken(self, resource: Resource, labels: Labels, error: TakenError) -> Thing:
        """Return what has the name already, if it is the system's own."""
        thing = self._account.named(PATHS[resource.kind], resource.name)
        if thing is None:
            # A key is known by what it is, too; a thing may be just going.
            if resource.kind is Kind.KEY:
                raise CloudError(
                    f"{resource.kind} {resource.name}: the account has this very key under another name",
                    hint="Remove it there: Hetzner Console, Security, SSH keys.",
                ) from None
            raise BusyError(error.what) from None
        if (thing.get("labels") or {}).get(SYSTEM) != labels[SYSTEM]:
            raise CloudError(
                f"the {resource.kind} {resource.name} is there, and is not this system's",
                hint="Give the system another name, or remove it where it was made.",
            ) from None
        return thing

    def _read(self, kind: Kind, number: str) -> Thing | None:
        path = PATHS[kind]
        try:
            found: Thing = self._account.call("GET", f"/{path}/{number}", f"{kind} {number}")[
                path.removesuffix("s")
            ]
        except GoneError:
            return None
        return found

    def _body(self, resource: Resource, there: There) -> dict[str, Any]:
        """Return what is asked of a new thing beside its name and its labels."""
        wish = resource.wish
        if isinstance(wish, ServerWish):
            return self._server(wish, there)
        if isinstance(wish, BalancerWish):
            return self._balancer(wish)
        found: dict[str, Any] = {}
        match wish:
            case NetworkWish():
                found = {"ip_range": wish.cidr, "subnets": [asked_subnet(wish, self._zone)]}
            case FirewallWish():
                found = {"rules": asked_rules(wish)}
            case KeyWish():
                found = {"public_key": wish.public}
            case GroupWish():
                found = {"type": "spread"}
            case VolumeWish():
                found = {"size": asked_size(wish), "location": self._place}
        return found

    def _balancer(self, wish: BalancerWish) -> dict[str, Any]:
        return {
            "load_balancer_type": BALANCER_TYPE,
            "location": self._place,
            "algorithm": {"type": "round_robin"},
            "public_interface": True,
            "services": [asked_service(one) for one in wish.services],
        }

    def _server(self, wish: ServerWish, there: There) -> dict[str, Any]:
        group = {"placement_group": int(there[wish.group].id)} if wish.group else {}
        return {
            "server_type": wish.machine,
            "image": self._image,
            "location": self._place,
            "ssh_keys": [int(there[wish.key].id)],
            "firewalls": [{"firewall": int(there[wish.firewall].id)}],
            "public_net": {"enable_ipv4": True, "enable_ipv6": True},
            "user_data": wish.user_data,
            # It starts once it is in its network.
            "start_after_create": False,
            **group,
        }

    # --- What is there already, finished

    def _finished(self, resource: Resource, thing: Thing, there: There) -> Thing:
        """Return a thing once it is all that is asked."""
        changed = self._finish(resource, thing, there)
        if not changed:
            return thing
        again = self._read(resource.kind, str(thing["id"]))
        if again is None:
            raise UnsureError(f"{resource.kind} {resource.name} is gone again")
        return again

    def _finish(self, resource: Resource, thing: Thing, there: There) -> bool:
        """Do what a thing lacks; return whether that was anything."""
        what = f"{resource.kind} {resource.name}"
        match resource.wish:
            case ServerWish() as wish:
                return self._finish_server(thing, wish, int(there[wish.network].id), what)
            case BalancerWish() as wish:
                return self._finish_balancer(thing, wish, int(there[wish.network].id), what)
            case NetworkWish() as wish if not has_subnet(thing, wish):
                subnet = asked_subnet(wish, self._zone)
                self._account.act(f"/networks/{thing['id']}/actions/add_subnet", what, subnet)
                return True
            case FirewallWish() as wish if rules_in_short(thing["rules"]) != rules_in_short(
                asked_rules(wish)
            ):
                rules = {"rules": asked_rules(wish)}
                self._account.act(f"/firewalls/{thing['id']}/actions/set_rules", what, rules)
                return True
            case KeyWish() as wish if not is_same_key(thing, wish):
                raise other_key(resource.name)
            case VolumeWish() if thing.get("status") != "available":
                self._settle(Kind.VOLUME, thing, what)
                return True
        return False

    def _finish_server(self, thing: Thing, wish: ServerWish, network: int, what: str) -> bool:
        if thing["status"] not in _SETTLED:
            self._settle(Kind.SERVER, thing, what)
            thing = self._read(Kind.SERVER, str(thing["id"])) or thing
        done = False
        if network not in networks_of(thing):
            body = {"network": network, "ip": wish.address}
            self._account.act(
                f"/servers/{thing['id']}/actions/attach_to_network", f"{what}, its network", body
            )
            done = True
        if thing["status"] != "running":
            self._account.act(f"/servers/{thing['id']}/actions/poweron", f"{what}, its start")
            done = True
        return done

    def _finish_balancer(self, thing: Thing, wish: BalancerWish, network: int, what: str) -> bool:
        path = f"/load_balancers/{thing['id']}/actions"
        done = False
        if network not in networks_of(thing):
            body = {"network": network, "ip": wish.address}
            self._account.act(f"{path}/attach_to_network", f"{what}, its network", body)
            done = True
        for service in missing_services(thing, wish):
            self._account.act(f"{path}/add_service", f"{what}, {service.name}", asked_service(service))
            done = True
        return done

    def _settle(self, kind: Kind, thing: Thing, what: str) -> None:
        """Wait for what is under way with a thing; BusyError where nothing is, and it is not settled."""
        path = f"/{PATHS[kind]}/{thing['id']}/actions"
        running = self._account.call("GET", path, what, params={"status": "running"})["actions"]
        if not running:
            raise BusyError(f"{what} is {thing.get('status')}")
        self._account.wait([one["id"] for one in running], what)

    # --- Between two things

    def _attach(self, volume: Made, server: Made) -> Made:
        what = f"volume {volume.name} at {server.name}"
        thing = self._read(Kind.VOLUME, volume.id) or {}
        if thing.get("server") != int(server.id):
            body = {"server": int(server.id), "automount": False}
            self._account.act(f"/volumes/{volume.id}/actions/attach", what, body)
        return attachment_of({**thing, "id": volume.id, "name": volume.name}, server.name)

    def _target(self, balancer: Made, server: Made) -> Made:
        what = f"{server.name} behind {balancer.name}"
        thing = self._read(Kind.BALANCER, balancer.id) or {}
        targets = {(one.get("server") or {}).get("id") for one in thing.get("targets") or ()}
        if int(server.id) not in targets:
            body = {"type": "server", "server": {"id": int(server.id)}, "use_private_ip": True}
            self._account.act(f"/load_balancers/{balancer.id}/actions/add_target", what, body)
        return target_of({**thing, "id": balancer.id, "name": balancer.name}, server.name)


def other_key(name: str) -> CloudError:
    """Return the error for a key of the account that opens its servers to another machine only."""
    return CloudError(
        f"the SSH key {name} in the account is another machine's, and lets this one in nowhere",
        hint="Work from the machine that made the system, or remove it (`rookery down`) and make it anew.",
    )
