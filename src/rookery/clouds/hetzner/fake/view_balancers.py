"""Load balancers in the API's words, with the health of what they send to."""

from __future__ import annotations

from typing import Any

from rookery.clouds.hetzner.fake.account import Account
from rookery.clouds.hetzner.fake.catalogue import BALANCER_TYPES
from rookery.clouds.hetzner.fake.clock import moment
from rookery.clouds.hetzner.fake.selectors import parse_selector
from rookery.clouds.hetzner.fake.things import LoadBalancer, Server, Target
from rookery.clouds.hetzner.fake.views import Words, place


def view_load_balancer(account: Account, balancer: LoadBalancer) -> Words:
    """Return a load balancer."""
    size = next(one for one in BALANCER_TYPES if one.name == balancer.type)
    return {
        "id": balancer.id,
        "name": balancer.name,
        "labels": balancer.labels,
        "created": moment(balancer.created),
        "protection": {"delete": balancer.protected},
        "location": place(balancer.location).view(),
        "load_balancer_type": account.catalogue.balancer_type(size),
        "algorithm": {"type": balancer.algorithm},
        "services": balancer.services,
        "targets": [_target(account, balancer, one) for one in balancer.targets],
        "public_net": {
            "enabled": balancer.public,
            "ipv4": {"ip": balancer.ipv4, "dns_ptr": _name(balancer, balancer.ipv4)},
            "ipv6": {"ip": balancer.ipv6, "dns_ptr": _name(balancer, balancer.ipv6)},
        },
        "private_net": [{"network": link.network, "ip": link.ip} for link in balancer.links],
        "included_traffic": 20 * 1024**4,
        "outgoing_traffic": 0,
        "ingoing_traffic": 0,
    }


def _name(balancer: LoadBalancer, ip: str) -> str:
    return balancer.names.get(ip, f"static.{ip.replace(':', '-')}.clients.your-server.de")


def _target(account: Account, balancer: LoadBalancer, target: Target) -> Words:
    if target.type == "ip":
        return {"type": "ip", "ip": {"ip": target.ip}, "health_status": _unknown(balancer)}
    if target.type == "server":
        server = account.holdings.servers[target.server or 0]
        return _server_target(account, balancer, target, server)
    found = list(account.selected(parse_selector(target.selector)))
    return {
        "type": "label_selector",
        "label_selector": {"selector": target.selector},
        "use_private_ip": target.private,
        "targets": [_server_target(account, balancer, target, server) for server in found],
    }


def _server_target(account: Account, balancer: LoadBalancer, target: Target, server: Server) -> Words:
    return {
        "type": "server",
        "server": {"id": server.id},
        "use_private_ip": target.private,
        "health_status": [
            {
                "listen_port": service["listen_port"],
                "status": account.health(balancer, target, server, service),
            }
            for service in balancer.services
        ],
    }


def _unknown(balancer: LoadBalancer) -> list[dict[str, Any]]:
    return [{"listen_port": one["listen_port"], "status": "unknown"} for one in balancer.services]
