"""The configuration of one CDN edge.

nginx terminates TLS, caches what its origins serve, compresses text, answers range requests from its cache
and goes on serving what it has when an origin fails. A folder that is asked for without its slash is sent to
where it has one, as other web servers do. Origins (the gateways, and what other applications put
under the site's paths) are reached over TLS directly: the edge balances itself, so the load balancer carries
no traffic twice.

What an edge does stands here once. Where it stands (its ports, files, and how it reaches its origins) is an
`EdgePlace`: a server of the lab has one, and a pod has another.
"""

from __future__ import annotations

from dataclasses import dataclass

from rookery.apps.cdn.settings import CdnSettings
from rookery.apps.nginx import TLS, pid_file
from rookery.design.model import DaemonKind, Design, Host, Instance, Route

# An edge answers at DIRECT_PORT without the balancer's PROXY line, for looking at one edge by itself. Both
# ports differ from all that Ceph's daemons use: hosts may be shared.
HTTPS_PORT = 443
DIRECT_PORT = 8444
HEALTH_PORT = 8081
HEALTH_PATH = "/.edge/health"

# Where the site has the whole design as one document, which is a projection beside it.
DOCUMENT = "document.html"

# What nginx compresses: text and fonts' and images' text forms. Pictures and WOFF2 are compressed already.
COMPRESSED = (
    *("text/html", "text/css", "text/plain", "text/javascript", "text/xml", "text/csv", "text/markdown"),
    *("text/calendar", "text/vtt", "text/vcard", "image/svg+xml", "image/bmp", "image/x-icon"),
    *("font/ttf", "font/otf", "application/vnd.ms-fontobject"),
    *(
        f"application/{name}"
        for name in (
            *("javascript", "json", "ld+json", "geo+json", "manifest+json", "wasm", "yaml", "toml"),
            *("xml", "xhtml+xml", "rss+xml", "atom+xml", "vnd.apple.mpegurl", "dash+xml"),
        )
    ),
)

# Everything on our own site comes from the site itself: no script, style or frame from elsewhere.
POLICY = "default-src 'self'; img-src 'self' data:; media-src 'self' blob:; worker-src 'self' blob:; \
object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'none'"

# What comes with every answer of a site that is ours. Pages of a user's own may have scripts within, frames,
# fonts from elsewhere, maps that ask for the place: what a policy refuses them, only they know.
HEADERS = (
    ("Strict-Transport-Security", "max-age=31536000"),
    ("Content-Security-Policy", POLICY),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Permissions-Policy", "camera=(), microphone=(), geolocation=()"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
)

# What the edge asks of any origin. Without a path in proxy_pass, nginx encodes a rewritten one itself: names
# may have spaces. Rewriting takes the whole path, by `(?s)` and `\z`: one with an end of a line in it would
# go to the gateways as it came otherwise, and name any bucket.
_PROXY = """\
            proxy_pass https://{upstream};
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host {host};
            proxy_set_header Accept-Encoding "";
            proxy_ssl_verify on;
            proxy_ssl_trusted_certificate {authority};
            proxy_ssl_name {name};
            proxy_ssl_session_reuse on;
            proxy_connect_timeout 2s;
            proxy_read_timeout 10s;
            proxy_next_upstream error timeout http_500 http_502 http_503 http_504;
            proxy_hide_header Set-Cookie;"""

# Gateways say how long an object may be kept; errors of theirs become pages of the site.
_BUCKET = """\
            proxy_hide_header x-amz-request-id;
            proxy_hide_header x-rgw-object-type;
            proxy_intercept_errors on;
            proxy_cache_valid 200 1m;
            proxy_cache_valid 403 404 10s;"""

_CACHE = """\
            proxy_cache site;
            proxy_cache_key $uri;
            proxy_cache_lock on;
            proxy_cache_revalidate on;
            proxy_cache_background_update on;
            proxy_cache_use_stale error timeout updating http_500 http_502 http_503 http_504;
            proxy_force_ranges on;"""

# A live playlist is worth nothing when it is old: who asks gets the new one or an error, not the last one.
_FRESH_CACHE = """\
            proxy_cache site;
            proxy_cache_key $uri;
            proxy_cache_lock on;
            proxy_cache_lock_timeout 2s;
            proxy_cache_use_stale updating;
            proxy_cache_background_update off;"""


# Where an edge asks itself whether a folder has a page; nobody else may.
_FOLDER_PAGE = "/.edge/folder"

# The upstream that serves objects: the gateways.
OBJECTS = "objects"

