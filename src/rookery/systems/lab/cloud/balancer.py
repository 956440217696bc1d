"""A load balancer as HAProxy's configuration, and its word of who is well."""

from __future__ import annotations

import csv
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from typing import Any

from rookery.clouds.hetzner.fake.machines import Sending

_STATUS = 8405  # where it says how its targets are; no service may listen there
_ASK_LIMIT = 0.5  # seconds
_ALGORITHMS = {"round_robin": "roundrobin", "least_connections": "leastconn"}


def require_services(sending: Sending) -> None:
    """Raise ValueError for a service that is not here."""
    for service in sending.services:
        if service["protocol"] == "https":
            raise ValueError("load balancers on the lab end no TLS: use a tcp service")
        if service["listen_port"] == _STATUS:
            raise ValueError(f"port {_STATUS} of load balancers on the lab is taken")


def balancer_config(sending: Sending) -> str:
    """Return HAProxy's configuration; what is behind a service is called `server-ID`."""
    return "\n".join((*_lines(sending), ""))


def _lines(sending: Sending) -> Iterator[str]:
    yield from ("defaults", "    mode tcp", "    timeout connect 5s", "    timeout client 1h")
    yield "    timeout server 1h"
    yield from (
        "frontend status",
        "    mode http",
        f"    bind *:{_STATUS}",
        "    stats enable",
        "    stats uri /",
    )
    for service in sending.services:
        yield from _service(sending, service)


def _service(sending: Sending, service: Mapping[str, Any]) -> Iterator[str]:
    check = service["health_check"]
    yield f"listen port-{service['listen_port']}"
    yield f"    mode {service['protocol']}"
    yield f"    bind *:{service['listen_port']}"
    yield f"    balance {_ALGORITHMS[sending.algorithm]}"
    if check["protocol"] == "http":
        yield f"    option httpchk GET {check['http']['path']}"
    yield f"    timeout check {check['timeout']}s"
    often = f"inter {check['interval']}s fall {check['retries']} rise {check['retries']}"
    words = f"check port {check['port']} {often}"
    words += " send-proxy" if service["proxyprotocol"] else ""
    for number, address in sorted(sending.targets.items()):
        yield f"    server server-{number} {address}:{service['destination_port']} {words}"


def ask_health(address: str) -> dict[tuple[int, int], str]:
    """Return how a load balancer's targets are, by port and server; nothing where it does not say."""
    try:
        with urllib.request.urlopen(f"http://{address}:{_STATUS}/;csv", timeout=_ASK_LIMIT) as answer:
            text = answer.read().decode().removeprefix("# ")
    except (OSError, urllib.error.URLError):
        return {}
    found = {}
    for row in csv.DictReader(text.splitlines()):
        if row["svname"].startswith("server-"):
            port, number = row["pxname"].removeprefix("port-"), row["svname"].removeprefix("server-")
            found[int(port), int(number)] = _health(row["status"])
    return found


def _health(status: str) -> str:
    if status.startswith("UP"):
        return "healthy"
    return "unhealthy" if status.startswith("DOWN") else "unknown"
