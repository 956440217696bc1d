"""Checks of films, music, the live channel and the catalogue: played to the end, and counted."""

from __future__ import annotations

import json
import re
import time
import uuid
from concurrent.futures import ThreadPoolExecutor

from rookery.apps.streaming.media import Title, parse_index
from rookery.drivers.machine.process import CommandError
from rookery.run.verify.result import Evidence, Subject, failed, judged, not_observed, passed

_CA = "/etc/rookery/tls/ca.crt"
# A title longer than this, in seconds, is decoded at its beginning and its end only: a check has its limits.
_WHOLE = 180.0
_PART = 30.0
_DECODE_LIMIT = 240.0
_LIVE_LIMIT = 25.0
_LEAST_SEGMENT = 1000  # bytes; one of two seconds has a hundred times as many
_SEQUENCE = re.compile(r"#EXT-X-MEDIA-SEQUENCE:(\d+)")


def renditions_play(subject: Subject) -> Evidence:
    """Every rendition of every title comes through the CDN and decodes from its first frame to its last."""
    titles = _titles(subject)
    if not titles:
        return failed("there is no title")
    jobs = [(title, variant) for title in titles for variant in _variants(subject, title)]
    with ThreadPoolExecutor(max_workers=2) as pool:
        problems = [p for p in pool.map(lambda job: _decode(subject, *job), jobs) if p]
    if problems:
        return failed("; ".join(problems[:3]))
    long = sum(title.seconds > _WHOLE for title in titles)
    parts = f", {long} of them at beginning and end only" if long else ", to the end"
    return passed(f"{len(jobs)} renditions of {len(titles)} titles decoded{parts}")


def _titles(subject: Subject) -> tuple[Title, ...]:
    answer = subject.browser.get(f"{subject.url('site')}/media/index.json")
    if answer.status != 200:
        raise ConnectionError(f"the index of titles answers {answer.status or answer.error}")
    return parse_index(answer.body.decode())


def _variants(subject: Subject, title: Title) -> list[str]:
    """Return the playlists that a master playlist names, as URLs."""
    master = f"{subject.url('site')}/media/{title.master}"
    answer = subject.browser.get(master)
    if answer.status != 200:
        raise ConnectionError(f"{title.master} answers {answer.status or answer.error}")
    lines = answer.body.decode().splitlines()
    named = [line for line in lines if line and not line.startswith("#")]
    named += [uri for line in lines for uri in re.findall(r'^#EXT-X-MEDIA:.*URI="([^"]+)"', line)]
    return [f"{master.rpartition('/')[0]}/{name}" for name in dict.fromkeys(named)]


def _decode(subject: Subject, title: Title, url: str) -> str:
    """Decode one rendition on the admin host; return what is wrong with it, empty where nothing is."""
    ranges = [(0.0, 0.0)] if title.seconds <= _WHOLE else [(0.0, _PART), (title.seconds - _PART, 0.0)]
    decoded = 0.0
    for start, length in ranges:
        span = (*(("-ss", f"{start}") if start else ()), *(("-t", f"{length}") if length else ()))
        argv = (
            *("ffmpeg", "-nostdin", "-v", "error", "-xerror", "-threads", "1"),
            *("-tls_verify", "1", "-ca_file", _CA, *span, "-i", url),
            *("-map", "0", "-f", "null", "-progress", "pipe:1", "-nostats", "-"),
        )
        try:
            said = subject.system.execute(subject.design.admin_host.name, argv, timeout=_DECODE_LIMIT)
        except CommandError as error:
            return f"{_short(url)}: {(error.details or (error.what,))[-1]}"
        reached = [int(us) for us in re.findall(r"^out_time_us=(\d+)", said, re.MULTILINE)]
        decoded += max(reached, default=0) / 1e6
    expected = title.seconds if title.seconds <= _WHOLE else 2 * _PART
    # Audio frames and the last video frame end a little beside the picture.
    return "" if abs(decoded - expected) < 1.0 else f"{_short(url)}: {decoded:.1f} of {expected:.1f} s"


def _short(url: str) -> str:
    return "/".join(url.split("/")[-3:])


def live_advances(subject: Subject) -> Evidence:
    """The live playlist moves on while one waits, and its newest segment is there."""
    url = f"{subject.url('site')}/live/live.m3u8"
    began = time.monotonic()
    first = _sequence(subject, url)
    while first is None and time.monotonic() - began < _LIVE_LIMIT:
        time.sleep(0.25)
        first = _sequence(subject, url)
    if first is None:
        return failed(f"no live playlist at {url} within {_LIVE_LIMIT:.0f} s")
    late = time.monotonic() - began
    began = time.monotonic()
    now = first
    while now <= first and time.monotonic() - began < _LIVE_LIMIT:
        time.sleep(0.25)
        now = _sequence(subject, url) or now
    waited = time.monotonic() - began
    if now <= first:
        return failed(f"the live playlist stands still at {first} for {waited:.0f} s")
    there = f"answered after {late:.0f} s, " if late > 1 else ""
    good, seen = _newest_segment(subject, url)
    return judged(good, f"{there}moved on after {waited:.1f} s; newest segment {seen}")


