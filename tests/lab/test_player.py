"""The page for watching against real servers: what RGW keeps and the edges send is what a browser plays."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.kit.labs import Lab
from tests.kit.watching import Watcher, chromium, missing, until

WHY = missing()
pytestmark = [
    pytest.mark.on("default"),
    pytest.mark.browser,
    pytest.mark.skipif(bool(WHY), reason=WHY),
]


@pytest.fixture(name="watcher")
def _watcher(lab: Lab) -> Iterator[Watcher]:
    """A visitor on the page, once its shelves are filled."""
    with chromium() as browser:
        # The lab's authority is its own; that clients verify it, other tests see to.
        context = browser.new_context(ignore_https_errors=True, viewport={"width": 1280, "height": 800})
        watcher = Watcher(page=context.new_page())
        watcher.page.goto(f"{lab.url.rstrip('/')}/watch.html")
        shelf = watcher.page.locator("[data-shelf=video] .tile")
        assert until(watcher.page, lambda: shelf.count() > 0, limit=60), watcher.errors
        yield watcher
        context.close()
    assert watcher.errors == []


def start(watcher: Watcher, shelf: str) -> None:
    watcher.page.locator(f"{shelf} .tile").first.click()


def test_a_film_plays_and_counts(watcher: Watcher) -> None:
    page = watcher.page
    plays = page.locator("[data-shelf=video] .tile .plays").first
    counted = until(page, plays.is_visible, limit=5)
    before = plays.inner_text() if counted else ""
    start(watcher, "[data-shelf=video]")
    assert watcher.plays_on(by=4, limit=60)
    assert watcher.video("videoWidth") > 0
    assert watcher.read("segment") in {"HIT", "MISS", "EXPIRED", "REVALIDATED", "UPDATING", "STALE"}
    assert page.locator("[data-detail=segment]").inner_text().startswith("worker-")
    if counted:
        assert until(page, lambda: plays.inner_text() not in {before, ""}, limit=30)


def test_a_film_is_heard_as_sound_alone(watcher: Watcher) -> None:
    start(watcher, "[data-shelf=video]")
    assert watcher.plays_on(limit=60)
    menu = watcher.page.get_by_label("Quality")
    at = watcher.video("currentTime")
    menu.select_option(label="sound only")
    assert until(
        watcher.page, lambda: watcher.video("videoWidth") == 0 and watcher.video("currentTime") >= at
    )
    assert watcher.plays_on(limit=60)


def test_music_plays(watcher: Watcher) -> None:
    start(watcher, "[data-shelf=audio]")
    assert watcher.plays_on(by=4, limit=60)
    assert watcher.video("videoWidth") == 0


def test_the_live_channel_plays_and_moves_on(watcher: Watcher) -> None:
    watcher.page.locator("[data-tune]").click()
    assert watcher.plays_on(by=10, limit=90)
    assert (watcher.video("videoWidth"), watcher.video("videoHeight")) == (640, 360)
