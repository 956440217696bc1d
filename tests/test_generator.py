"""The load generator at work, on a small site of the tests' own."""

from __future__ import annotations

import asyncio
import json
import os
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

from rookery.load.guest.generator.program import Run
from rookery.load.model import Figures, KindFigures, parse_figures
from tests.kit.load_site import Site, serving

BUDGET = 12_000_000
SECRETS = {"s3_access": "access", "s3_secret": "secret"}


def job(site: Site, folder: Path, **changes: Any) -> dict[str, Any]:
    viewers = {
        "count": 60, "site": site.url, "pages": True, "media": True, "live": True, "catalogue": True,
        "run": "00000000-0000-4000-8000-000000000001",
    }  # fmt: skip
    return {
        "version": 1, "system": "x", "description": "", "began": "2026-01-02T03:04:05+00:00",
        "record": "record.json", "history": "", "folder": str(folder), "ca": "", "seconds": 4.0,
        "settings": {}, "off": {},
        "viewers": viewers, "database": None, "cluster": None,
        "objects": {"rate": 60, "url": site.url, "bucket": "load", "budget": BUDGET},
        **changes,
    }  # fmt: skip


def run(
    site: Site, folder: Path, meanwhile: Callable[[Run], Awaitable[None]] | None = None, **changes: Any
) -> Figures:
    """Run a job on the site to its end; return what its status says then."""

    async def go() -> None:
        async with serving(site):
            work = Run(job(site, folder, **changes), SECRETS)
            beside = asyncio.ensure_future(meanwhile(work)) if meanwhile is not None else None
            await work.go()
            if beside is not None:
                await beside

    asyncio.run(go())
    return parse_figures((folder / "status.json").read_text())


def kind(figures: Figures, name: str) -> KindFigures:
    return next(found for found in figures.kinds if found.name == name)


def test_every_kind_moves_without_an_error(tmp_path: Path) -> None:
    site = Site()
    figures = run(site, tmp_path)
    assert {found.name: found.error_texts for found in figures.kinds if found.errors} == {}
    assert [found.name for found in figures.kinds if not found.count] == []
    assert [found.name for found in figures.kinds] == [
        "pages", "video", "audio", "live", "catalogue", "plays", "puts", "gets", "deletes",
    ]  # fmt: skip
    assert (figures.state, figures.why) == ("ended", "its time is over")
    assert len(site.plays) == len(set(site.plays)) == kind(figures, "plays").count
    assert site.asked["GET /css/a.css"] <= 60, "a browser has seen an asset once"


def test_objects_keep_to_their_budget_and_are_removed(tmp_path: Path) -> None:
    site = Site(objects={"slot-9": b"of a run that was killed"})
    seen = []

    async def look(work: Run) -> None:
        await asyncio.sleep(3)
        seen.append(work.objects.shelf.used if work.objects else 0)

    figures = run(site, tmp_path, look, viewers=None)
    assert 0 < site.most_stored <= BUDGET
    assert 0 < seen[0] <= BUDGET
    assert site.objects == {}
    assert (figures.space_used, figures.space_budget) == (0, BUDGET)


def test_the_record_has_figures_over_time_and_is_there_before_the_end(tmp_path: Path) -> None:
    """A run that is killed leaves what it had written until then; no secret is in it."""
    kept = tmp_path / "then.json"

    async def look(_work: Run) -> None:
        await asyncio.sleep(5.5)
        kept.write_bytes((tmp_path / "record.json").read_bytes())

    figures = run(Site(), tmp_path, look, viewers=None, seconds=6.5)
    text = (tmp_path / "record.json").read_text()
    record = json.loads(text)
    assert record["series"]["interval"] == 5
    points = record["series"]["kinds"]["puts"]
    assert sum(point[0] for point in points) == kind(figures, "puts").count
    assert record["ended"] is not None
    assert '"secret"' not in text
    assert (tmp_path / "record.json").stat().st_mode & 0o777 == 0o600
    then = parse_figures(kept.read_text())
    assert then.running
    assert kind(then, "puts").count > 0


def test_viewers_live_with_a_site_that_fails(tmp_path: Path) -> None:
    """An error counts once, and the viewer goes on."""
    fails = iter(range(10**9))
    site = Site(broken=lambda _method, path: path.endswith(".ts") and next(fails) % 3 == 0)
    figures = run(site, tmp_path, objects=None)
    for name in ("video", "live"):
        found = kind(figures, name)
        assert found.count > found.errors > 0
        assert [text for text, _ in found.error_texts] == ["HTTP 503"]


def test_a_put_that_got_no_answer_keeps_its_space(tmp_path: Path) -> None:
    """What nobody knows to be gone counts: the budget holds although half of the puts end in an error."""
    fails = iter(range(10**9))
    site = Site(broken=lambda method, path: method == "PUT" and path != "/load" and next(fails) % 2 == 0)
    figures = run(site, tmp_path, viewers=None)
    puts = kind(figures, "puts")
    assert puts.errors > 0
    assert puts.error_texts[0][0] == "HTTP 503"
    assert kind(figures, "gets").errors == 0
    assert site.most_stored <= BUDGET


def test_a_site_that_is_not_there_is_an_error_and_no_end(tmp_path: Path) -> None:
    nowhere = {"rate": 5, "url": "http://127.0.0.1:9", "bucket": "load", "budget": BUDGET}
    figures = run(Site(), tmp_path, viewers=None, objects=nowhere, seconds=2.5)
    assert kind(figures, "puts").error_texts[0][0] == "cannot connect: Connect call failed ('127.0.0.1', 9)"
    assert figures.why == "its time is over"
    assert figures.message.startswith("the objects are still in the bucket: ")


def test_it_ends_soon_after_it_is_asked_to_though_requests_hang(tmp_path: Path) -> None:
    site = Site(hanging=lambda _method, path: path.endswith(".ts"))

    async def ask(_work: Run) -> None:
        await asyncio.sleep(2)
        os.kill(os.getpid(), signal.SIGTERM)

    figures = run(site, tmp_path, ask, objects=None, seconds=None)
    assert 2 < figures.seconds < 10
    assert figures.why == "it was asked to stop"


def test_asked_to_keep_it_keeps_the_objects(tmp_path: Path) -> None:
    site = Site()

    async def ask(_work: Run) -> None:
        await asyncio.sleep(2)
        os.kill(os.getpid(), signal.SIGINT)

    figures = run(site, tmp_path, ask, viewers=None, seconds=None)
    assert sum(map(len, site.objects.values())) == figures.space_used > 0


def test_nothing_is_put_while_nobody_can_tell_how_full_the_drives_are(tmp_path: Path) -> None:
    site = Site()
    counts = []

    async def hold(work: Run) -> None:
        await asyncio.sleep(2)
        assert work.objects is not None
        work.objects.hold = True
        await asyncio.sleep(0.3)
        counts.append(site.asked["PUT /load/slot-N"])
        await asyncio.sleep(1)
        counts.append(site.asked["PUT /load/slot-N"])

    run(site, tmp_path, hold, viewers=None)
    assert counts[0] == counts[1] > 0
