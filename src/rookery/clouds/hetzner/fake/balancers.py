"""Load balancers: services, targets, networks."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from rookery.clouds.hetzner.fake.account import Account
from rookery.clouds.hetzner.fake.balancer_parts import (
    add_to_services,
    make_target,
    named_size,
    require_place_for_targets,
)
from rookery.clouds.hetzner.fake.bodies import (
    Algorithm,
    AttachToNetwork,
    ChangeBalancerType,
    CreateLoadBalancer,
    DeleteService,
    NetworkId,
    ReverseName,
    Service,
    TargetBody,
    UpdateService,
)
from rookery.clouds.hetzner.fake.call import Answer, Call, thing_of
from rookery.clouds.hetzner.fake.catalogue import LOCATIONS, Location, location_named
from rookery.clouds.hetzner.fake.errors import ApiError, invalid
from rookery.clouds.hetzner.fake.links import choose
from rookery.clouds.hetzner.fake.selectors import check_labels
from rookery.clouds.hetzner.fake.things import LoadBalancer, Network
from rookery.clouds.hetzner.fake.view_balancers import view_load_balancer
from rookery.clouds.hetzner.fake.views import place, view_action


def create_load_balancer(call: Call) -> Answer:
    """Make a load balancer, in a network and with its services and targets where they are named."""
    account, said = call.account, call.says(CreateLoadBalancer)
    check_labels(said.labels or {})
    size, location = named_size(said.load_balancer_type), _location(said)
    account.require_name("load_balancers", said.name)
    account.require_room("load_balancers")
    four, six = account.address()
    balancer = LoadBalancer(
        id=0,
        name=said.name,
        created=account.clock.now(),
        labels=dict(said.labels or {}),
        type=size.name,
        location=location.name,
        ipv4=four,
        ipv6=six.removesuffix("/64") + "1",
        algorithm=said.algorithm.type if said.algorithm else "round_robin",
        public=said.public_interface is not False,
    )
    if said.network is not None:
        balancer.links.append(choose(account, _network(account, said.network), location.zone))
    for service in said.services or ():
        add_to_services(account, balancer, service)
    require_place_for_targets(balancer, len(said.targets or ()))
    for target in said.targets or ():
        balancer.targets.append(make_target(account, balancer, target))
    balancer.id = account.next_id()
    account.holdings.load_balancers[balancer.id] = balancer
    account.meter("load_balancers", balancer, balancer.type, balancer.location)
    resources = [("load_balancer", balancer.id), *(("network", link.network) for link in balancer.links)]
    action = account.act("create_load_balancer", resources[0])
    body = {"load_balancer": view_load_balancer(account, balancer), "action": view_action(account, action)}
    return Answer(status=201, body=body)


def _location(said: CreateLoadBalancer) -> Location:
    if (said.location is None) == (said.network_zone is None):
        raise invalid(("location", "or network_zone is needed, and not both"))
    if said.network_zone is not None:
        found = next((one for one in LOCATIONS if one.zone == said.network_zone), None)
    else:
        found = location_named(said.location)
    if found is None:
        field = "location" if said.location is not None else "network_zone"
        raise invalid((field, "does not exist"))
    return found


def _network(account: Account, wanted: int) -> Network:
    network = account.named("networks", "network", wanted)
    assert isinstance(network, Network)
    account.require_free([("network", network.id)])
    return network


def delete_load_balancer(call: Call) -> Answer:
    """Delete a load balancer; what it sent to stays."""
    balancer = _free(call)
    if balancer.protected:
        raise ApiError("protected", "load balancer deletion is protected")
    call.account.forget("load_balancers", balancer.id)
    return Answer(status=204)


def add_service(call: Call) -> Answer:
    """Let a load balancer listen on one more port."""
    balancer = _free(call)
    add_to_services(call.account, balancer, call.says(Service))
    return _done(call, "add_service", balancer)


def update_service(call: Call) -> Answer:
    """Change what a load balancer does on a port."""
    balancer, said = _free(call), call.says(UpdateService)
    service = _service(balancer, said.listen_port)
    changes = said.model_dump(exclude_none=True)
    changed: dict[str, Any] = {
        **service,
        **{k: v for k, v in changes.items() if k not in ("health_check", "http")},
    }
    changed["health_check"] = {**service["health_check"], **changes.get("health_check", {})}
    http = {**service.get("http", {}), **changes.get("http", {})}
    wanted = Service.model_validate({**changed, **({"http": http} if http else {})})
    balancer.services.remove(service)
    try:
        add_to_services(call.account, balancer, wanted)
    except ApiError:
        balancer.services.append(service)
        raise
    return _done(call, "update_service", balancer)


def delete_service(call: Call) -> Answer:
    """Let a load balancer listen on a port no longer."""
    balancer = _free(call)
    balancer.services.remove(_service(balancer, call.says(DeleteService).listen_port))
    return _done(call, "delete_service", balancer)


def _service(balancer: LoadBalancer, port: int) -> dict[str, Any]:
    for service in balancer.services:
        if service["listen_port"] == port:
            return service
    raise ApiError("not_found", f"service with listen port {port} not found")


def add_target(call: Call) -> Answer:
    """Let a load balancer send to one more."""
    balancer = _free(call)
    require_place_for_targets(balancer, 1)
    balancer.targets.append(make_target(call.account, balancer, call.says(TargetBody)))
    return _done(call, "add_target", balancer)


def remove_target(call: Call) -> Answer:
    """Let a load balancer send to one no longer."""
    balancer, said = _free(call), call.says(TargetBody)
    server = said.server.id if said.server else None
    selector = said.label_selector.selector if said.label_selector else ""
    ip = said.ip.ip if said.ip else ""
    found = [
        one
        for one in balancer.targets
        if (one.type, one.server, one.selector, one.ip) == (said.type, server, selector, ip)
    ]
    if not found:
        raise ApiError("not_found", "load balancer target not found")
    balancer.targets.remove(found[0])
    return _done(call, "remove_target", balancer)


def attach_to_network(call: Call) -> Answer:
    """Give a load balancer an address in a network."""
    balancer, said, account = _free(call), call.says(AttachToNetwork), call.account
    network = _network(account, said.network)
    if balancer.links:
        raise ApiError("load_balancer_already_attached", "load balancer is already attached to a network")
    link = choose(account, network, place(balancer.location).zone, ip=said.ip, ip_range=said.ip_range)
    resources = (("load_balancer", balancer.id), ("network", network.id))
    action = account.act("attach_to_network", *resources, about={"link": asdict(link)})
    return Answer(status=201, body={"action": view_action(account, action)})


def detach_from_network(call: Call) -> Answer:
    """Take a load balancer's address in a network away."""
    balancer, wanted, account = _free(call), call.says(NetworkId).network, call.account
    if all(link.network != wanted for link in balancer.links):
        raise invalid(("network", "the load balancer is not attached to the network"))
    account.require_free([("network", wanted)])
    resources = (("load_balancer", balancer.id), ("network", wanted))
    action = account.act("detach_from_network", *resources, about={"network": wanted})
    return Answer(status=201, body={"action": view_action(account, action)})


