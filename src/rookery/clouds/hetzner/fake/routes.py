"""Which operation answers which method and path, with the model of its body: the API as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rookery.clouds.hetzner.fake import (
    balancers,
    bodies,
    firewalls,
    kinds,
    networks,
    primary_ips,
    server_actions,
    servers,
    small,
    stock,
    volumes,
)
from rookery.clouds.hetzner.fake.bodies import Body, Nothing
from rookery.clouds.hetzner.fake.call import Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One operation of the API; `path` is below /v1."""

    method: str
    path: str
    operation: Operation
    body: type[Body] = Nothing


def _row(method: str, path: str, operation: Operation, body: type[Body] = Nothing) -> Row:
    return Row(method=method, path=path, operation=operation, body=body)


def _alike() -> Iterator[Row]:
    changed: dict[str, type[Body]] = {"servers": bodies.ChangeServer, "volumes": bodies.ChangeVolume}
    others = {"networks", "primary_ips", "images"}
    no_actions = {"placement_groups", "ssh_keys"}
    for kind in kinds.KINDS:
        base = f"/{kind.plural}"
        yield _row("GET", base, kinds.list_things(kind))
        yield _row("GET", f"{base}/{{id:int}}", kinds.get_thing(kind))
        if kind.plural not in others:
            body = changed.get(kind.plural, bodies.NamedBody)
            yield _row("PUT", f"{base}/{{id:int}}", kinds.change_thing(kind), body)
        if kind.plural not in no_actions:
            yield _row("GET", f"{base}/actions", kinds.list_actions(kind))
            yield _row("GET", f"{base}/actions/{{id:int}}", kinds.get_action)
            yield _row("GET", f"{base}/{{id:int}}/actions", kinds.list_actions(kind))
            yield _row("GET", f"{base}/{{id:int}}/actions/{{action_id:int}}", kinds.get_action)


def _actions(plural: str, *rows: tuple[str, Operation, type[Body]]) -> Iterator[Row]:
    for name, operation, body in rows:
        yield _row("POST", f"/{plural}/{{id:int}}/actions/{name}", operation, body)


_MADE_AND_GONE = (
    ("servers", servers.create_server, bodies.CreateServer, servers.delete_server),
    ("volumes", volumes.create_volume, bodies.CreateVolume, volumes.delete_volume),
    ("networks", networks.create_network, bodies.CreateNetwork, networks.delete_network),
    ("firewalls", firewalls.create_firewall, bodies.CreateFirewall, firewalls.delete_firewall),
    (
        "load_balancers",
        balancers.create_load_balancer,
        bodies.CreateLoadBalancer,
        balancers.delete_load_balancer,
    ),
    (
        "placement_groups",
        small.create_placement_group,
        bodies.CreatePlacementGroup,
        small.delete_placement_group,
    ),
    ("ssh_keys", small.create_ssh_key, bodies.CreateSshKey, small.delete_ssh_key),
    ("primary_ips", primary_ips.create_primary_ip, bodies.CreatePrimaryIp, primary_ips.delete_primary_ip),
    ("certificates", small.create_certificate, bodies.CreateCertificate, small.delete_certificate),
)

