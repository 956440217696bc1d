"""Requests per second of a CDN edge with a warm cache, against bare nginx and against the gateway behind it.

How: wrk (HTTP/1.1, TLS, keep-alive) asks for one page and one picture of the lab's own site

- from the edge on the first worker, which has both in its cache (checked before: X-Cache says HIT);
- from a bare nginx in the same container: one worker process and the same TLS and certificate, the same files
  from disk, no cache, no added headers, no access log; and from the same with the edge's headers added;
- from an RGW gateway directly, as the edge itself would.

Fair, because the client is the same for all of them: wrk in the network of the second worker, whose address
may read the bucket, on the same machine and outside every server's limits. All take turns in each round, and
medians are told. Each turn is bounded to 5 s and goes to the lab's own addresses only; an answer other than
2xx makes the measurement fail.

Requests per second are what two cores give a client and a server together: where the client's share (taking
TLS of large answers apart) is large, no server comes to 10 times another. So each server's own CPU time per
request is told too, of its processes alone: of a gateway without the OSDs that it reads from. The page is
just so large that bare nginx sends it as one TLS record of 16 KiB, and the edge, which adds headers, as two.

Run as root, with Debian's wrk:
PYTHONPATH=src python bench/edge.py [--rounds 3] [--seconds 5] [--json] [--record]
The limits (0.9 of bare nginx, 10 times RGW) only inform: the exit status is 1 for failures alone.
"""

from __future__ import annotations

import contextlib
import http.client
import re
import shutil
import ssl
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import harness
from harness import FailedError, Row
from rookery.apps.cdn.nginx import DIRECT_PORT, HEADERS
from rookery.apps.cdn.site.content import SITE_BUCKET, render_site
from rookery.apps.nginx import config_path
from rookery.design.model import DaemonKind, Design, Host
from rookery.files import File
from rookery.systems.lab.paths import LabPaths