def change_algorithm(call: Call) -> Answer:
    """Choose otherwise which target is sent to."""
    balancer = _free(call)
    balancer.algorithm = call.says(Algorithm).type
    return _done(call, "change_algorithm", balancer)


def change_type(call: Call) -> Answer:
    """Make a load balancer one of another size, which what it has must fit."""
    balancer, account = _free(call), call.account
    size = named_size(call.says(ChangeBalancerType).load_balancer_type)
    if size.services < len(balancer.services) or size.targets < len(balancer.targets):
        raise ApiError("invalid_load_balancer_type", "the load balancer has more than the type allows")
    balancer.type = size.name
    account.meter("load_balancers", balancer, size.name, balancer.location)
    return _done(call, "change_load_balancer_type", balancer)


def enable_public_interface(call: Call) -> Answer:
    """Let a load balancer be reached from the internet."""
    balancer = _free(call)
    balancer.public = True
    return _done(call, "enable_public_interface", balancer)


def disable_public_interface(call: Call) -> Answer:
    """Let a load balancer be reached from its network alone."""
    balancer = _free(call)
    if not balancer.links:
        raise ApiError("load_balancer_not_attached_to_network", "the load balancer is in no network")
    if any(not one.private for one in balancer.targets):
        raise ApiError(
            "targets_without_use_private_ip", "the load balancer has targets with public addresses"
        )
    balancer.public = False
    return _done(call, "disable_public_interface", balancer)


def change_dns_ptr(call: Call) -> Answer:
    """Call an address of a load balancer something else."""
    balancer, said = _free(call), call.says(ReverseName)
    if said.ip not in (balancer.ipv4, balancer.ipv6):
        raise invalid(("ip", "is not of this load balancer"))
    if said.dns_ptr is None:
        balancer.names.pop(said.ip, None)
    else:
        balancer.names[said.ip] = said.dns_ptr
    return _done(call, "change_dns_ptr", balancer)


def _free(call: Call) -> LoadBalancer:
    balancer: LoadBalancer = thing_of(call, "load_balancers", LoadBalancer)
    call.account.require_free([("load_balancer", balancer.id)])
    return balancer


def _done(call: Call, command: str, balancer: LoadBalancer) -> Answer:
    action = call.account.act(command, ("load_balancer", balancer.id))
    return Answer(status=201, body={"action": view_action(call.account, action)})