_SERVER_ACTIONS = (
    ("poweron", server_actions.poweron, Nothing),
    ("poweroff", server_actions.poweroff, Nothing),
    ("shutdown", server_actions.shutdown, Nothing),
    ("reboot", server_actions.reboot, Nothing),
    ("reset", server_actions.reset, Nothing),
    ("change_protection", server_actions.change_protection, bodies.Protect),
    ("attach_to_network", server_actions.attach_to_network, bodies.AttachToNetwork),
    ("detach_from_network", server_actions.detach_from_network, bodies.NetworkId),
    ("change_alias_ips", server_actions.change_alias_ips, bodies.AliasIps),
    ("change_type", server_actions.change_type, bodies.ChangeServerType),
    ("rebuild", server_actions.rebuild, bodies.Rebuild),
    ("create_image", server_actions.create_image, bodies.CreateImage),
    ("enable_rescue", server_actions.enable_rescue, bodies.Rescue),
    ("disable_rescue", server_actions.disable_rescue, Nothing),
    ("enable_backup", server_actions.enable_backup, Nothing),
    ("disable_backup", server_actions.disable_backup, Nothing),
    ("reset_password", server_actions.reset_password, Nothing),
    ("add_to_placement_group", server_actions.add_to_placement_group, bodies.PlacementGroupId),
    ("remove_from_placement_group", server_actions.remove_from_placement_group, Nothing),
    ("change_dns_ptr", server_actions.change_dns_ptr, bodies.ReverseName),
    ("attach_iso", stock.no_isos, Nothing),
    ("detach_iso", stock.no_isos, Nothing),
    ("request_console", stock.no_console, Nothing),
)
_BALANCER_ACTIONS = (
    ("add_service", balancers.add_service, bodies.Service),
    ("update_service", balancers.update_service, bodies.UpdateService),
    ("delete_service", balancers.delete_service, bodies.DeleteService),
    ("add_target", balancers.add_target, bodies.TargetBody),
    ("remove_target", balancers.remove_target, bodies.TargetBody),
    ("attach_to_network", balancers.attach_to_network, bodies.AttachToNetwork),
    ("detach_from_network", balancers.detach_from_network, bodies.NetworkId),
    ("change_algorithm", balancers.change_algorithm, bodies.Algorithm),
    ("change_type", balancers.change_type, bodies.ChangeBalancerType),
    ("enable_public_interface", balancers.enable_public_interface, Nothing),
    ("disable_public_interface", balancers.disable_public_interface, Nothing),
    ("change_dns_ptr", balancers.change_dns_ptr, bodies.ReverseName),
    ("change_protection", kinds.protect_thing(kinds.KIND["load_balancers"]), bodies.Protect),
)
_VOLUME_ACTIONS = (
    ("attach", volumes.attach, bodies.AttachVolume),
    ("detach", volumes.detach, Nothing),
    ("resize", volumes.resize, bodies.ResizeVolume),
    ("change_protection", kinds.protect_thing(kinds.KIND["volumes"]), bodies.Protect),
)
_NETWORK_ACTIONS = (
    ("add_subnet", networks.add_subnet, bodies.SubnetBody),
    ("delete_subnet", networks.delete_subnet, bodies.IpRange),
    ("add_route", networks.add_route, bodies.RouteBody),
    ("delete_route", networks.delete_route, bodies.RouteBody),
    ("change_ip_range", networks.change_ip_range, bodies.IpRange),
    ("change_protection", kinds.protect_thing(kinds.KIND["networks"]), bodies.Protect),
)
_FIREWALL_ACTIONS = (
    ("set_rules", firewalls.set_rules, bodies.SetRules),
    ("apply_to_resources", firewalls.apply_to_resources, bodies.ApplyTo),
    ("remove_from_resources", firewalls.remove_from_resources, bodies.RemoveFrom),
)
_ADDRESS_ACTIONS = (
    ("assign", primary_ips.assign, bodies.AssignPrimaryIp),
    ("unassign", primary_ips.unassign, Nothing),
    ("change_dns_ptr", primary_ips.change_dns_ptr, bodies.ReverseName),
    ("change_protection", primary_ips.change_protection, bodies.Protect),
)

_LISTS = (
    ("/locations", stock.list_locations),
    ("/locations/{id:int}", stock.get_location),
    ("/datacenters", stock.list_datacenters),
    ("/datacenters/{id:int}", stock.get_datacenter),
    ("/server_types", stock.list_server_types),
    ("/server_types/{id:int}", stock.get_server_type),
    ("/load_balancer_types", stock.list_balancer_types),
    ("/load_balancer_types/{id:int}", stock.get_balancer_type),
    ("/pricing", stock.get_pricing),
    ("/actions", kinds.get_actions),
    ("/actions/{id:int}", kinds.get_action),
    ("/floating_ips", stock.list_floating_ips),
    ("/isos", stock.list_isos),
    ("/servers/{id:int}/metrics", stock.no_metrics),
    ("/load_balancers/{id:int}/metrics", stock.no_metrics),
)


def _all() -> Iterator[Row]:
    yield from _alike()
    yield from (_row("GET", path, operation) for path, operation in _LISTS)
    for plural, create, body, delete in _MADE_AND_GONE:
        yield _row("POST", f"/{plural}", create, body)
        yield _row("DELETE", f"/{plural}/{{id:int}}", delete)
    yield _row("PUT", "/networks/{id:int}", networks.change_network, bodies.ChangeNetwork)
    yield _row("PUT", "/primary_ips/{id:int}", primary_ips.change_primary_ip, bodies.ChangePrimaryIp)
    yield _row("PUT", "/images/{id:int}", small.change_image, bodies.ChangeImage)
    yield _row("DELETE", "/images/{id:int}", small.delete_image)
    yield _row("POST", "/images/{id:int}/actions/change_protection", small.protect_image, bodies.Protect)
    yield _row("POST", "/floating_ips", stock.no_floating_ips)
    yield from _actions("servers", *_SERVER_ACTIONS)
    yield from _actions("load_balancers", *_BALANCER_ACTIONS)
    yield from _actions("volumes", *_VOLUME_ACTIONS)
    yield from _actions("networks", *_NETWORK_ACTIONS)
    yield from _actions("firewalls", *_FIREWALL_ACTIONS)
    yield from _actions("primary_ips", *_ADDRESS_ACTIONS)


ROWS: tuple[Row, ...] = tuple(_all())
