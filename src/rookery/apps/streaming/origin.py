"""The configuration of one origin of the live channel: it serves the folder that it has mounted from CephFS.

Any origin serves what any encoder wrote, so losing one loses nothing. Files are read by threads, so a read
that CephFS blocks holds up one request. Opening a file is the worker's own: while a metadata server fails
over, this nginx answers nothing, its health check included, and whoever balances takes another origin.
"""

from __future__ import annotations

from rookery.apps.nginx import TLS, pid_file
from rookery.design.model import Design, Host, Instance

ORIGIN_PORT = 8447


def render_origin(design: Design, host: Host, instance: Instance) -> str:
    """Return nginx.conf of the origin `instance` on `host`."""
    name = instance.name
    return f"""\
user www-data;
worker_processes 1;
pid {pid_file(instance)};
error_log /var/log/nginx/{name}.error.log warn;
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
    access_log /var/log/nginx/{name}.access.log origin buffer=32k flush=5s;
    client_body_temp_path /var/lib/nginx/{name}-body;
    proxy_temp_path /var/lib/nginx/{name}-proxy;
    fastcgi_temp_path /var/lib/nginx/{name}-fastcgi;
    uwsgi_temp_path /var/lib/nginx/{name}-uwsgi;
    scgi_temp_path /var/lib/nginx/{name}-scgi;

    server {{
        listen {ORIGIN_PORT} ssl;
        http2 on;
        server_name {host.name} {design.name}.lab;

{TLS}

        add_header X-Served-By {host.name} always;
        add_header Access-Control-Allow-Origin "*" always;

        if ($request_method !~ ^(GET|HEAD)$) {{ return 405; }}

        location = /.origin/health {{
            access_log off;
            default_type text/plain;
            root /srv;
            try_files /live/live.m3u8 @unwell;
        }}
        location @unwell {{ default_type text/plain; return 503 "{host.name} has no channel\\n"; }}

        # What CephFS has not finished has a name that begins with a dot.
        location ~ /\\. {{ return 404; }}

        location ~ ^/live/[^/]+\\.m3u8$ {{
            root /srv;
            add_header Cache-Control "public, max-age=1" always;
            add_header X-Served-By {host.name} always;
            add_header Access-Control-Allow-Origin "*" always;
        }}
        location ~ ^/live/[^/]+\\.(ts|m4s|mp4)$ {{
            root /srv;
            add_header Cache-Control "public, max-age=3600, immutable";
            add_header X-Served-By {host.name} always;
            add_header Access-Control-Allow-Origin "*" always;
        }}

        location / {{ return 404; }}
    }}
}}
"""
