"""Public addresses that outlive servers, or go with them."""

from __future__ import annotations

from rookery.clouds.hetzner.fake.account import Account
from rookery.clouds.hetzner.fake.bodies import (
    AssignPrimaryIp,
    ChangePrimaryIp,
    CreatePrimaryIp,
    Protect,
    ReverseName,
)
from rookery.clouds.hetzner.fake.call import Answer, Call, thing_of
from rookery.clouds.hetzner.fake.catalogue import location_named
from rookery.clouds.hetzner.fake.errors import ApiError, invalid
from rookery.clouds.hetzner.fake.selectors import check_labels
from rookery.clouds.hetzner.fake.things import PrimaryIp, Server
from rookery.clouds.hetzner.fake.views import view_action, view_primary_ip


def make_address(account: Account, kind: str, location: str, name: str = "") -> PrimaryIp:
    """Return a new address, which costs money from now on."""
    four, six = account.address()
    number = account.next_id()
    address = PrimaryIp(
        id=number,
        name=name or f"primary_ip-{number}",
        created=account.clock.now(),
        type="ipv4" if kind == "ipv4" else "ipv6",
        ip=four if kind == "ipv4" else six,
        location=location,
    )
    account.holdings.primary_ips[number] = address
    account.meter("primary_ips", address, kind, location)
    return address


def give_address(account: Account, server: Server, kind: str) -> None:
    """Make an address for a server, which goes with it."""
    address = make_address(account, kind, server.location)
    address.server, address.auto_delete = server.id, True


def create_primary_ip(call: Call) -> Answer:
    """Make an address, for a server that is off or for none."""
    account, said = call.account, call.says(CreatePrimaryIp)
    check_labels(said.labels or {})
    account.require_name("primary_ips", said.name)
    account.require_room("primary_ips")
    server = _assignee(account, said.assignee_id) if said.assignee_id is not None else None
    if server is not None:
        _require_none_of(account, server, said.type)
    wanted = server.location if server else said.location
    if wanted is None and account.settings.datacenters:
        wanted = said.datacenter
    location = location_named(wanted)
    if location is None:
        raise invalid(
            ("location", "is needed where there is no assignee" if wanted is None else "does not exist")
        )
    address = make_address(account, said.type, location.name, said.name)
    address.labels = dict(said.labels or {})
    address.auto_delete = bool(said.auto_delete)
    body = {}
    if server is not None:
        address.server, server.public = server.id, True
        action = account.act("create_primary_ip", ("primary_ip", address.id), ("server", server.id))
        body["action"] = view_action(account, action)
    body["primary_ip"] = view_primary_ip(account, address)
    return Answer(status=201, body=body)


def _assignee(account: Account, wanted: int) -> Server:
    server = account.named("servers", "assignee_id", wanted)
    assert isinstance(server, Server)
    account.require_free([("server", server.id)])
    if server.status != "off":
        raise ApiError("server_not_stopped", "the server is running, but needs to be powered off")
    return server


def _require_none_of(account: Account, server: Server, kind: str) -> None:
    if any(one.server == server.id and one.type == kind for one in account.holdings.primary_ips.values()):
        said = "IPv4" if kind == "ipv4" else "IPv6"
        raise ApiError(f"server_has_{kind}", f"the server already has an {said} address")


def change_primary_ip(call: Call) -> Answer:
    """Change an address's name and labels, and whether it goes with its server."""
    address: PrimaryIp = thing_of(call, "primary_ips", PrimaryIp)
    account, said = call.account, call.says(ChangePrimaryIp)
    if said.labels is not None:
        check_labels(said.labels)
        address.labels = dict(said.labels)
    if said.name is not None:
        account.require_name("primary_ips", said.name, but=address.id)
        address.name = said.name
    if said.auto_delete is not None:
        address.auto_delete = said.auto_delete
    return Answer(body={"primary_ip": view_primary_ip(account, address)})


def delete_primary_ip(call: Call) -> Answer:
    """Delete an address that no server has."""
    address: PrimaryIp = thing_of(call, "primary_ips", PrimaryIp)
    if address.protected:
        raise ApiError("protected", "primary IP deletion is protected")
    if address.server is not None:
        raise ApiError("must_be_unassigned", "the primary IP is still assigned to a resource")
    call.account.forget("primary_ips", address.id)
    return Answer(status=204)


def assign(call: Call) -> Answer:
    """Give an address to a server that is off."""
    address: PrimaryIp = thing_of(call, "primary_ips", PrimaryIp)
    account, said = call.account, call.says(AssignPrimaryIp)
    if address.server is not None:
        raise ApiError("primary_ip_already_assigned", "the primary IP is already assigned to a server")
    server = _assignee(account, said.assignee_id)
    if server.location != address.location:
        raise invalid(("assignee_id", "is in another location"))
    _require_none_of(account, server, address.type)
    address.server, server.public = server.id, True
    return _done(call, "assign_primary_ip", address)


def unassign(call: Call) -> Answer:
    """Take an address from a server that is off."""
    address: PrimaryIp = thing_of(call, "primary_ips", PrimaryIp)
    account = call.account
    if address.server is None:
        raise invalid(("primary_ip", "is not assigned"))
    server = _assignee(account, address.server)
    targets = [one for balancer in account.holdings.load_balancers.values() for one in balancer.targets]
    if address.type == "ipv4" and any(one.server == server.id and not one.private for one in targets):
        raise ApiError(
            "server_is_load_balancer_target", "the server's IPv4 address is a load balancer's target"
        )
    address.server = None
    server.public = any(one.server == server.id for one in account.holdings.primary_ips.values())
    return _done(call, "unassign_primary_ip", address)


def change_protection(call: Call) -> Answer:
    """Forbid that an address is deleted, or allow it."""
    address: PrimaryIp = thing_of(call, "primary_ips", PrimaryIp)
    wanted = bool(call.says(Protect).delete)
    if wanted and address.auto_delete:
        raise invalid(("delete", "cannot be set on an address that is deleted with its server"))
    address.protected = wanted
    return _done(call, "change_protection", address)


def change_dns_ptr(call: Call) -> Answer:
    """Call an address something else."""
    address: PrimaryIp = thing_of(call, "primary_ips", PrimaryIp)
    said = call.says(ReverseName)
    if not address.has(said.ip):
        raise invalid(("ip", "is not of this primary IP"))
    address.call(said.ip, said.dns_ptr)
    return _done(call, "change_dns_ptr", address)


def _done(call: Call, command: str, address: PrimaryIp) -> Answer:
    action = call.account.act(command, ("primary_ip", address.id))
    return Answer(status=201, body={"action": view_action(call.account, action)})
