"""What can be done to a server that is there."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from dataclasses import asdict

from rookery.clouds.hetzner.fake.account import Account
from rookery.clouds.hetzner.fake.bodies import (
    AliasIps,
    AttachToNetwork,
    ChangeServerType,
    CreateImage,
    NetworkId,
    PlacementGroupId,
    Protect,
    Rebuild,
    ReverseName,
)
from rookery.clouds.hetzner.fake.call import Answer, Call, thing_of
from rookery.clouds.hetzner.fake.catalogue import location_named
from rookery.clouds.hetzner.fake.errors import ApiError, invalid
from rookery.clouds.hetzner.fake.links import choose, require_no_overlap
from rookery.clouds.hetzner.fake.selectors import check_labels
from rookery.clouds.hetzner.fake.servers import NETWORKS_LIMIT, require_room_in_group
from rookery.clouds.hetzner.fake.things import Action, Image, Network, PlacementGroup, Server
from rookery.clouds.hetzner.fake.views import view_action, view_image

# The command's name in the path, the action that it is, and how the server is called meanwhile.
_POWER: Mapping[str, tuple[str, str]] = {
    "poweron": ("start_server", "starting"),
    "poweroff": ("stop_server", "stopping"),
    "shutdown": ("shutdown_server", "stopping"),
    "reboot": ("reboot_server", "running"),
    "reset": ("reset_server", "starting"),
}


def _free_server(call: Call) -> Server:
    server: Server = thing_of(call, "servers", Server)
    call.account.require_free([("server", server.id)])
    return server


def _off_server(call: Call) -> Server:
    server = _free_server(call)
    if server.status != "off":
        raise ApiError("server_not_stopped", "the action requires a stopped server")
    return server


def _done(account: Account, action: Action, **more: object) -> Answer:
    return Answer(status=201, body={"action": view_action(account, action), **more})


def poweron(call: Call) -> Answer:
    """Start a server."""
    return _power(call, "poweron")


def poweroff(call: Call) -> Answer:
    """Cut a server's power."""
    return _power(call, "poweroff")


def shutdown(call: Call) -> Answer:
    """Ask a server to shut down."""
    return _power(call, "shutdown")


def reboot(call: Call) -> Answer:
    """Ask a server to start again."""
    return _power(call, "reboot")


def reset(call: Call) -> Answer:
    """Cut a server's power and start it again."""
    return _power(call, "reset")


def _power(call: Call, name: str) -> Answer:
    server = _free_server(call)
    command, meanwhile = _POWER[name]
    server.status = meanwhile
    return _done(call.account, call.account.act(command, ("server", server.id)))


def change_protection(call: Call) -> Answer:
    """Forbid that a server is deleted and rebuilt, or allow it; both are changed together."""
    server, said = _free_server(call), call.says(Protect)
    wanted = (
        server.protected if said.delete is None else said.delete,
        server.rebuild_protected if said.rebuild is None else said.rebuild,
    )
    if wanted[0] != wanted[1]:
        raise invalid(("delete", "must be the same as rebuild"), ("rebuild", "must be the same as delete"))
    server.protected, server.rebuild_protected = wanted
    return _done(call.account, call.account.act("change_protection", ("server", server.id)))


def attach_to_network(call: Call) -> Answer:
    """Give a server a card in a network."""
    account, said = call.account, call.says(AttachToNetwork)
    server = _free_server(call)
    network = account.named("networks", "network", said.network)
    assert isinstance(network, Network)
    require_no_overlap(account, server, network)
    if len(server.links) >= NETWORKS_LIMIT:
        raise invalid(("network", f"a server can be in {NETWORKS_LIMIT} networks"))
    account.require_free([("network", network.id)])
    place = location_named(server.location)
    assert place is not None
    link = choose(
        account, network, place.zone, ip=said.ip, ip_range=said.ip_range, aliases=said.alias_ips or ()
    )
    resources = (("server", server.id), ("network", network.id))
    return _done(account, account.act("attach_to_network", *resources, about={"link": asdict(link)}))


def detach_from_network(call: Call) -> Answer:
    """Take a server's card in a network away."""
    account, said = call.account, call.says(NetworkId)
    server = _free_server(call)
    if all(link.network != said.network for link in server.links):
        raise invalid(("network", "the server is not attached to the network"))
    account.require_free([("network", said.network)])
    resources = (("server", server.id), ("network", said.network))
    return _done(account, account.act("detach_from_network", *resources, about={"network": said.network}))


def change_alias_ips(call: Call) -> Answer:
    """Give a server other additional addresses in a network."""
    account, said = call.account, call.says(AliasIps)
    server = _free_server(call)
    link = next((link for link in server.links if link.network == said.network), None)
    if link is None:
        raise invalid(("network", "the server is not attached to the network"))
    before, link.alias_ips = link.alias_ips, []
    place = location_named(server.location)
    assert place is not None
    try:
        choose(account, account.holdings.networks[said.network], place.zone, aliases=said.alias_ips)
    except ApiError:
        link.alias_ips = before
        raise
    link.alias_ips = list(said.alias_ips)
    resources = (("server", server.id), ("network", said.network))
    return _done(account, account.act("change_alias_ips", *resources))


