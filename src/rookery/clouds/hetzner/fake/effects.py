"""What actions do when they end, by their command; an action of another command changes nothing then."""

from __future__ import annotations

from collections.abc import Mapping

from rookery.clouds.hetzner.fake.account import Account, Effect
from rookery.clouds.hetzner.fake.things import Action, Link, LoadBalancer, Route, Server, Subnet


def server_of(account: Account, action: Action) -> Server:
    """Return the server that an action is about."""
    number = next(number for kind, number in action.resources if kind == "server")
    return account.holdings.servers[number]


def let_go(account: Account, server: Server) -> None:
    """Take a server away from all that it had or stood in."""
    held = account.holdings
    for volume in held.volumes.values():
        if volume.server == server.id:
            volume.server = None
    for address in list(held.primary_ips.values()):
        if address.server == server.id and address.auto_delete:
            account.unmeter("primary_ips", address.id)
            del held.primary_ips[address.id]
        elif address.server == server.id:
            address.server = None
    for firewall in held.firewalls.values():
        firewall.applied = [one for one in firewall.applied if one.server != server.id]
    for balancer in held.load_balancers.values():
        balancer.targets = [one for one in balancer.targets if one.server != server.id]
    held.images = {number: one for number, one in held.images.items() if one.bound_to != server.id}


def _server_made(account: Account, action: Action) -> None:
    server_of(account, action).status = "starting" if action.about["starts"] else "off"


def _server_runs(account: Account, action: Action) -> None:
    server_of(account, action).status = "running"


def _server_is_off(account: Account, action: Action) -> None:
    server_of(account, action).status = "off"


def _server_gone(account: Account, action: Action) -> None:
    server = server_of(account, action)
    let_go(account, server)
    account.unmeter("servers", server.id)
    account.give_back(server.server_type, server.location)
    del account.holdings.servers[server.id]


def _type_changed(account: Account, action: Action) -> None:
    server = server_of(account, action)
    server.server_type, server.status = action.about["server_type"], "off"
    server.disk = action.about["disk"]
    account.meter("servers", server, server.server_type, server.location)


def _rebuilt(account: Account, action: Action) -> None:
    server = server_of(account, action)
    server.image, server.status = action.about["image"], "running"


def _image_made(account: Account, action: Action) -> None:
    image = account.holdings.images[action.about["image"]]
    image.status = "available"
    image.size = 2.3


def _volume_made(account: Account, action: Action) -> None:
    account.holdings.volumes[_number(action, "volume")].status = "available"


def _volume_attached(account: Account, action: Action) -> None:
    account.holdings.volumes[_number(action, "volume")].server = _number(action, "server")


def _volume_detached(account: Account, action: Action) -> None:
    account.holdings.volumes[_number(action, "volume")].server = None


def _volume_resized(account: Account, action: Action) -> None:
    volume = account.holdings.volumes[_number(action, "volume")]
    volume.size = action.about["size"]
    account.meter("volumes", volume, str(volume.size), volume.location)


def _attached(account: Account, action: Action) -> None:
    _linked(account, action).links.append(Link(**action.about["link"]))


def _detached(account: Account, action: Action) -> None:
    linked = _linked(account, action)
    linked.links = [link for link in linked.links if link.network != action.about["network"]]


def _linked(account: Account, action: Action) -> Server | LoadBalancer:
    for kind, number in action.resources:
        if kind == "server":
            return account.holdings.servers[number]
        if kind == "load_balancer":
            return account.holdings.load_balancers[number]
    raise AssertionError(f"{action.command} is about what has no network")


def _subnet_added(account: Account, action: Action) -> None:
    account.holdings.networks[_number(action, "network")].subnets.append(Subnet(**action.about["subnet"]))


def _subnet_deleted(account: Account, action: Action) -> None:
    network = account.holdings.networks[_number(action, "network")]
    network.subnets = [one for one in network.subnets if one.ip_range != action.about["ip_range"]]


def _route_added(account: Account, action: Action) -> None:
    account.holdings.networks[_number(action, "network")].routes.append(Route(**action.about["route"]))


def _route_deleted(account: Account, action: Action) -> None:
    network = account.holdings.networks[_number(action, "network")]
    gone = Route(**action.about["route"])
    network.routes = [one for one in network.routes if one != gone]


def _number(action: Action, kind: str) -> int:
    return next(number for resource, number in action.resources if resource == kind)


EFFECTS: Mapping[str, Effect] = {
    "create_server": _server_made,
    "start_server": _server_runs,
    "stop_server": _server_is_off,
    "shutdown_server": _server_is_off,
    "reboot_server": _server_runs,
    "reset_server": _server_runs,
    "delete_server": _server_gone,
    "change_server_type": _type_changed,
    "rebuild_server": _rebuilt,
    "create_image": _image_made,
    "create_volume": _volume_made,
    "attach_volume": _volume_attached,
    "detach_volume": _volume_detached,
    "resize_volume": _volume_resized,
    "attach_to_network": _attached,
    "detach_from_network": _detached,
    "add_subnet": _subnet_added,
    "delete_subnet": _subnet_deleted,
    "add_route": _route_added,
    "delete_route": _route_deleted,
}
