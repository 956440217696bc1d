"""The design document as a page: whole, readable for everybody, and complete in itself."""

from __future__ import annotations

import re
from itertools import pairwise
from pathlib import Path

import pytest

from tests.kit.documents import EVERY, files, page


@pytest.mark.parametrize("name", EVERY)
def test_ids_are_unique_and_links_lead_to_them(name: str) -> None:
    ids = page(name).all("id")
    assert len(ids) == len(set(ids))
    links = page(name).all("href")
    assert links
    assert {link.removeprefix("#") for link in links} <= set(ids)
    assert set(page(name).all("aria-labelledby")) <= set(ids)


@pytest.mark.parametrize("name", EVERY)
def test_headings_go_down_by_one_and_contents_list_them(name: str) -> None:
    levels = [level for level, _ in page(name).headings]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(after <= before + 1 for before, after in pairwise(levels))
    listed = [attributes["href"] for tag, attributes in page(name).tags if tag == "a"][1:]
    assert len(listed) == len(levels) - 2  # all but the title and the contents' own


@pytest.mark.parametrize("name", EVERY)
def test_it_needs_nothing_from_outside(name: str) -> None:
    text = files(name)["design.html"]
    assert [tag for tag, _ in page(name).tags if tag in {"script", "link", "iframe", "img", "object"}] == []
    assert page(name).all("src") + page(name).all("srcset") + page(name).all("style") == []
    loaded = re.findall(r"url\(([^)]{0,30})|@import", text)
    assert loaded
    assert all(address.strip('"').startswith("data:font/woff2;base64,") for address in loaded)
    assert len(text.encode()) < 400_000


@pytest.mark.parametrize("name", EVERY)
def test_tables_have_headers_and_pictures_have_words(name: str) -> None:
    tags = page(name).tags
    heads = [attributes for tag, attributes in tags if tag == "th"]
    assert heads
    assert all(attributes.get("scope") in {"col", "row"} for attributes in heads)
    pictures = [attributes for tag, attributes in tags if tag == "svg"]
    assert pictures
    hidden = [attributes for attributes in pictures if attributes.get("aria-hidden") == "true"]
    named = [attributes for attributes in pictures if attributes.get("aria-label")]
    assert len(hidden) + len(named) == len(pictures)
    canvases = [attributes for _, attributes in tags if attributes.get("class") == "canvas"]
    assert canvases
    assert all(attributes["role"] == "img" and attributes["aria-label"] for attributes in canvases)


def test_pictures_styles_leave_the_page_alone() -> None:
    """Their style sheets hold for the whole page: no class of theirs is one of ours."""
    text = files("production-minimum")["design.html"]
    sheets = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    assert len(sheets) == 3
    ours, *theirs = ({*re.findall(r"\.([a-z][a-z-]*)", sheet)} - {"w"} for sheet in sheets)
    for sheet in theirs:
        assert ours & sheet == set()


def _luminance(colour: str) -> float:
    values = (int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5))
    red, green, blue = (v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4 for v in values)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", [0, 1], ids=["light", "dark"])
def test_text_has_contrast(scheme: int) -> None:
    """WCAG 2.2, 1.4.3: 4.5 to 1 for text."""
    sheet = (Path(__file__).parents[1] / "src/rookery/projections/document/page.css").read_text()
    roots = re.findall(r":root \{(.*?)\}", sheet, re.DOTALL)
    colours = {
        name: value
        for root in roots[: scheme + 1]
        for name, value in re.findall(r"--([a-z-]+): (#[0-9a-f]{6});", root)
    }
    pairs = [(ink, paper) for ink in ("ink", "soft", "ember") for paper in ("paper", "card")]
    pairs += [
        ("well", "well-paper"),
        ("ill", "ill-paper"),
        ("on-ground", "ground"),
        ("on-ground-soft", "ground"),
    ]
    for ink, paper in pairs:
        light, dark = sorted((_luminance(colours[ink]), _luminance(colours[paper])), reverse=True)
        assert (light + 0.05) / (dark + 0.05) >= 4.5, (ink, paper)
