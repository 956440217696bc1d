"""The configuration of one CDN edge.

nginx terminates TLS, caches what RGW serves, compresses text, answers range requests from its cache and
goes on serving what it has when the origin fails. The origin is reached over TLS at every gateway directly:
the edge balances itself, so the load balancer carries no traffic twice.
"""

from __future__ import annotations

from rookery.design.model import DaemonKind, Design, Host

# An edge answers at DIRECT_PORT without the balancer's PROXY line, for looking at one edge by itself. Both
# ports differ from all that Ceph's daemons use: hosts may be shared.
DIRECT_PORT = 8444
HEALTH_PORT = 8081

# What nginx compresses: text and fonts' and images' text forms. Pictures and WOFF2 are compressed already.
_COMPRESSED = "text/css text/plain text/javascript application/javascript application/json image/svg+xml"

# Everything on the site comes from the site itself: no script, style or frame from elsewhere.
_POLICY = "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; worker-src 'self' blob:; \
object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"

_HEADERS = (
    ("Strict-Transport-Security", "max-age=31536000"),
    ("Content-Security-Policy", _POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)

_ORIGIN = """\
            # Without a path here, nginx encodes the rewritten one itself: names may have spaces.
            proxy_pass https://origin;
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host {address};
            proxy_set_header Accept-Encoding "";
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate /etc/rookery/tls/ca.crt;
            proxy_ssl_name {name}.lab;
            proxy_ssl_session_reuse on;
            proxy_connect_timeout 2s;
            proxy_read_timeout 10s;
            proxy_next_upstream error timeout http_500 http_502 http_503 http_504;
            proxy_hide_header x-amz-request-id;
            proxy_hide_header x-rgw-object-type;
            proxy_hide_header Set-Cookie;
            proxy_intercept_errors on;

            proxy_cache site;
            proxy_cache_key $uri;
            proxy_cache_lock on;
            proxy_cache_revalidate on;
            proxy_cache_background_update on;
            proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504;
            proxy_cache_valid 200 1m;
            proxy_cache_valid 403 404 10s;
            proxy_force_ranges on;"""


def render_nginx(design: Design, host: Host, *, cache_bytes: int) -> str:
    """Return nginx.conf of the edge on `host`, whose cache may take `cache_bytes` of its disk."""
    store = design.object_store
    balancer = design.load_balancer
    assert store is not None, "an edge is placed only where there is object storage"
    assert balancer is not None, "an edge has a frontend, and with it a load balancer"
    origins = "\n".join(
        f"        server {gateway.address}:{store.port} max_fails=2 fail_timeout=5s;"
        for gateway, _ in design.with_daemon(DaemonKind.RGW)
    )
    headers = "\n".join(f'        add_header {name} "{value}" always;' for name, value in _HEADERS)
    return f"""\
user www-data;
worker_processes 1;
pid /run/nginx.pid;
error_log /var/log/nginx/error.log warn;

events {{
    worker_connections 512;
}}

http {{
    include /etc/nginx/mime.types;
    default_type application/octet-stream;
    sendfile on;
    tcp_nopush on;
    open_file_cache max=2000 inactive=60s;
    server_tokens off;
    keepalive_timeout 30s;
    log_format edge '$remote_addr [$time_iso8601] "$request" $status $body_bytes_sent '
                    '$request_time $upstream_cache_status';
    access_log /var/log/nginx/access.log edge buffer=32k flush=5s;

    gzip on;
    gzip_vary on;
    gzip_proxied any;
    gzip_comp_level 5;
    gzip_min_length 512;
    gzip_types {_COMPRESSED};

    proxy_cache_path /var/lib/nginx/cdn levels=1:2 keys_zone=site:8m max_size={cache_bytes}
                     inactive=24h use_temp_path=off;

    upstream origin {{
{origins}
        keepalive 8;
    }}

    # The balancer's own health checks come without the PROXY line: they have a port of their own.
    server {{
        listen {HEALTH_PORT};
        access_log off;
        location = /.edge/health {{ default_type text/plain; return 200 "{host.name}\\n"; }}
        location / {{ return 404; }}
    }}

    server {{
        listen 443 ssl proxy_protocol;
        listen {DIRECT_PORT} ssl;
        http2 on;
        server_name _;

        set_real_ip_from {balancer.address};
        real_ip_header proxy_protocol;

        ssl_certificate /etc/rookery/tls/server.crt;
        ssl_certificate_key /etc/rookery/tls/server.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:tls:1m;
        ssl_session_timeout 1h;

{headers}
        add_header X-Cache $upstream_cache_status always;
        add_header X-Served-By {host.name} always;

        if ($request_method !~ ^(GET|HEAD)$) {{ return 405; }}

        location = /.edge/health {{ access_log off; default_type text/plain; return 200 "{host.name}\\n"; }}

        # Gateways answer 403 for what is not there, because nobody may list the bucket: to a visitor it is
        # a page that is none. A site without a page for that gets a plain answer.
        recursive_error_pages on;

        location / {{
            rewrite ^(.*)/$ /site$1/index.html break;
            rewrite ^(.*)$ /site$1 break;
            error_page 403 404 =404 /404.html;
{_ORIGIN.format(name=design.name, address=balancer.address)}
        }}

        location = /404.html {{
            rewrite ^ /site/404.html break;
            error_page 403 404 = @none;
{_ORIGIN.format(name=design.name, address=balancer.address)}
        }}

        location @none {{ default_type text/plain; return 404 "There is no such page.\n"; }}
    }}
}}
"""
