"""The configuration of one origin of the live channel: it serves the folder that it has mounted from CephFS.

Any origin serves what any encoder wrote, so losing one loses nothing. Files are read by threads, so a read
that CephFS blocks holds up one request. Opening a file is the worker's own: while a metadata server fails
over, this nginx answers nothing, its health check included, and whoever balances takes another origin.

What an origin does stands here once; where it stands is an `OriginPlace`: a server of the lab has one, and a
pod has another.
"""

from __future__ import annotations

from dataclasses import dataclass

from rookery.apps.nginx import TLS, pid_file, tls
from rookery.design.model import Design, Host, Instance

ORIGIN_PORT = 8447
HEALTH_PATH = "/.origin/health"


@dataclass(frozen=True, slots=True, kw_only=True)
class OriginPlace:
    """Where an origin stands.

    `head` are lines for nginx itself (its user, its files), `scratch` is what the paths of its own folders
    begin with. `name` is what it says that it is, `names` are those that it is asked by. The channel is in
    /srv/live everywhere.
    """

    head: str
    access_log: str
    scratch: str
    name: str
    names: str
    tls: str


def server_place(design: Design, host: Host, instance: Instance) -> OriginPlace:
    """Return where the origin `instance` of a server stands."""
    name = instance.name
    return OriginPlace(
        head=f"""\
user www-data;
worker_processes 1;
pid {pid_file(instance)};
error_log /var/log/nginx/{name}.error.log warn;""",
        access_log=f"/var/log/nginx/{name}.access.log origin buffer=32k flush=5s",
        scratch=f"/var/lib/nginx/{name}",
        name=host.name,
        names=f"{host.name} {design.name}.lab",
        tls=TLS,
    )


def pod_place(names: tuple[str, ...]) -> OriginPlace:
    """Return where a pod's origin stands, whose Service has these names; what it logs, the node keeps."""
    return OriginPlace(
        head="""\
worker_processes 1;
pid /tmp/nginx.pid;
error_log stderr warn;""",
        access_log="/dev/stdout origin",
        scratch="/tmp/nginx",  # noqa: S108 - a volume of the pod's own
        name="$hostname",
        names=" ".join(names),
        tls=tls("/etc/rookery/tls/tls.crt", "/etc/rookery/tls/tls.key"),
    )


def render_origin(place: OriginPlace) -> str:
    """Return nginx.conf of the origin that stands there."""
    name, scratch = place.name, place.scratch
    return f"""\
{place.head}
# A thread that waits for CephFS holds up one request: as many as a small system has players.
thread_pool cephfs threads=32 max_queue=1024;

events {{
    worker_connections 512;
}}

http {{
    types {{
        application/vnd.apple.mpegurl m3u8;
        video/mp2t ts;
        video/iso.segment m4s;
        video/mp4 mp4;
    }}
    default_type application/octet-stream;
    server_tokens off;
    keepalive_timeout 30s;
    # An edge gives up after 10 s; whoever still waits then waits for nobody.
    send_timeout 15s;
    aio threads=cephfs;
    aio_write off;
    sendfile off;
    log_format origin '$remote_addr [$time_iso8601] "$request" $status $body_bytes_sent $request_time';
    access_log {place.access_log};
    client_body_temp_path {scratch}-body;
    proxy_temp_path {scratch}-proxy;
    fastcgi_temp_path {scratch}-fastcgi;
    uwsgi_temp_path {scratch}-uwsgi;
    scgi_temp_path {scratch}-scgi;

    server {{
        listen {ORIGIN_PORT} ssl;
        http2 on;
        server_name {place.names};

{place.tls}

        add_header X-Served-By {name} always;
        add_header Access-Control-Allow-Origin "*" always;

        if ($request_method !~ ^(GET|HEAD)$) {{ return 405; }}

        location = {HEALTH_PATH} {{
            access_log off;
            default_type text/plain;
            root /srv;
            try_files /live/live.m3u8 @unwell;
        }}
        location @unwell {{ default_type text/plain; return 503 "{name} has no channel\\n"; }}
        # What is missing where nothing is mounted another origin may have: an edge asks it after a 503.
        location @missing {{
            root /srv;
            if (!-f /srv/live/live.m3u8) {{ return 503; }}
            return 404;
        }}

        # What CephFS has not finished has a name that begins with a dot.
        location ~ /\\. {{ return 404; }}

        location ~ ^/live/[^/]+\\.m3u8$ {{
            root /srv;
            try_files $uri @missing;
            add_header Cache-Control "public, max-age=1" always;
            add_header X-Served-By {name} always;
            add_header Access-Control-Allow-Origin "*" always;
        }}
        location ~ ^/live/[^/]+\\.(ts|m4s|mp4)$ {{
            root /srv;
            try_files $uri @missing;
            add_header Cache-Control "public, max-age=3600, immutable";
            add_header X-Served-By {name} always;
            add_header Access-Control-Allow-Origin "*" always;
        }}

        location / {{ return 404; }}
    }}
}}
"""
