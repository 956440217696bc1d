"""Checks of what visitors meet: TLS, the site, its caches, the dashboard, and that nothing else is open."""

from __future__ import annotations

import json
import socket
import ssl
from collections import Counter
from pathlib import Path
from urllib.parse import quote, urlsplit

from rookery.apps.cdn.nginx import COMPRESSED, DIRECT_PORT
from rookery.apps.cdn.settings import CdnSettings
from rookery.apps.streaming.guest.packing.folders import is_utf8, walk
from rookery.design.model import DaemonKind, Design, Host, Role
from rookery.drivers.clients.http import Answer, Browser
from rookery.run.verify.result import Evidence, Subject, failed, judged, not_observed, passed

# Ceph's daemons without a fixed port take one in this range (ms_bind_port_min and _max).
_CEPH_PORTS = range(6800, 7569)
_BALANCER_STATUS_PORT = 9000
_HTTPS = 443
_WORTH_COMPRESSING = 1024  # bytes; smaller text gains nothing
_HEADERS = (
    "strict-transport-security",
    "content-security-policy",
    "x-content-type-options",
    "referrer-policy",
)


def tls_chain(subject: Subject) -> Evidence:
    """Each service shows a certificate of the system's authority for its address or name, and of no other."""
    wrong: list[str] = []
    names: dict[str, None] = {}
    ours = ssl.create_default_context(cafile=str(subject.system.ca_file))
    strangers = ssl.create_default_context()
    for endpoint in subject.endpoints:
        url = urlsplit(endpoint.url)
        name, port = url.hostname or "", url.port or _HTTPS
        place = (subject.system.addresses.get(name, name), port)
        names[name] = None
        if problem := _handshake(ours, place, name):
            wrong.append(f"{endpoint.name}: {problem}")
        if not _handshake(strangers, place, name):
            wrong.append(f"{endpoint.name}: trusted by a client that does not know the authority")
    services = ", ".join(endpoint.name for endpoint in subject.endpoints)
    return judged(
        not wrong, "; ".join(wrong) or f"{services}: valid for {', '.join(names)}, trusted by our CA only"
    )


def _handshake(context: ssl.SSLContext, place: tuple[str, int], name: str) -> str:
    """Return why a TLS handshake fails, empty where it does not."""
    try:
        with (
            socket.create_connection(place, timeout=5) as plain,
            context.wrap_socket(plain, server_hostname=name) as secure,
        ):
            return "" if secure.version() in ("TLSv1.2", "TLSv1.3") else f"speaks {secure.version()}"
    except (OSError, ssl.SSLError) as error:
        return str(error)


def site_served(subject: Subject) -> Evidence:
    """A page comes through the balancer with its headers, and a page that is none is 404."""
    path, wanted = start_page(subject.design), _wanted_headers(subject.design)
    page = subject.browser.get(f"{subject.url('site')}{path}")
    if page.status != 200:
        return failed(f"{_called(path)} answers {page.status or page.error}")
    missing = [name for name in wanted if name not in page.headers]
    if missing:
        return failed(f"without {', '.join(missing)}")
    absent = subject.browser.get(f"{subject.url('site')}/no-such-page-{subject.mark}")
    if absent.status != 404:
        return failed(f"a page that is none answers {absent.status}")
    said = f" with {len(wanted)} headers of its policy" if wanted else ""
    return passed(f"{_called(path)}: {len(page.body)} bytes{said}; a page that is none is 404")


def start_page(design: Design) -> str:
    """Return the path of a page that the site has: the first one, or a file of a user's folder without it."""
    folder = _settings(design).site
    if folder is None or (Path(folder) / "index.html").is_file():
        return "/"
    names = sorted(
        one.name for one in walk(Path(folder)) if not (one.hidden or one.why) and is_utf8(one.name)
    )
    hidden = tuple(route.path for route in design.routes)
    return next((f"/{quote(name)}" for name in names if not f"/{name}".startswith(hidden)), "/")


def _called(path: str) -> str:
    return "the start page" if path == "/" else path


def _wanted_headers(design: Design) -> tuple[str, ...]:
    """Return the names of the headers that every page has: ours, or those of the spec for a user's own."""
    settings = _settings(design)
    return _HEADERS if settings.site is None else tuple(sorted(name.lower() for name in settings.headers))


def _settings(design: Design) -> CdnSettings:
    found = next(app.settings for app in design.apps if app.name == "cdn")
    assert isinstance(found, CdnSettings)
    return found


def cached_on_every_edge(subject: Subject) -> Evidence:
    """Asked twice for the same asset, each edge answers the second time from its own cache."""
    edges = _edges(subject.design)
    hits = []
    for host in edges:
        url = f"https://{host.address}:{DIRECT_PORT}{start_page(subject.design)}"
        answers = [subject.browser.get(url) for _ in range(2)]
        if any(answer.status != 200 for answer in answers):
            return failed(f"{host.name} answers {answers[-1].status or answers[-1].error}")
        if answers[1].headers.get("x-served-by") != host.name:
            return failed(f"{host.name} says that it is {answers[1].headers.get('x-served-by')}")
        hits.append(answers[1].headers.get("x-cache", "none"))
    good = all(hit in ("HIT", "REVALIDATED", "UPDATING") for hit in hits)
    seen = ", ".join(f"{host.name} {hit}" for host, hit in zip(edges, hits, strict=True))
    return judged(good, f"second request: {seen}")