def _newest_segment(subject: Subject, url: str) -> tuple[bool, str]:
    """Return whether the newest segment of a live playlist is there, and what was seen of it.

    A read of a PG that is just being moved waits; a player waits with it, and asks again.
    """
    began = time.monotonic()
    while True:
        lines = subject.browser.get(url).body.decode(errors="replace").splitlines()
        segment = next((line for line in reversed(lines) if line and not line.startswith("#")), "")
        answer = subject.browser.get(f"{url.rpartition('/')[0]}/{segment}")
        good = bool(segment) and answer.status == 200 and len(answer.body) > _LEAST_SEGMENT
        waited = time.monotonic() - began
        if good or waited > _LIVE_LIMIT:
            break
        time.sleep(0.25)
    size = f"{len(answer.body) // 1024} KiB"
    seen = size if answer.status == 200 else f"answers {answer.status or answer.error}"
    return good, f"{seen} after {waited:.0f} s" if waited > 1 else seen


def _sequence(subject: Subject, url: str) -> int | None:
    """Return the number of the newest segment that a live playlist names."""
    answer = subject.browser.get(url)
    found = _SEQUENCE.search(answer.body.decode(errors="replace")) if answer.status == 200 else None
    return int(found[1]) + answer.body.count(b"#EXTINF") if found else None


def live_on_every_origin(subject: Subject) -> Evidence:
    """Every origin serves the channel by itself."""
    route = next(route for route in subject.design.routes if route.path == "/live/")
    began = time.monotonic()
    statuses: dict[str, int] = {}
    for name, address in route.backends:
        url = f"https://{address}:{route.port}/live/live.m3u8"
        statuses[name] = subject.browser.get(url).status
        while statuses[name] != 200 and time.monotonic() - began < _LIVE_LIMIT:
            time.sleep(0.25)
            statuses[name] = subject.browser.get(url).status
    silent = [f"{name} answers {status}" for name, status in statuses.items() if status != 200]
    return judged(not silent, ", ".join(silent) or f"served by {', '.join(statuses)}")


def plays_counted(subject: Subject) -> Evidence:
    """A play that the catalogue acknowledged is counted at once, once, and by every instance."""
    site = subject.url("site")
    titles = json.loads(subject.browser.get(f"{site}/api/titles").body)
    entries = titles["titles"] if isinstance(titles, dict) else titles
    if not entries:
        return failed("the catalogue has no titles")
    title = entries[0]["id"]
    before = _plays(subject, site, title)
    body = json.dumps({"id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"verify:{subject.mark}"))}).encode()
    headers = {"Content-Type": "application/json"}
    statuses = [
        subject.browser.send("POST", f"{site}/api/titles/{title}/plays", headers=headers, body=body).status
        for _ in range(2)
    ]
    if statuses != [201, 200]:
        return failed(f"recording the same play twice answers {statuses}, not 201 and 200")
    route = next(route for route in subject.design.routes if route.path == "/api/")
    after = {
        name: _plays(subject, f"https://{address}:{route.port}", title) for name, address in route.backends
    }
    # Others may play too; fewer than one more would be a play lost, and everybody sees at least that.
    if any(count < before + 1 for count in after.values()):
        return failed(f"{before} plays before, then {after}")
    return passed(f"{title}: {before} plays, then {max(after.values())}, on {', '.join(after)}")


def _plays(subject: Subject, base: str, title: str) -> int:
    answer = subject.browser.get(f"{base}/api/titles/{title}", headers={"Cache-Control": "no-cache"})
    if answer.status != 200:
        raise ConnectionError(f"{base} answers {answer.status or answer.error}")
    return int(json.loads(answer.body)["plays"])


def catalogue_health(subject: Subject) -> Evidence:
    """Every instance is ready: it reaches the database."""
    route = next(route for route in subject.design.routes if route.path == "/api/")
    statuses = {
        name: subject.browser.get(f"https://{address}:{route.port}/api/health/ready").status
        for name, address in route.backends
    }
    if not statuses:
        return not_observed("there is no instance")
    wrong = [f"{name} answers {status}" for name, status in statuses.items() if status != 200]
    return judged(not wrong, ", ".join(wrong) or f"ready on {', '.join(statuses)}")
