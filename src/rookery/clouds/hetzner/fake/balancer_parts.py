"""What a load balancer is made of: services with the values that are theirs unless told, and targets."""

from __future__ import annotations

from typing import Any

from rookery.clouds.hetzner.fake.account import Account
from rookery.clouds.hetzner.fake.bodies import Check, Service, ServiceHttp, TargetBody
from rookery.clouds.hetzner.fake.catalogue import BALANCER_TYPES, BalancerType
from rookery.clouds.hetzner.fake.errors import ApiError, invalid, limit_exceeded
from rookery.clouds.hetzner.fake.selectors import parse_selector
from rookery.clouds.hetzner.fake.things import LoadBalancer, Server, Target

_PORTS = {"http": (80, 80), "https": (443, 80)}


def named_size(wanted: object) -> BalancerType:
    """Return the size of load balancers that a request names."""
    for size in BALANCER_TYPES:
        if wanted == size.name or str(wanted) == str(size.id):
            return size
    raise invalid(("load_balancer_type", f"load balancer type '{wanted}' does not exist"))


def add_to_services(account: Account, balancer: LoadBalancer, said: Service) -> None:
    """Add a service; ApiError where its port is taken or the load balancer may have no more."""
    if said.protocol == "tcp" and None in (said.listen_port, said.destination_port):
        raise invalid(("listen_port", "and destination_port are needed for tcp"))
    listen, destination = _PORTS.get(said.protocol, (0, 0))
    listen, destination = said.listen_port or listen, said.destination_port or destination
    if any(one["listen_port"] == listen for one in balancer.services):
        raise ApiError("source_port_already_used", f"source port {listen} is already used")
    if len(balancer.services) >= named_size(balancer.type).services:
        raise limit_exceeded("load_balancer_service_limit")
    service: dict[str, Any] = {
        "protocol": said.protocol,
        "listen_port": listen,
        "destination_port": destination,
        "proxyprotocol": bool(said.proxyprotocol),
        "health_check": _check(said.health_check or Check(), said.protocol, destination),
    }
    if said.protocol != "tcp":
        service["http"] = _http(account, said.http or ServiceHttp(), said.protocol)
    balancer.services.append(service)


def _check(said: Check, protocol: str, port: int) -> dict[str, Any]:
    found: dict[str, Any] = {
        "protocol": said.protocol or ("tcp" if protocol == "tcp" else "http"),
        "port": said.port or port,
        "interval": said.interval or 15,
        "timeout": said.timeout or 10,
        "retries": said.retries or 3,
    }
    if found["protocol"] == "http":
        http = said.http
        found["http"] = {
            "domain": http.domain if http and http.domain else "",
            "path": http.path if http else "/",
            "response": http.response if http and http.response else "",
            "status_codes": http.status_codes if http and http.status_codes else ["2??", "3??"],
            "tls": bool(http and http.tls),
        }
    return found


def _http(account: Account, said: ServiceHttp, protocol: str) -> dict[str, Any]:
    certificates = said.certificates or []
    for wanted in certificates:
        account.named("certificates", "http.certificates", wanted)
    if protocol == "https" and not certificates:
        raise invalid(("http.certificates", "is needed for https"))
    return {
        "cookie_name": said.cookie_name or "HCLBSTICKY",
        "cookie_lifetime": said.cookie_lifetime or 300,
        "certificates": certificates,
        "redirect_http": bool(said.redirect_http),
        "sticky_sessions": bool(said.sticky_sessions),
        "timeout_idle": said.timeout_idle or 50,
    }


def require_place_for_targets(balancer: LoadBalancer, more: int) -> None:
    """Raise ApiError where a load balancer may not have so many targets."""
    if len(balancer.targets) + more > named_size(balancer.type).targets:
        raise limit_exceeded("load_balancer_target_limit")


def make_target(account: Account, balancer: LoadBalancer, said: TargetBody) -> Target:
    """Return the target that a request means; ApiError where it cannot be reached, or is there already."""
    if said.type == "ip":
        raise ApiError("ip_not_owned", "the IP is not owned by the owner of the project of the load balancer")
    private = bool(said.use_private_ip)
    if private and not balancer.links:
        raise ApiError("load_balancer_not_attached_to_network", "the load balancer is in no network")
    if said.type == "label_selector":
        if said.label_selector is None:
            raise invalid(("label_selector", "is needed for this type"))
        parse_selector(said.label_selector.selector)
        target = Target(type="label_selector", selector=said.label_selector.selector, private=private)
    else:
        if said.server is None:
            raise invalid(("server", "is needed for this type"))
        server = account.named("servers", "server", said.server.id)
        assert isinstance(server, Server)
        _require_reachable(balancer, server, private=private)
        target = Target(type="server", server=server.id, private=private)
    if any((one.server, one.selector) == (target.server, target.selector) for one in balancer.targets):
        raise ApiError("target_already_defined", "the target is already defined")
    return target


def _require_reachable(balancer: LoadBalancer, server: Server, *, private: bool) -> None:
    networks = {link.network for link in balancer.links}
    if private and not networks & {link.network for link in server.links}:
        raise ApiError(
            "resolve_cloud_private_targets_error",
            "the server is not attached to the same network as the load balancer",
        )
    if not private and not server.public:
        raise ApiError("resolve_cloud_public_targets_error", "the server has no public IPv4 address")