def http_caching(subject: Subject) -> Evidence:
    """Browsers can revalidate (ETag), ask for a part (range) and get text compressed."""
    url = f"{subject.url('site')}{start_page(subject.design)}"
    # One connection leads to one edge; another may still hold an older page, for as long as it may be cached.
    with Browser(str(subject.system.ca_file), subject.system.addresses) as browser:
        page = browser.get(url, headers={"Accept-Encoding": "identity"})
        etag = page.headers.get("etag", "")
        again = browser.get(url, headers={"If-None-Match": etag, "Accept-Encoding": "identity"})
        if again.status == 200 and again.headers.get("etag", etag) != etag:
            # The edge handed out an expired page once more, while it fetched what is there now.
            page, etag = again, again.headers["etag"]
            again = browser.get(url, headers={"If-None-Match": etag, "Accept-Encoding": "identity"})
        part = browser.get(url, headers={"Range": "bytes=0-99", "Accept-Encoding": "identity"})
        small = browser.get(url, headers={"Accept-Encoding": "gzip"})
    wrong = []
    if not etag or again.status != 304:
        wrong.append(f"If-None-Match {etag or 'without ETag'} answers {again.status}")
    if page.body and (part.status != 206 or part.body != page.body[:100]):
        wrong.append(f"a range of 100 bytes answers {part.status} with {len(part.body)}")
    if _is_worth_compressing(page) and small.headers.get("content-encoding") != "gzip":
        wrong.append("text is not compressed")
    if "cache-control" not in page.headers:
        wrong.append("no Cache-Control")
    return judged(not wrong, "; ".join(wrong) or "ETag revalidates, ranges work, text is compressed")


def _is_worth_compressing(page: Answer) -> bool:
    kind = page.headers.get("content-type", "").partition(";")[0]
    return (
        len(page.body) >= _WORTH_COMPRESSING and kind in COMPRESSED and "content-encoding" not in page.headers
    )


def instances_apart(subject: Subject) -> Evidence:
    """Each component runs as often as designed, and no two of its instances share a host."""
    where: dict[str, list[str]] = {}
    for status in subject.hosts:
        for program in status.programs:
            if program.running:
                where.setdefault(program.name, []).append(status.name)
    wanted = Counter(instance.name for host in subject.design.hosts for instance in host.instances)
    wrong = []
    for name, count in wanted.items():
        hosts = Counter(where.get(name, ()))
        if hosts.total() < count:
            wrong.append(f"{hosts.total()} of {count} {name}, on {', '.join(hosts) or 'no host'}")
        elif len(hosts) < hosts.total():
            shared = ", ".join(host for host, number in hosts.items() if number > 1)
            wrong.append(f"{name} shares {shared}")
    return judged(not wrong, "; ".join(wrong) or ", ".join(f"{n} {name}" for name, n in wanted.items()))


def dashboard_login(subject: Subject) -> Evidence:
    """The dashboard lets its user in, and nobody with another password."""
    endpoint = subject.endpoint("dashboard")
    assert endpoint.credentials is not None
    user = endpoint.credentials.user
    right = _login(subject, user, endpoint.credentials.password)
    wrong = _login(subject, user, f"not-{subject.mark}")
    if right == 0 or wrong == 0:
        return not_observed("the dashboard does not answer")
    return judged(right == 201 and wrong in (400, 401), f"right password {right}, wrong password {wrong}")


def _login(subject: Subject, user: str, password: str) -> int:
    headers = {"Accept": "application/vnd.ceph.api.v1.0+json", "Content-Type": "application/json"}
    body = json.dumps({"username": user, "password": password}).encode()
    url = f"{subject.url('dashboard')}/api/auth"
    return subject.browser.send("POST", url, headers=headers, body=body).status


def programs_run(subject: Subject) -> Evidence:
    """Every host runs, and every program that its supervisor has."""
    statuses = subject.hosts
    down = [status.name for status in statuses if not status.running]
    down += [f"{p.name} on {p.host} ({p.detail})" for s in statuses for p in s.programs if not p.running]
    total = sum(len(status.programs) for status in statuses)
    return judged(
        not down, f"not running: {', '.join(down)}" if down else f"{total} on {len(statuses)} hosts"
    )


def nothing_else_listens(subject: Subject) -> Evidence:
    """Every listening port belongs to the design; what a host keeps to itself (loopback) does not count."""
    listeners = subject.system.listeners()
    if not listeners:
        return not_observed("no listening sockets could be read")
    hosts = {host.name: host for host in subject.design.hosts}
    allowed = {name: _allowed_ports(subject.design, host) for name, host in hosts.items()}
    strange = [
        f"{entry.host} {entry.address}:{entry.port}"
        for entry in listeners
        if not entry.address.startswith("127.")
        and entry.address != "::1"
        and entry.port not in allowed[entry.host]
        and not (hosts[entry.host].daemons and entry.port in _CEPH_PORTS)
    ]
    return judged(
        not strange, f"unexpected: {', '.join(strange)}" if strange else f"{len(listeners)}, all designed"
    )


def _allowed_ports(design: Design, host: Host) -> frozenset[int]:
    ports = {port for daemon in host.daemons for port in daemon.ports}
    ports |= {port for instance in host.instances for port in instance.ports}
    if Role.LOAD_BALANCER in host.roles:
        ports |= {front.port for front in design.frontends} | {_BALANCER_STATUS_PORT}
    if design.dashboard and host.daemons_of(DaemonKind.MGR):
        ports |= {front.backend_port for front in design.frontends if front.name == "dashboard"}
    return frozenset(ports)


def _edges(design: Design) -> tuple[Host, ...]:
    return tuple(host for host in design.hosts if any(i.app == "cdn" for i in host.instances))
