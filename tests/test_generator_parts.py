"""The load generator's parts: how it measures, keeps to its space, signs and reads."""

from __future__ import annotations

import asyncio
import json
import math
import random
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rookery.load.guest.generator.cluster import Cluster, judge
from rookery.load.guest.generator.histogram import Histogram
from rookery.load.guest.generator.meters import Meter, Series
from rookery.load.guest.generator.playlists import Segment, parse_master, parse_media
from rookery.load.guest.generator.schedule import Arrivals, Schedule
from rookery.load.guest.generator.sigv4 import UNSIGNED, Keys, encoded_query, signed_headers
from rookery.load.guest.generator.slots import LARGEST, SMALLEST, Shelf, slot_sizes
from rookery.load.guest.generator.viewers import Pace

# ---- Measuring ----


@settings(deadline=None)
@given(st.lists(st.floats(min_value=1e-5, max_value=3000), min_size=1, max_size=200))
def test_percentiles_are_right_to_two_percent(times: list[float]) -> None:
    histogram = Histogram()
    for seconds in times:
        histogram.add(seconds)
    ordered = sorted(times)
    for percent in (1, 50, 95, 99, 100):
        exact = ordered[math.ceil(len(ordered) * percent / 100) - 1]
        assert histogram.percentile(percent) == pytest.approx(exact, rel=0.0201)
    assert histogram.largest == max(times)
    assert histogram.count == len(times)


@settings(deadline=None)
@given(st.lists(st.floats(1e-6, 10)), st.lists(st.floats(1e-6, 10)))
def test_merged_histograms_are_that_of_all_events(some: list[float], others: list[float]) -> None:
    merged, other, whole = Histogram(), Histogram(), Histogram()
    for seconds in some:
        merged.add(seconds)
        whole.add(seconds)
    for seconds in others:
        other.add(seconds)
        whole.add(seconds)
    merged.merge(other)
    for percent in (50, 99):
        assert merged.percentile(percent) == whole.percentile(percent)
    assert (merged.count, merged.largest) == (whole.count, whole.largest)


def test_a_histogram_without_events_and_with_extreme_ones() -> None:
    histogram = Histogram()
    assert histogram.percentile(99) == 0
    histogram.add(0)
    histogram.add(1e9)
    assert histogram.largest == 1e9
    assert histogram.percentile(1) <= 2e-6


def test_a_time_counts_from_when_the_event_was_due() -> None:
    meter = Meter()
    now = time.monotonic()
    meter.done(due=now - 2, began=now, size=10)
    meter.done(due=now, began=now, size=10)
    figures = meter.figures(10)
    assert figures["max"] == pytest.approx(2000, rel=0.05)
    assert (figures["late"], figures["count"], figures["bytes"], figures["rate"]) == (1, 2, 20, 0.2)


def test_errors_are_counted_by_their_words_up_to_a_number_of_them() -> None:
    meter = Meter()
    for number in range(100):
        meter.failed(f"text {number}")
    meter.failed("text 1")
    figures = meter.figures(1)
    assert figures["errors"] == 101
    assert figures["error_texts"][:2] == [["others", 60], ["text 1", 2]]


def test_the_rate_now_is_of_the_last_seconds() -> None:
    meter = Meter()
    for _ in range(10):
        for _ in range(4):
            meter.done(due=time.monotonic(), size=100)
        meter.second()
    for _ in range(5):
        meter.second()
    figures = meter.figures(15)
    assert (figures["rate_now"], figures["bytes_now"]) == (0, 0)
    assert figures["rate"] == pytest.approx(40 / 15, abs=0.001)


def test_a_series_of_days_is_as_long_as_one_of_an_hour() -> None:
    series = Series(("reads",))
    for second in range(86_400):
        if second % series.interval == 0:
            series.add({"reads": [1, 0, 10, 1.0, 2.0, 3.0, float(second)]})
    data = series.data()
    points = data["kinds"]["reads"]
    assert 360 <= len(points) < 720
    assert data["interval"] == 160
    assert max(point[6] for point in points) == 86_400 - 160
    assert data["columns"][:3] == ["count", "errors", "bytes"]


def test_arrivals_come_by_the_clock() -> None:
    schedule = Schedule(rate=4, began=100)
    assert [schedule.due(n) for n in range(5)] == [100, 100.25, 100.5, 100.75, 101]


