"""HAProxy's two places in a native system: the load balancer, and the dashboard's TLS.

The load balancer does what a cloud's does. It passes TCP through, so TLS ends where it ends on a cloud: at
the edges, the gateways, the managers. Its health checks are HTTP, as a cloud's are.

A manager's dashboard answers on its own host only; HAProxy beside it speaks TLS to the world. The
dashboard's own TLS cannot be used with Debian's Python: see docs/decisions/0005-mgr-on-debian.md.
"""

from __future__ import annotations

from rookery.design.model import Design, Frontend, Host
from rookery.design.placement import DASHBOARD_PORT

STATUS_PORT = 9000
DASHBOARD_LOCAL_PORT = 8080


def render_haproxy(design: Design, host: Host) -> str:
    """Return haproxy.cfg of the load balancer `host`."""
    parts = [_HEAD.format(address=host.address, port=STATUS_PORT)]
    parts += [_frontend(front) for front in design.frontends]
    return "\n".join(parts)


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


def _frontend(front: Frontend) -> str:
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


def render_dashboard_tls(host: Host) -> str:
    """Return haproxy.cfg of the TLS in front of the dashboard on a manager's host."""
    return f"""\
global
    maxconn 200
    nbthread 1
    user haproxy
    group haproxy
    ssl-default-bind-options ssl-min-ver TLSv1.2

defaults
    mode http
    timeout connect 2s
    timeout client 60s
    timeout server 60s

listen dashboard
    bind {host.address}:{DASHBOARD_PORT} ssl crt /etc/rookery/tls/server.pem alpn h2,http/1.1
    option forwardfor
    http-request set-header X-Forwarded-Proto https
    server local 127.0.0.1:{DASHBOARD_LOCAL_PORT}
"""
