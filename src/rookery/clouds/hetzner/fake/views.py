"""Things in the API's words. What refers to another the other way round is looked up here, not kept twice."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from rookery.clouds.hetzner.fake.account import Account
from rookery.clouds.hetzner.fake.catalogue import LOCATIONS, Location, location_named
from rookery.clouds.hetzner.fake.clock import moment
from rookery.clouds.hetzner.fake.selectors import parse_selector
from rookery.clouds.hetzner.fake.things import (
    Action,
    Certificate,
    Firewall,
    Image,
    Link,
    Network,
    PlacementGroup,
    PrimaryIp,
    Server,
    SshKey,
    Thing,
    Volume,
)

Words = dict[str, Any]


def view_action(account: Account, action: Action) -> Words:
    """Return an action; its progress is the part of its time that has passed."""
    now = account.clock.now()
    passed = 0.0
    if action.begins is not None and action.takes:
        passed = min((now - action.begins) / action.takes, 0.99)
    return {
        "id": action.id,
        "command": action.command,
        "status": action.status,
        "progress": int(passed * 100) if action.status == "running" else 100,
        "started": moment(action.asked),
        "finished": moment(action.finished) if action.finished is not None else None,
        "resources": [{"id": number, "type": kind} for kind, number in action.resources],
        "error": {"code": action.error[0], "message": action.error[1]} if action.error else None,
    }


def _common(thing: Thing) -> Words:
    return {
        "id": thing.id,
        "name": thing.name,
        "labels": thing.labels,
        "created": moment(thing.created),
        "protection": {"delete": thing.protected},
    }


def place(name: str) -> Location:
    """Return the location of that name, which something stands in."""
    found = location_named(name)
    assert found is not None
    return found


def in_place(account: Account, name: str) -> Words:
    """Return where a thing stands: its location, and its datacenter where the API still has those."""
    found = {"location": place(name).view()}
    return found | (
        {"datacenter": view_datacenter(account, place(name))} if account.settings.datacenters else {}
    )


def view_datacenter(account: Account, location: Location) -> Words:
    """Return the one datacenter that a location has here."""
    all_types = [account.catalogue.type_id(name) for name in account.catalogue.types]
    sold = all_types if account.catalogue.sells(location) else []
    available = [
        account.catalogue.type_id(name)
        for name in account.catalogue.types
        if sold and account.has_stock(name, location.name)
    ]
    return {
        "id": location.id + 1,
        "name": location.datacenter,
        "description": f"{location.city} virtual DC {location.id + 1}",
        "location": location.view(),
        "server_types": {
            "supported": sold,
            "available": available,
            "available_for_migration": available,
        },
    }


def view_server_type(account: Account, name: str) -> Words:
    """Return a server type with its stock."""
    stock = {location.name: account.has_stock(name, location.name) for location in LOCATIONS}
    return account.catalogue.server_type(account.catalogue.types[name], stock)


def firewalls_of(account: Account, server: Server) -> Iterator[Firewall]:
    """Yield the firewalls before a server, those that a selector puts there included."""
    for firewall in account.holdings.firewalls.values():
        if any(
            one.server == server.id or (one.selector and parse_selector(one.selector)(server.labels))
            for one in firewall.applied
        ):
            yield firewall


def _public_net(account: Account, server: Server) -> Words:
    addresses = {one.type: one for one in account.holdings.primary_ips.values() if one.server == server.id}
    four, six = addresses.get("ipv4"), addresses.get("ipv6")
    return {
        "ipv4": four and {"id": four.id, "ip": four.ip, "blocked": False, "dns_ptr": reverse_name(four)},
        "ipv6": six and {"id": six.id, "ip": six.ip, "blocked": False, "dns_ptr": _names(six)},
        "floating_ips": [],
        "firewalls": [{"id": one.id, "status": "applied"} for one in firewalls_of(account, server)],
    }


def reverse_name(address: PrimaryIp) -> str:
    """Return what an IPv4 address is called."""
    backwards = ".".join(reversed(address.ip.split(".")))
    return address.names.get(address.ip, f"static.{backwards}.clients.your-server.de")


def _names(address: PrimaryIp) -> list[Words]:
    return [{"ip": ip, "dns_ptr": name} for ip, name in sorted(address.names.items())]


def mac_of(network: int, number: int) -> str:
    """Return the hardware address of a server's or load balancer's card in a network."""
    value = (network * 65_599 + number) & 0xFFFFFFFF
    return "86:00:" + ":".join(f"{value >> shift & 0xFF:02x}" for shift in (24, 16, 8, 0))


def _private(server: Server, link: Link) -> Words:
    return {
        "network": link.network,
        "ip": link.ip,
        "alias_ips": link.alias_ips,
        "mac_address": mac_of(link.network, server.id),
    }


def view_server(account: Account, server: Server) -> Words:
    """Return a server."""
    held = account.holdings
    group = held.placement_groups.get(server.placement_group or 0)
    image = account.image_of(server)
    return (
        _common(server)
        | in_place(account, server.location)
        | {
            "status": server.status,
            "server_type": view_server_type(account, server.server_type),
            "image": view_image(account, image) if image else None,
            "iso": None,
            "rescue_enabled": server.rescue,
            "locked": account.is_locked("server", server.id),
            "backup_window": server.backup_window,
            "outgoing_traffic": 0,
            "ingoing_traffic": 0,
            "included_traffic": 20 * 1024**4,
            "protection": {"delete": server.protected, "rebuild": server.rebuild_protected},
            "primary_disk_size": server.disk,
            "public_net": _public_net(account, server),
            "private_net": [_private(server, link) for link in server.links],
            "volumes": [one.id for one in held.volumes.values() if one.server == server.id],
            "load_balancers": [
                one.id
                for one in held.load_balancers.values()
                if any(target.server == server.id for target in one.targets)
            ],
            "placement_group": view_placement_group(account, group) if group else None,
        }
    )


def view_volume(account: Account, volume: Volume) -> Words:
    """Return a volume."""
    del account
    return _common(volume) | {
        "size": volume.size,
        "server": volume.server,
        "status": volume.status,
        "format": volume.format,
        "location": place(volume.location).view(),
        "linux_device": f"/dev/disk/by-id/scsi-0HC_Volume_{volume.id}",
    }


def view_network(account: Account, network: Network) -> Words:
    """Return a network; a subnet's gateway is its network's."""
    held = account.holdings
    gateway = str(ipaddress.IPv4Network(network.ip_range)[1])
    return _common(network) | {
        "ip_range": network.ip_range,
        "subnets": [
            {
                "type": one.type,
                "ip_range": one.ip_range,
                "network_zone": one.network_zone,
                "gateway": gateway,
                "vswitch_id": one.vswitch_id,
            }
            for one in network.subnets
        ],
        "routes": [{"destination": one.destination, "gateway": one.gateway} for one in network.routes],
        "servers": [
            one.id for one in held.servers.values() if any(link.network == network.id for link in one.links)
        ],
        "load_balancers": [
            one.id
            for one in held.load_balancers.values()
            if any(link.network == network.id for link in one.links)
        ],
        "expose_routes_to_vswitch": network.exposes_routes,
    }


def view_firewall(account: Account, firewall: Firewall) -> Words:
    """Return a firewall; where a selector applies it, with the servers that it finds now."""
    applied: list[Words] = []
    for one in firewall.applied:
        if one.server is not None:
            applied.append({"type": "server", "server": {"id": one.server}})
            continue
        found = [server.id for server in account.selected(parse_selector(one.selector))]
        applied.append(
            {
                "type": "label_selector",
                "label_selector": {"selector": one.selector},
                "applied_to_resources": [{"type": "server", "server": {"id": number}} for number in found],
            }
        )
    words = _common(firewall) | {"rules": firewall.rules, "applied_to": applied}
    del words["protection"]
    return words


def view_placement_group(account: Account, group: PlacementGroup) -> Words:
    """Return a placement group."""
    members = [one.id for one in account.holdings.servers.values() if one.placement_group == group.id]
    words = _common(group) | {"type": group.type, "servers": members}
    del words["protection"]
    return words


def view_ssh_key(account: Account, key: SshKey) -> Words:
    """Return a key."""
    del account
    words = _common(key) | {"fingerprint": key.fingerprint, "public_key": key.public_key}
    del words["protection"]
    return words


def view_primary_ip(account: Account, address: PrimaryIp) -> Words:
    """Return a public address."""
    four = [{"ip": address.ip, "dns_ptr": reverse_name(address)}]
    return (
        _common(address)
        | in_place(account, address.location)
        | {
            "type": address.type,
            "ip": address.ip,
            "blocked": False,
            "assignee_id": address.server,
            "assignee_type": "server",
            "auto_delete": address.auto_delete,
            "dns_ptr": four if address.type == "ipv4" else _names(address),
        }
    )


def view_image(account: Account, image: Image) -> Words:
    """Return an image."""
    del account
    made_of = {"id": image.made_of, "name": image.made_of_name} if image.made_of is not None else None
    return _common(image) | {
        "name": image.name or None,
        "type": image.type,
        "status": image.status,
        "description": image.description,
        "image_size": image.size,
        "disk_size": image.disk,
        "created_from": made_of,
        "bound_to": image.bound_to,
        "os_flavor": image.os_flavor,
        "os_version": image.os_version,
        "architecture": image.architecture,
        "rapid_deploy": image.type == "system",
        "deprecated": None,
        "deleted": None,
    }


def view_certificate(account: Account, certificate: Certificate) -> Words:
    """Return an uploaded certificate."""
    used = [
        {"id": one.id, "type": "load_balancer"}
        for one in account.holdings.load_balancers.values()
        if any(certificate.id in (s.get("http") or {}).get("certificates", ()) for s in one.services)
    ]
    words = _common(certificate) | {
        "type": "uploaded",
        "certificate": certificate.certificate,
        "fingerprint": certificate.fingerprint,
        "domain_names": certificate.domains,
        "not_valid_before": moment(certificate.begins),
        "not_valid_after": moment(certificate.ends),
        "status": None,
        "used_by": used,
    }
    del words["protection"]
    return words
