"""What every nginx of ours has in common: how it is started, and how it speaks TLS."""

from __future__ import annotations

from rookery.design.model import Instance
from rookery.files import Program


def tls(certificate: str, key: str) -> str:
    """Return how a server speaks TLS by the certificate and the key in these files."""
    return f"""\
        ssl_certificate {certificate};
        ssl_certificate_key {key};
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:tls:1m;
        ssl_session_timeout 1h;"""


TLS = tls("/etc/rookery/tls/server.crt", "/etc/rookery/tls/server.key")


def config_path(instance: Instance) -> str:
    """Return where an instance's nginx.conf is, relative to its server's root."""
    return f"etc/rookery/{instance.name}.conf"


def pid_file(instance: Instance) -> str:
    return f"/run/{instance.name}.pid"


def nginx_program(instance: Instance, *, gated: bool = False) -> Program:
    """Return the program that keeps an nginx running; its configuration must name `pid_file`."""
    # A master that dies leaves workers that hold the port; whoever starts it again ends them first.
    argv = ("nginx", "-e", "stderr", "-c", f"/{config_path(instance)}", "-g", "daemon off;")
    return Program(name=instance.name, argv=argv, gated=gated, told="HUP")
