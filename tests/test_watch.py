"""The page for watching in a real browser: it plays, says what is missing, and mends the live channel."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Locator

from tests.kit.sites import make, with_media
from tests.kit.watching import Site, Watcher, chromium, make_media, missing, serve, until

WHY = missing()
pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(bool(WHY), reason=WHY),
]


@pytest.fixture(scope="module", name="browser")
def _browser() -> Iterator[Browser]:
    with chromium() as browser:
        yield browser


@pytest.fixture(scope="module", name="media")
def _media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("media")
    make_media(root)
    return root


@pytest.fixture(name="site")
def _site(media: Path) -> Iterator[Site]:
    with serve(media, with_media(make())) as site:
        yield site


@contextmanager
def visitor(browser: Browser) -> Iterator[Watcher]:
    """Somebody who has just come; nothing may go wrong that the test does not take note of."""
    context = browser.new_context(viewport={"width": 1280, "height": 800}, reduced_motion="reduce")
    watcher = Watcher(page=context.new_page())
    yield watcher
    context.close()
    assert watcher.errors == []


@pytest.fixture(name="watcher")
def _watcher(browser: Browser, site: Site) -> Iterator[Watcher]:
    with visitor(browser) as watcher:
        yield watcher


def arrive(watcher: Watcher, site: Site) -> None:
    watcher.page.goto(f"{site.url}watch.html")
    watcher.page.wait_for_load_state("networkidle")


def choose(watcher: Watcher, name: str) -> None:
    watcher.page.get_by_role("button", name=name).last.click()


def test_what_is_on_is_on_the_shelves_with_posters_and_counts(watcher: Watcher, site: Site) -> None:
    site.plays = {"1": "film-a", "2": "film-a"}
    arrive(watcher, site)
    page = watcher.page
    assert page.locator(".tile strong").all_inner_texts() == [
        "The live channel", "Rooks at dawn", "The long migration", "Song of the twig",
    ]  # fmt: skip
    assert page.locator(".tile .plays").all_inner_texts() == ["2 plays", "0 plays", "0 plays"]
    assert page.locator("[data-counts]").inner_text() == "The catalogue counts 2 plays, 5 viewers, 3 titles."
    assert page.locator("[data-name]").inner_text() == "Rooks at dawn"
    page.locator(".tile").last.scroll_into_view_if_needed()
    wide = "[...document.querySelectorAll('.tile img')].every((image) => image.naturalWidth > 0)"
    assert until(page, lambda: page.evaluate(wide) is True)
    assert not [path for path in site.asked if path.endswith((".m3u8", ".m4s"))], "nothing plays unasked"


@pytest.mark.parametrize("width", [360, 768, 1280, 1600])
def test_nothing_is_wider_than_the_window(watcher: Watcher, site: Site, width: int) -> None:
    watcher.page.set_viewport_size({"width": width, "height": 800})
    arrive(watcher, site)
    assert watcher.page.evaluate("document.documentElement.scrollWidth") == width


def test_a_film_plays_by_the_keyboard_and_its_play_is_recorded_once(watcher: Watcher, site: Site) -> None:
    arrive(watcher, site)
    page = watcher.page
    page.get_by_role("button", name="Play Rooks at dawn").focus()
    page.keyboard.press("Enter")
    assert watcher.plays_on()
    assert watcher.video("videoWidth") > 0
    assert page.evaluate("document.activeElement.tagName") == "VIDEO"
    page.keyboard.press("Space")
    assert until(page, lambda: bool(watcher.video("paused")))
    page.keyboard.press("Space")
    assert watcher.plays_on(by=0.5)
    assert until(page, lambda: page.locator("[data-plays]").inner_text() == "1 play")
    assert page.locator(".tile .plays").first.inner_text() == "1 play"
    assert until(page, lambda: watcher.video("ended") == 1.0)
    assert site.posts == ["/api/titles/film-a/plays"]


def test_the_readout_says_how_segments_arrive(watcher: Watcher, site: Site) -> None:
    arrive(watcher, site)
    choose(watcher, "Rooks at dawn")
    assert watcher.plays_on()
    page = watcher.page
    assert watcher.read("rendition").endswith("p")
    assert watcher.read("bandwidth").endswith("bit/s")
    assert float(watcher.read("buffer").removesuffix("\u00a0s")) > 0
    assert watcher.read("dropped").isdigit()
    assert watcher.read("segment") == "MISS"
    assert page.locator("[data-detail=segment]").inner_text().startswith("worker-a, ")
    assert page.locator("[data-read=latency]").is_hidden()
    eggs = page.locator("[data-eggs] svg").count()
    assert eggs >= 6
    assert page.locator("[data-clutch]").inner_text() == (
        f"The last {eggs} segments: 0 out of an edge’s cache, {eggs} from behind it. worker-a sent {eggs}."  # noqa: RUF001
    )


def test_qualities_are_chosen_and_the_film_goes_on_where_it_was(watcher: Watcher, site: Site) -> None:
    arrive(watcher, site)
    choose(watcher, "The long migration")
    assert watcher.plays_on()
    page = watcher.page
    menu = page.get_by_label("Quality")
    names = [text.split(":")[0] for text in menu.locator("option").all_inner_texts()]
    assert names == ["automatic", "144p", "240p", "360p", "sound only"]
    for name in ("144p", "360p"):
        menu.select_option(str(names.index(name) - 1))
        assert until(page, lambda name=name: watcher.read("rendition") == name), name  # type: ignore[misc]
    at = watcher.video("currentTime")
    menu.select_option(label="sound only")
    assert until(page, lambda: watcher.video("videoWidth") == 0 and watcher.video("currentTime") >= at)
    assert watcher.plays_on(by=0.5)
    assert watcher.read("rendition") == "sound"
    menu.select_option("0")
    assert until(page, lambda: watcher.video("videoHeight") == 144 and watcher.video("currentTime") >= at)
    assert menu.input_value() == "0"
    assert site.posts == ["/api/titles/film-b/plays"]


def test_music_plays(watcher: Watcher, site: Site) -> None:
    arrive(watcher, site)
    choose(watcher, "Song of the twig")
    assert watcher.plays_on()
    assert watcher.video("videoWidth") == 0
    assert watcher.read("rendition") == "sound"
    assert until(watcher.page, lambda: site.posts == ["/api/titles/music-a/plays"])


def test_the_live_channel_plays_and_is_no_play(watcher: Watcher, site: Site) -> None:
    arrive(watcher, site)
    choose(watcher, "The live channel")
    assert watcher.plays_on(by=4)
    assert watcher.video("videoWidth") == 640
    assert 2 < float(watcher.read("latency").removesuffix("\u00a0s")) < 12
    assert watcher.page.locator("[data-plays]").is_hidden()
    assert site.posts == []


def test_the_live_channel_recovers_by_itself(browser: Browser, media: Path) -> None:
    """Its encoder is lost for longer than the buffer lasts, and comes back in three ways: going on where it
    was, anew, and after it answered with errors. Three visitors wait for that at the same time."""
    with ExitStack() as stack:
        found = {
            how: (
                stack.enter_context(serve(media, with_media(make()))),
                stack.enter_context(visitor(browser)),
            )
            for how in ("in place", "anew", "after errors")
        }
        for site, watcher in found.values():
            arrive(watcher, site)
            choose(watcher, "The live channel")
        for how, (site, watcher) in found.items():
            assert watcher.plays_on(by=2), how
            site.channel.stop(gone=how == "after errors")
        stood = {how: paused_at(watcher) for how, (_, watcher) in found.items()}
        found["anew"][1].page.wait_for_timeout(2000)
        for how, (site, watcher) in found.items():
            assert watcher.video("currentTime") == stood[how], "what was seen already is not shown again"
            site.channel.go_on(anew=how == "anew")
        for how, (_, watcher) in found.items():
            assert watcher.plays_on(by=4, limit=30), how
            assert is_silent(watcher), how
        errors = found["after errors"][1].errors
        assert errors
        assert all("502" in error for error in errors)
        errors.clear()


def message(watcher: Watcher) -> Locator:
    return watcher.page.locator("[data-message]")


def is_silent(watcher: Watcher) -> bool:
    return until(watcher.page, lambda: message(watcher).inner_text() == "")


def paused_at(watcher: Watcher) -> float:
    """Wait until the page says that the channel has paused, and return where it did."""
    assert until(watcher.page, lambda: "has paused" in message(watcher).inner_text(), limit=30)
    return watcher.video("currentTime")


def test_without_the_catalogue_counts_are_hidden_and_playing_goes_on(watcher: Watcher, site: Site) -> None:
    site.catalogue_status = 503
    arrive(watcher, site)
    page = watcher.page
    choose(watcher, "Rooks at dawn")
    assert watcher.plays_on()
    assert page.locator("[data-counts]").is_hidden()
    assert page.locator(".tile .plays:visible").count() == 0
    assert page.locator("[data-message]").inner_text() == ""
    site.catalogue_status = 200
    assert until(page, lambda: page.locator("[data-plays]:visible").all_inner_texts() == ["1 play"])
    assert len(site.plays) == 1, "all attempts were one play"
    assert all("503" in error for error in watcher.errors)
    watcher.errors.clear()


def test_missing_media_are_said_in_plain_words(watcher: Watcher, site: Site) -> None:
    site.absent = ("/media/film-a/",)
    arrive(watcher, site)
    page = watcher.page
    choose(watcher, "Rooks at dawn")
    words = page.locator("[data-message]")
    assert until(page, lambda: words.inner_text() == "“Rooks at dawn” is missing from the media bucket.")
    site.absent = ()
    page.get_by_role("button", name="Try again").click()
    assert watcher.plays_on()
    assert words.inner_text() == ""
    assert all("404" in error for error in watcher.errors)
    watcher.errors.clear()


def test_where_nothing_was_published_the_channel_is_still_on(watcher: Watcher, site: Site) -> None:
    site.absent = ("/media/",)
    arrive(watcher, site)
    page = watcher.page
    assert page.locator("[data-message]").inner_text() == "No films and no music have been published yet."
    assert page.locator("[data-name]").inner_text() == "The live channel"
    page.get_by_role("button", name="Play The live channel").click()
    assert watcher.plays_on()
    assert all("404" in error for error in watcher.errors)
    watcher.errors.clear()


def test_without_a_script_the_page_says_what_plays_instead(browser: Browser, site: Site) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(f"{site.url}watch.html")
    words = page.locator(".watch .card").first.inner_text()
    assert "/media/index.json" in words
    assert "/live/live.m3u8" in words
    context.close()