def test_a_standstill_shows_in_every_arrival_that_it_met() -> None:
    """Half a second without answers at 50 a second: 25 arrivals are late, not one."""
    meter = Meter()

    async def go() -> None:
        ending = asyncio.Event()
        still = asyncio.Event()

        async def work(due: float) -> None:
            await still.wait()
            meter.done(due=due)

        arrivals = Arrivals(rate=50, work=work, missed=meter.failed, ending=ending, at_once=100)
        running = asyncio.create_task(arrivals.run())
        await asyncio.sleep(0.5)
        still.set()
        ending.set()
        await running
        assert await arrivals.drain(1) == 0

    asyncio.run(go())
    figures = meter.figures(1)
    assert figures["count"] >= 20
    assert figures["p50"] > 200


def test_what_waits_has_an_end_and_is_counted() -> None:
    meter = Meter()

    async def go() -> None:
        ending = asyncio.Event()

        async def work(due: float) -> None:
            await asyncio.sleep(60)

        arrivals = Arrivals(rate=1000, work=work, missed=meter.failed, ending=ending, at_once=10)
        running = asyncio.create_task(arrivals.run())
        await asyncio.sleep(0.1)
        ending.set()
        await running
        assert await arrivals.drain(0.1) == 10

    asyncio.run(go())
    assert meter.texts.most_common(1)[0][0] == "not started: too many are under way"


def test_a_player_fills_its_buffer_then_keeps_pace() -> None:
    pace = Pace(100.0)
    came = 100.0
    due = []
    for _ in range(5):
        due.append(pace.due())
        came = max(came, pace.due()) + 0.1
        assert not pace.stalled(came)
        pace.position += 4
    assert due == pytest.approx([100, 100.1, 100.2, 104.1, 108.1])


def test_a_picture_that_stood_still_goes_on_from_there() -> None:
    pace = Pace(100.0)
    for came in (100.1, 100.2):
        assert not pace.stalled(came)
        pace.position += 4
    # The picture has 8 s; the third segment comes after 15.
    assert pace.stalled(115.1)
    pace.position += 4
    assert pace.due() == pytest.approx(115.1)
    assert not pace.stalled(115.2)


# ---- Space ----


@settings(deadline=None)
@given(st.integers(min_value=SMALLEST, max_value=3 * 10**8))
def test_slots_add_up_to_the_budget(budget: int) -> None:
    sizes = slot_sizes(budget)
    assert sum(sizes) == budget
    assert min(sizes) >= SMALLEST
    assert max(sizes) <= LARGEST
    # RADOS keeps an object up to this size whole in its head.
    assert LARGEST <= 4 << 20


def test_there_is_no_slot_in_no_space() -> None:
    assert slot_sizes(SMALLEST - 1) == ()


@settings(max_examples=60, deadline=None)
@given(st.integers(SMALLEST, 2 * 10**7), st.randoms(use_true_random=False), st.data())
def test_what_is_stored_never_exceeds_the_budget(budget: int, chance: random.Random, data: Any) -> None:
    """Whatever fails, half done or not: the store holds no more than `used`, and that in its budget."""
    shelf = Shelf(budget)
    stored: dict[str, int] = {}
    for _ in range(data.draw(st.integers(1, 120))):
        put = chance.random() < 0.6
        slot = shelf.take_to_put(chance) if put else shelf.take_filled(chance)
        if slot is None:
            continue
        done, told = chance.random() < 0.7, chance.random() < 0.7
        if done and put:
            stored[slot.key] = slot.size
        elif done:
            stored.pop(slot.key, None)
        assert sum(stored.values()) <= shelf.used <= budget
        shelf.put_back(slot, filled=put or not (done and told))
        assert sum(stored.values()) <= shelf.used <= budget
    shelf.clear()
    assert shelf.used == 0


# ---- S3 ----


@pytest.mark.parametrize(
    ("method", "path", "query"),
    [
        ("PUT", "/load/slot-000001", {}),
        ("GET", "/load", {"list-type": "2", "max-keys": "500"}),
        ("POST", "/load", {"delete": ""}),
        ("DELETE", "/load/a%20b/%C3%A9", {"version id": "x/y"}),
    ],
)
def test_requests_are_signed_as_amazon_signs_them(method: str, path: str, query: dict[str, str]) -> None:
    from botocore.auth import S3SigV4Auth
    from botocore.awsrequest import AWSRequest
    from botocore.credentials import Credentials

    class Unsigned(S3SigV4Auth):
        def payload(self, request: Any) -> str:
            return UNSIGNED

        def _modify_request_before_signing(self, request: Any) -> None:
            request.headers["X-Amz-Date"] = request.context["timestamp"] = "20260102T030405Z"
            request.headers["X-Amz-Content-SHA256"] = UNSIGNED

    url = f"https://10.1.2.3:8443{path}" + (f"?{encoded_query(query)}" if query else "")
    request = AWSRequest(method=method, url=url)
    request.context["timestamp"] = "20260102T030405Z"
    signer = Unsigned(Credentials("AKIA", "secret/+key"), "s3", "default")
    signer._modify_request_before_signing(request)
    string = signer.string_to_sign(request, signer.canonical_request(request))
    wanted = signer.signature(string, request)
    headers = signed_headers(
        Keys(access="AKIA", secret="secret/+key"),
        method=method, host="10.1.2.3:8443", path=path, query=query, at="20260102T030405Z",
    )  # fmt: skip
    assert headers["Authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIA/20260102/default/s3/aws4_request, "
        f"SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={wanted}"
    )


