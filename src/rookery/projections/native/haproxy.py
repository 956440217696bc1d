"""HAProxy's two places in a native system: the load balancer, and the dashboard's TLS.

The load balancer does what a cloud's does. It passes TCP through, so TLS ends where it ends on a cloud: at
the edges, the gateways, the managers. Its health checks are HTTP, as a cloud's are.

A manager's dashboard answers on its own host only; HAProxy beside it speaks TLS to the world. The
dashboard's own TLS cannot be used with Debian's Python: see docs/decisions/0005-mgr-on-debian.md.
"""

from __future__ import annotations

from rookery.design.model import Design, Host
from rookery.design.placement import DASHBOARD_PORT
from rookery.projections.haproxy import render_head, render_listener

DASHBOARD_LOCAL_PORT = 8080


def render_haproxy(design: Design, host: Host) -> str:
    """Return haproxy.cfg of the load balancer `host`."""
    parts = [render_head(host.address)]
    parts += [render_listener(front) for front in design.frontends]
    return "\n".join(parts)


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
