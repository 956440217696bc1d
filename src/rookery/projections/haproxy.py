"""What the load balancers of both platforms have in common: how haproxy.cfg begins, and a port of it."""

from __future__ import annotations

from rookery.design.model import Frontend

STATUS_PORT = 9000


def render_head(address: str) -> str:
    """Return the beginning of haproxy.cfg; its status page is at `address`."""
    return _HEAD.format(address=address, port=STATUS_PORT)


_HEAD = """\
global
    maxconn 2000
    nbthread 1
    user haproxy
    group haproxy
    stats socket /run/haproxy.sock mode 600 level admin

defaults
    mode tcp
    timeout connect 2s
    timeout client 1h
    timeout server 1h
    timeout check 2s
    option redispatch
    retries 2
    default-server inter 1s fastinter 250ms rise 1 fall 2 on-marked-down shutdown-sessions

frontend status
    mode http
    bind {address}:{port}
    timeout client 10s
    http-request use-service prometheus-exporter if {{ path /metrics }}
    stats enable
    stats uri /
"""


def render_listener(front: Frontend) -> str:
    """Return a port of the load balancer, the servers behind it, and what tells whether they are well."""
    port = f"port {front.check_port}" if front.check_port else ""
    check = " ".join(filter(None, (port, "" if front.check_clear else "check-ssl verify none")))
    proxy = " send-proxy-v2" if front.client_address else ""
    servers = "\n".join(
        f"    server {name} {address}:{front.backend_port} check {check}{proxy}"
        for name, address in front.backends
    )
    fallback = (
        f"    use_backend {front.fallback} if {{ nbsrv({front.name}) eq 0 }}\n" if front.fallback else ""
    )
    return f"""\
listen {front.name}
    bind :{front.port}
{fallback}\
    balance leastconn
    option httpchk GET {front.check}
    http-check expect status {front.check_status}
{servers}
"""