def test_keys_do_not_show() -> None:
    assert "hidden" not in repr(Keys(access="a", secret="hidden"))


# ---- Playlists ----

MASTER = """#EXTM3U
#EXT-X-STREAM-INF:AVERAGE-BANDWIDTH=1,BANDWIDTH=800000,RESOLUTION=640x360
360p/list.m3u8
#EXT-X-STREAM-INF:BANDWIDTH=2400000
/abs/720p.m3u8
"""
MEDIA = """#EXTM3U
#EXT-X-TARGETDURATION:4
#EXT-X-MEDIA-SEQUENCE:7
#EXT-X-MAP:URI="init.mp4"
#EXTINF:4.000,
a.m4s
#EXT-X-PROGRAM-DATE-TIME:2026-01-01T00:00:00Z
#EXTINF:2.5,
b.m4s
"""


def test_a_ladder_is_read() -> None:
    rungs = parse_master(MASTER, "https://x/media/t/master.m3u8")
    assert [(rung.url, rung.bandwidth) for rung in rungs] == [
        ("https://x/media/t/360p/list.m3u8", 800_000),
        ("https://x/abs/720p.m3u8", 2_400_000),
    ]
    assert parse_master(MEDIA, "https://x/live.m3u8")[0].url == "https://x/live.m3u8"
    assert parse_master("<html>", "https://x/") == ()


def test_segments_are_read() -> None:
    playlist = parse_media(MEDIA, "https://x/t/list.m3u8")
    assert (playlist.target, playlist.head) == (4.0, "https://x/t/init.mp4")
    assert playlist.segments == (
        Segment(number=7, url="https://x/t/a.m4s", seconds=4.0),
        Segment(number=8, url="https://x/t/b.m4s", seconds=2.5),
    )
    with pytest.raises(ValueError, match="no playlist"):
        parse_media("<html>", "https://x/")


def test_the_generator_ends_at_nearfull_by_either_sign() -> None:
    usage = {"nodes": [{"id": 0, "kb": 100, "kb_used": 20}, {"id": 1, "kb": 100, "kb_used": 86}]}
    dump = {"nearfull_ratio": 0.85}
    assert judge(dump, {"checks": {}}, usage).reason == "osd.1 is 86.0% full, and nearfull is 85.0%"
    raised: dict[str, Any] = {"checks": {"OSD_NEARFULL": {}, "POOL_NEARFULL": {}, "PG_DEGRADED": {}}}
    assert judge(dump, raised, None).reason == "the cluster says OSD_NEARFULL, POOL_NEARFULL"
    assert judge(dump, {}, {"nodes": [{"id": 0, "kb": 100, "kb_used": 20}]}).reason == ""
    assert judge(dump, {}, None).fullest is None


def test_what_another_sees_counts_while_it_is_fresh(tmp_path: Path) -> None:
    file = tmp_path / "cluster.json"
    cluster = Cluster({"file": str(file)})

    def look(**report: Any) -> tuple[str | None, str]:
        file.write_text(json.dumps(report))
        seen = asyncio.run(cluster.look())
        return (None if seen is None else seen.reason), cluster.error

    assert asyncio.run(cluster.look()) is None
    assert cluster.error.startswith("FileNotFoundError: ")
    usage = {"nodes": [{"id": 1, "kb": 100, "kb_used": 86}]}
    seen: dict[str, Any] = {"dump": {"nearfull_ratio": 0.85}, "health": {}, "usage": usage}
    assert look(**seen, at=time.time()) == ("osd.1 is 86.0% full, and nearfull is 85.0%", "")
    assert look(**seen, at=time.time() - 60) == (None, "OSError: the last look was 60 s ago")
    assert look(error="TimedOut: no answer", at=time.time()) == (None, "OSError: TimedOut: no answer")