# Where an edge on a server keeps what it fetched.
CACHE = "/var/lib/nginx/cdn"


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """How an edge reaches what serves for it.

    `servers` are nginx's own words for them (`10.1.2.3:443 max_fails=2`); `name` is what their certificate
    must have, `host` what they are asked as.
    """

    servers: tuple[str, ...]
    name: str
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class EdgePlace:
    """Where an edge stands.

    `head` are lines for nginx itself (its user, its files), `access_log` is where requests are logged, and
    `folders` are lines that move nginx's own folders. `listens` are the ports of the site, `client` the lines
    that find out a client's address; `name` says in answers which edge it was. `origins` has the gateways as
    OBJECTS, and each route with backends as `origin_name` calls it.
    """

    head: tuple[str, ...]
    access_log: str
    folders: tuple[str, ...]
    cache: str
    tls: str
    authority: str
    listens: tuple[str, ...]
    client: tuple[str, ...]
    name: str
    origins: tuple[tuple[str, Origin], ...]


def origin_name(route: Route) -> str:
    """Return the name of a route's upstream: `/api/` is `route-api`."""
    return f"route-{route.path.strip('/').replace('/', '-')}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """The site that an edge serves: its cache may take `cache_bytes` of the disk.

    `headers` are name and value of what comes with every answer where the site is a folder of the user's own;
    None where it is ours.
    """

    cache_bytes: int
    headers: tuple[tuple[str, str], ...] | None = None


def site_of(settings: CdnSettings) -> Site:
    """Return the site that settings ask for."""
    own = None if settings.site is None else tuple(sorted(settings.headers.items()))
    return Site(cache_bytes=int(settings.cache), headers=own)


def render_nginx(design: Design, host: Host, instance: Instance, site: Site) -> str:
    """Return nginx.conf of the edge on a server, `host`."""
    return render_edge(_server_place(design, host, instance), design.routes, site)


def render_edge(place: EdgePlace, routes: tuple[Route, ...], site: Site) -> str:
    """Return nginx.conf of an edge."""
    parts = (
        "\n".join(place.head) + "\n",
        _HEAD.format(
            access_log=place.access_log,
            folders="".join(f"    {line}\n" for line in place.folders),
            types=" ".join(COMPRESSED[1:]),  # nginx has the first one always
            cache=place.cache,
            cache_bytes=site.cache_bytes,
            policy="" if site.headers is not None else _POLICY_MAP.format(policy=POLICY, document=DOCUMENT),
        ),
        *(_upstream(name, origin) for name, origin in place.origins),
        _HEALTH.format(port=HEALTH_PORT, path=HEALTH_PATH, name=place.name),
        _server(place, routes, site),
        "}\n",
    )
    return "\n".join(parts)


def _server_place(design: Design, host: Host, instance: Instance) -> EdgePlace:
    balancer, store = design.load_balancer, design.object_store
    assert balancer is not None, "an edge has a frontend, and with it a load balancer"
    assert store is not None, "an edge is placed only where there is object storage"
    gateways = tuple((gateway.name, gateway.address) for gateway, _ in design.with_daemon(DaemonKind.RGW))

    def origin(backends: tuple[tuple[str, str], ...], port: int) -> Origin:
        servers = tuple(f"{address}:{port} max_fails=2 fail_timeout=5s" for _, address in backends)
        return Origin(servers=servers, name=f"{design.name}.lab", host=balancer.address)

    routes = (route for route in design.routes if route.backends)
    return EdgePlace(
        head=(
            "user www-data;",
            "worker_processes 1;",
            f"pid {pid_file(instance)};",
            "error_log /var/log/nginx/error.log warn;",
        ),
        access_log="/var/log/nginx/access.log",
        folders=(),
        cache=CACHE,
        tls=TLS,
        authority="/etc/rookery/tls/ca.crt",
        listens=("443 ssl proxy_protocol", f"{DIRECT_PORT} ssl"),
        client=(f"set_real_ip_from {balancer.address};", "real_ip_header proxy_protocol;"),
        name=host.name,
        origins=(
            (OBJECTS, origin(gateways, store.port)),
            *((origin_name(route), origin(route.backends, route.port)) for route in routes),
        ),
    )


_HEAD = """\
events {{
    worker_connections 1024;
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
{folders}    access_log {access_log} edge buffer=32k flush=5s;

    gzip on;
    gzip_vary on;
    gzip_proxied any;
    gzip_comp_level 5;
    gzip_min_length 512;
    gzip_types {types};

{policy}    # Where a folder is that was asked for without its slash, on the host and port of whoever asked.
    map $request_uri $folder {{
        "~^/+(?<asked>[^?]*)(?<query>.*)$" /$asked/$query;
    }}

    proxy_cache_path {cache} levels=1:2 keys_zone=site:8m max_size={cache_bytes}
                     inactive=24h use_temp_path=off;
"""

_POLICY_MAP = """\
    # As it was asked for: on the way to the bucket, a path gets the bucket's name.
    map $request_uri $content_policy {{
        default "{policy}";
        # The design as one file carries its style and its font inside.
        /{document} "{policy}; style-src 'self' 'unsafe-inline'; font-src data:";
    }}

"""

# The balancer's own health checks come without the PROXY line: they have a port of their own.
_HEALTH = """\
    server {{
        listen {port};
        access_log off;
        location = {path} {{ default_type text/plain; return 200 "{name}\\n"; }}
        location / {{ return 404; }}
    }}
"""


def _upstream(name: str, origin: Origin) -> str:
    servers = "\n".join(f"        server {server};" for server in origin.servers)
    return f"    upstream {name} {{\n{servers}\n        keepalive 8;\n    }}\n"


def _headers(site: Site) -> str:
    """Return the lines that add the headers of every answer."""
    if site.headers is None:
        said = {POLICY: "$content_policy"}  # which depends on the page
        pairs = [(name, said.get(value, value)) for name, value in HEADERS]
    else:
        pairs = [(name, value.replace("\\", "\\\\").replace('"', '\\"')) for name, value in site.headers]
    return "".join(f'        add_header {name} "{value}" always;\n' for name, value in pairs)


def _server(place: EdgePlace, routes: tuple[Route, ...], site: Site) -> str:
    locations = "\n".join((*(_route(place, route) for route in routes), _site(place)))
    listens = "\n".join(f"        listen {listen};" for listen in place.listens)
    client = "".join(f"        {line}\n" for line in place.client) + ("\n" if place.client else "")
    return f"""\
    server {{
{listens}
        http2 on;
        server_name _;
        absolute_redirect off;

{client}{place.tls}

{_headers(site)}        add_header X-Cache $upstream_cache_status always;
        add_header X-Served-By {place.name} always;

        location = {HEALTH_PATH} {{ access_log off; default_type text/plain; return 200 "{place.name}\\n"; }}

        # Gateways answer 403 for what is not there, because nobody may list the bucket: to a visitor it is
        # a page that is none. A site without a page for that gets a plain answer.
        recursive_error_pages on;

{locations}
    }}
"""


_READING = "            if ($request_method !~ ^(GET|HEAD)$) { return 405; }\n"


def _route(place: EdgePlace, route: Route) -> str:
    """Return the location of a route: objects of another bucket, or another application's backends."""
    if route.bucket:
        return f"""\
        location {route.path} {{
{_READING}            rewrite (?s)^{route.path}(.*)\\z /{route.bucket}/$1 break;
            error_page 403 404 =404 @none;
{_proxy(place, OBJECTS)}
{_BUCKET}
{_CACHE}
        }}
"""
    reading = "" if route.writes else _READING
    return f"""\
        location {route.path} {{
{reading}            client_max_body_size 1m;
            proxy_hide_header X-Served-By;
{_proxy(place, origin_name(route))}
{_FRESH_CACHE}
        }}
"""


def _site(place: EdgePlace) -> str:
    """Return the locations of the site's own bucket."""
    origin = "\n".join((_proxy(place, OBJECTS), _BUCKET, _CACHE))
    return f"""\
        location / {{
{_READING}            rewrite (?s)^(.*)/\\z /site$1/index.html break;
            rewrite (?s)^(.*)\\z /site$1 break;
            error_page 403 404 = @folder;
{origin}
        }}

        # What is not there may be a folder that was asked for without its slash: then its page is there.
        location @folder {{
            error_page 403 404 =404 /404.html;
            if ($uri ~ "/index\\.html\\z") {{ return 404; }}
            set $page $uri/index.html;
            auth_request {_FOLDER_PAGE};
            try_files /.none @slash;
        }}

        location @slash {{ return 301 $folder; }}

        location = {_FOLDER_PAGE} {{
            internal;
            rewrite ^ $page break;
            # An error that is not made a page here would be kept as it came, and answer for the page itself.
            error_page 403 404 = @absent;
{origin}
        }}

        # Of what a question for leave is answered with, nginx knows but 401 and 403.
        location @absent {{ return 403; }}

        location = /404.html {{
            rewrite ^ /site/404.html break;
            error_page 403 404 = @none;
{origin}
        }}

        location @none {{ default_type text/plain; return 404 "There is no such page.\\n"; }}"""


def _proxy(place: EdgePlace, upstream: str) -> str:
    origin = dict(place.origins)[upstream]
    return _PROXY.format(upstream=upstream, name=origin.name, host=origin.host, authority=place.authority)
