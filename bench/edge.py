"""Requests per second of a CDN edge with a warm cache, against bare nginx and against the gateway behind it.

How: wrk (HTTP/1.1, TLS, keep-alive) asks for one page and one picture of the lab's own site

- from the edge on the first worker, which has both in its cache (checked before: X-Cache says HIT);
- from a bare nginx in the same container: one worker process and the same TLS and certificate, the same files
  from disk, no cache, no added headers, no access log;
- from an RGW gateway directly, as the edge itself would.

Fair, because the client is the same for all three: wrk in the network of the second worker, whose address may
read the bucket, on the same machine and outside every server's limits. Each run is bounded to 5 s and goes to
the lab's own addresses only; an answer other than 2xx makes the measurement fail.

Run as root, with Debian's wrk: PYTHONPATH=src python bench/edge.py [--seconds 5] [--json]
The limits (0.9 of bare nginx, 10 times RGW) only inform: the exit status is 1 for failures alone.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import re
import shutil
import ssl
import sys
import time
from collections.abc import Iterator

import harness
from harness import FailedError, Row
from rookery.apps.cdn.nginx import DIRECT_PORT
from rookery.apps.cdn.site import SITE_BUCKET, render_site
from rookery.design.model import DaemonKind, Design, Host
from rookery.files import File
from rookery.systems.native.paths import LabPaths

PATHS = LabPaths(name=harness.NAME)
BARE_PORT = 9443
FOLDER = "var/lib/bench-nginx"  # in the server's root; gone with the lab
LONGEST = 5
CONNECTIONS = 16
BARE = f"""\
user www-data;
worker_processes 1;
pid /run/bench-nginx.pid;
error_log /{FOLDER}/error.log warn;
events {{ worker_connections 512; }}
http {{
    include /etc/nginx/mime.types;
    sendfile on;
    tcp_nopush on;
    access_log off;
    keepalive_timeout 30s;
    server {{
        listen {BARE_PORT} ssl;
        http2 on;
        root /{FOLDER}/site;
        ssl_certificate /etc/rookery/tls/server.crt;
        ssl_certificate_key /etc/rookery/tls/server.key;
        ssl_protocols TLSv1.2 TLSv1.3;
        ssl_session_cache shared:tls:1m;
        ssl_session_timeout 1h;
    }}
}}
"""


def edges(design: Design) -> tuple[Host, Host]:
    """Return the host whose edge is measured, and the one in whose network the client is."""
    hosts = [host for host in design.hosts if any(i.name == "cdn-edge" for i in host.instances)]
    if len(hosts) < 2:
        raise FailedError("this needs two edges: one is asked, the other's address may read the bucket")
    return hosts[0], hosts[1]


def chosen_files(design: Design) -> tuple[File, File]:
    """Return the site's first page and its largest picture."""
    site = render_site(design)
    page = next(file for file in site if file.path == "index.html")
    return page, max((f for f in site if f.media_type == "image/png"), key=lambda file: len(file.content))


def in_server(host: Host, *argv: str) -> None:
    words = ("shell", host.name, "--system", harness.NAME, "--", *argv)
    harness.require(harness.rookery(*words, limit=30))


@contextlib.contextmanager
def bare_nginx(host: Host, files: tuple[File, ...]) -> Iterator[None]:
    """nginx with the same files on its own port, in the same server."""
    top = PATHS.server(host.name).root / FOLDER
    for file in files:
        path = top / "site" / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    (top / "nginx.conf").write_text(BARE)
    in_server(host, "nginx", "-c", f"/{FOLDER}/nginx.conf")
    try:
        yield
    finally:
        in_server(host, "nginx", "-c", f"/{FOLDER}/nginx.conf", "-s", "stop")


def warm(host: Host, path: str) -> None:
    """Ask the edge until it answers from its cache; raises FailedError where it never does."""
    context = ssl.create_default_context(cafile=str(PATHS.ca))
    seen = ""
    for _ in range(10):
        connection = http.client.HTTPSConnection(host.address, DIRECT_PORT, timeout=5, context=context)
        connection.request("GET", path)
        answer = connection.getresponse()
        answer.read()
        connection.close()
        seen = f"{answer.status} {answer.getheader('X-Cache')}"
        if seen == "200 HIT":
            return
        time.sleep(0.2)
    raise FailedError(f"the edge does not answer {path} from its cache: {seen}")


def rate(client: Host, url: str, seconds: int) -> float:
    """Return the requests per second that wrk gets answered."""
    space = f"/run/netns/{PATHS.namespace(client.name)}"
    load = ("wrk", "--threads", "1", "--connections", str(CONNECTIONS), "--duration", f"{seconds}s", url)
    done = harness.require(harness.run(("nsenter", f"--net={space}", *load), limit=seconds + 15))
    found = re.search(r"Requests/sec:\s+([\d.]+)", done.out)
    if found is None or "Non-2xx" in done.out or "Socket errors" in done.out:
        raise FailedError(done.tail())
    return float(found[1])


def measure(design: Design, seconds: int) -> list[Row]:
    """Measure the three for each file, one after the other."""
    edge, client = edges(design)
    store = design.object_store
    assert store is not None, "an edge is placed only where there is object storage"
    gateway = design.with_daemon(DaemonKind.RGW)[0][0]
    files = chosen_files(design)
    rows = []
    with bare_nginx(edge, files):
        for file in files:
            warm(edge, f"/{file.path}")
            bare = rate(client, f"https://{edge.address}:{BARE_PORT}/{file.path}", seconds)
            cached = rate(client, f"https://{edge.address}:{DIRECT_PORT}/{file.path}", seconds)
            origin = f"https://{gateway.address}:{store.port}/{SITE_BUCKET}/{file.path}"
            direct = rate(client, origin, seconds)
            name = f"{file.path} ({len(file.content) / 1024:.0f} KiB)"
            rows += [
                Row(name=f"{name}: edge, warm", value=cached, unit="/s"),
                Row(name=f"{name}: bare nginx", value=bare, unit="/s"),
                Row(name=f"{name}: RGW", value=direct, unit="/s"),
                Row(
                    name=f"{name}: edge to bare nginx",
                    value=cached / bare,
                    unit="",
                    limit=0.9,
                    at_least=True,
                ),
                Row(name=f"{name}: edge to RGW", value=cached / direct, unit="", limit=10, at_least=True),
            ]
    return rows


def main() -> int:
    """Print the figures; return 1 where they could not be measured."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=LONGEST, choices=range(1, LONGEST + 1))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    harness.prepare()
    if shutil.which("wrk") is None:
        print("wrk is missing: on Debian and Ubuntu, `apt-get install wrk`", file=sys.stderr)
        return 1
    try:
        with harness.spec_file() as spec, harness.lab_gone_after():
            harness.up(spec)
            rows = measure(harness.design_of(spec), options.seconds)
    except FailedError as error:
        print(error, file=sys.stderr)
        return 1
    print(json.dumps(harness.data(rows), indent=1) if options.json else harness.table(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