def change_type(call: Call) -> Answer:
    """Make a server one of another type, with its disk as it is or larger."""
    account, said = call.account, call.says(ChangeServerType)
    server = _off_server(call)
    kind = account.catalogue.type_named(said.server_type)
    if kind is None:
        raise invalid(("server_type", f"server type {said.server_type} does not exist"))
    now = account.catalogue.types[server.server_type]
    if kind.name == now.name or kind.architecture != now.architecture or kind.disk_gb < server.disk:
        raise ApiError("invalid_server_type", "the server type does not fit for the server")
    if not account.has_stock(kind.name, server.location):
        raise ApiError("resource_unavailable", "error during placement")
    account.give_back(server.server_type, server.location)
    account.take(kind.name, server.location)
    server.status = "migrating"
    about = {"server_type": kind.name, "disk": kind.disk_gb if said.upgrade_disk else server.disk}
    return _done(account, account.act("change_server_type", ("server", server.id), about=about))


def rebuild(call: Call) -> Answer:
    """Write a server's disk anew from an image."""
    account, said = call.account, call.says(Rebuild)
    server = _free_server(call)
    if server.rebuild_protected:
        raise ApiError("protected", "server rebuild is protected")
    image = account.image(said.image, account.catalogue.types[server.server_type].architecture)
    server.status = "rebuilding"
    if said.user_data is not None:
        server.user_data = said.user_data
    about = {"image": image.id}
    action = account.act("rebuild_server", ("server", server.id), ("image", image.id), about=about)
    return _done(account, action, root_password=None if server.keys else secrets.token_urlsafe(16))


def create_image(call: Call) -> Answer:
    """Make an image of a server's disk."""
    account, said = call.account, call.says(CreateImage)
    server = _free_server(call)
    check_labels(said.labels or {})
    account.require_room("images")
    if said.type == "backup" and server.backup_window is None:
        raise invalid(("type", "backups are not enabled for the server"))
    source = account.image_of(server)
    image = Image(
        id=account.next_id(),
        name="",
        created=account.clock.now(),
        labels=dict(said.labels or {}),
        type=said.type or "snapshot",
        description=said.description or f"snapshot of {server.name}",
        os_flavor=source.os_flavor if source else "unknown",
        os_version=source.os_version if source else None,
        architecture=account.catalogue.types[server.server_type].architecture,
        disk=server.disk,
        status="creating",
        made_of=server.id,
        made_of_name=server.name,
        bound_to=server.id if said.type == "backup" else None,
    )
    account.holdings.images[image.id] = image
    resources = (("server", server.id), ("image", image.id))
    action = account.act("create_image", *resources, about={"image": image.id})
    return _done(account, action, image=view_image(account, image))


def enable_rescue(call: Call) -> Answer:
    """Let the next start be of the rescue system."""
    server = _free_server(call)
    server.rescue = True
    action = call.account.act("enable_rescue", ("server", server.id))
    return _done(call.account, action, root_password=secrets.token_urlsafe(16))


def disable_rescue(call: Call) -> Answer:
    """Let the next start be of the server's own disk."""
    server = _free_server(call)
    server.rescue = False
    return _done(call.account, call.account.act("disable_rescue", ("server", server.id)))


def enable_backup(call: Call) -> Answer:
    """Let a server be copied each day."""
    server = _free_server(call)
    server.backup_window = "22-02"
    return _done(call.account, call.account.act("enable_backup", ("server", server.id)))


def disable_backup(call: Call) -> Answer:
    """Delete a server's daily copies, and make none."""
    server, images = _free_server(call), call.account.holdings.images
    server.backup_window = None
    call.account.holdings.images = {
        number: one for number, one in images.items() if one.bound_to != server.id
    }
    return _done(call.account, call.account.act("disable_backup", ("server", server.id)))


def reset_password(call: Call) -> Answer:
    """Give root another password."""
    server = _free_server(call)
    if server.status != "running":
        raise invalid(("server", "must be running"))
    action = call.account.act("reset_password", ("server", server.id))
    return _done(call.account, action, root_password=secrets.token_urlsafe(16))


def add_to_placement_group(call: Call) -> Answer:
    """Put a server that is off into a placement group."""
    account, said = call.account, call.says(PlacementGroupId)
    server = _off_server(call)
    group = account.named("placement_groups", "placement_group", said.placement_group)
    assert isinstance(group, PlacementGroup)
    if server.placement_group is not None:
        raise ApiError("already_in_placement_group", "the server is already in a placement group")
    require_room_in_group(account, group)
    server.placement_group = group.id
    return _done(account, account.act("add_to_placement_group", ("server", server.id)))


def remove_from_placement_group(call: Call) -> Answer:
    """Take a server out of its placement group."""
    server = _free_server(call)
    if server.placement_group is None:
        raise ApiError("not_found", "the server is in no placement group")
    server.placement_group = None
    return _done(call.account, call.account.act("remove_from_placement_group", ("server", server.id)))


def change_dns_ptr(call: Call) -> Answer:
    """Call an address of a server something else."""
    server, said = _free_server(call), call.says(ReverseName)
    for address in call.account.holdings.primary_ips.values():
        if address.server == server.id and address.has(said.ip):
            address.call(said.ip, said.dns_ptr)
            return _done(call.account, call.account.act("change_dns_ptr", ("server", server.id)))
    raise ApiError("not_found", f"the server has no address {said.ip}")