PATHS = LabPaths(name=harness.NAME)
BARE_PORT = 9443
FOLDER = "var/lib/bench-nginx"  # in the server's root; gone with the lab
LONGEST = 5
CONNECTIONS = 16
_ADDED = "\n".join(
    f'        add_header {name} "{value}" always;'
    for name, value in (
        *HEADERS,
        ("X-Cache", "HIT"),
        ("X-Served-By", "worker-a"),
        ("Vary", "Accept-Encoding"),
    )
)
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
    root /{FOLDER}/site;
    ssl_certificate /etc/rookery/tls/server.crt;
    ssl_certificate_key /etc/rookery/tls/server.key;
    ssl_protocols TLSv1.2 TLSv1.3;
    ssl_session_cache shared:tls:1m;
    ssl_session_timeout 1h;
    http2 on;
    server {{ listen {BARE_PORT} ssl; }}
    server {{
        listen {BARE_PORT + 1} ssl;
{_ADDED}
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
    (top / "nginx.conf").write_text(BARE, encoding="utf-8")
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


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """One of those compared: where it is asked, and the processes that answer."""

    name: str
    host: Host
    base: str
    answers: Callable[[harness.Process], bool]

    def cpu_seconds(self) -> float:
        """Return the CPU time that its processes took so far, their threads included."""
        found = harness.processes(PATHS.cgroup(self.host.name))
        own = [process for process in found if self.answers(process)]
        children = [process for process in found if process.parent in {p.pid for p in own}]
        if not own:
            raise FailedError(f"{self.name}: no process of it runs on {self.host.name}")
        return sum(process.cpu_seconds for process in (*own, *children))


def targets(design: Design, edge: Host) -> tuple[Target, ...]:
    """Return bare nginx twice, the edge and a gateway, in the order in which they take turns."""
    store = design.object_store
    assert store is not None, "an edge is placed only where there is object storage"
    gateway = design.with_daemon(DaemonKind.RGW)[0][0]
    instance = next(i for i in edge.instances if i.name == "cdn-edge")

    def at(host: Host, port: int, folder: str = "") -> str:
        return f"https://{host.address}:{port}{folder}"

    def runs_by(config: str) -> Callable[[harness.Process], bool]:
        return lambda process: process.command.startswith("nginx: master") and config in process.command

    return (
        Target(name="bare nginx", host=edge, base=at(edge, BARE_PORT), answers=runs_by(f"/{FOLDER}/")),
        Target(
            name="bare nginx with the edge's headers",
            host=edge,
            base=at(edge, BARE_PORT + 1),
            answers=runs_by(f"/{FOLDER}/"),
        ),
        Target(
            name="edge, warm",
            host=edge,
            base=at(edge, DIRECT_PORT),
            answers=runs_by(f"/{config_path(instance)}"),
        ),
        Target(
            name="RGW",
            host=gateway,
            base=at(gateway, store.port, f"/{SITE_BUCKET}"),
            answers=lambda process: process.command.startswith("radosgw "),
        ),
    )


def measure(design: Design, rounds: int, seconds: int) -> list[Row]:
    """Measure all of them for each file, in turns."""
    edge, client = edges(design)
    files = chosen_files(design)
    rows = []
    with bare_nginx(edge, files):
        asked = targets(design, edge)
        for file in files:
            warm(edge, f"/{file.path}")
            rates: list[list[float]] = [[] for _ in asked]
            costs: list[list[float]] = [[] for _ in asked]
            for _ in range(rounds):
                for target, seen, cost in zip(asked, rates, costs, strict=True):
                    before = target.cpu_seconds()
                    seen.append(rate(client, f"{target.base}/{file.path}", seconds))
                    cost.append((target.cpu_seconds() - before) / (seen[-1] * seconds))
            rows += rows_of(file, asked, rates, costs)
    return rows


def rows_of(
    file: File, asked: tuple[Target, ...], rates: list[list[float]], costs: list[list[float]]
) -> list[Row]:
    """Return the medians of one file, and what they are to each other."""
    name = f"{file.path} ({len(file.content) / 1024:.0f} KiB)"
    bare, headed, cached, direct = (statistics.median(seen) for seen in rates)
    bare_cost, _, cached_cost, direct_cost = (statistics.median(cost) for cost in costs)

    def ratio(what: str, value: float, limit: float | None = None) -> Row:
        return Row(name=f"{name}: {what}", value=value, unit="", limit=limit, at_least=True)

    return [
        *(
            Row(name=f"{name}: {target.name}", value=statistics.median(seen), unit="/s")
            for target, seen in zip(asked, rates, strict=True)
        ),
        *(
            Row(name=f"{name}: {target.name}, CPU", value=statistics.median(cost) * 1e6, unit="µs a request")
            for target, cost in zip(asked, costs, strict=True)
        ),
        ratio("edge to bare nginx", cached / bare, 0.9),
        ratio("edge to bare nginx with its headers", cached / headed),
        ratio("edge to RGW", cached / direct, 10),
        ratio("bare nginx to RGW", bare / direct),
        ratio("CPU of bare nginx to that of the edge", bare_cost / cached_cost),
        ratio("CPU of RGW to that of the edge", direct_cost / cached_cost, 10),
    ]


def main() -> int:
    """Print the figures; return 1 where they could not be measured."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=int, default=LONGEST, choices=range(1, LONGEST + 1))
    options = parser.parse_args()
    harness.prepare()
    if shutil.which("wrk") is None:
        print("wrk is missing: on Debian and Ubuntu, `apt-get install wrk`", file=sys.stderr)
        return 1
    try:
        with harness.spec_file() as spec, harness.lab_gone_after():
            harness.up(spec)
            rows = measure(harness.design_of(spec), max(1, options.rounds), options.seconds)
    except FailedError as error:
        print(error, file=sys.stderr)
        return 1
    harness.tell(rows, options, __file__)
    return 0


if __name__ == "__main__":
    sys.exit(main())
