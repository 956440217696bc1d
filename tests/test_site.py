"""The website that the CDN serves: whole, self-contained, and true for any design."""

from __future__ import annotations

import gzip
import json
import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from rookery.apps.cdn.nginx import DOCUMENT
from rookery.apps.cdn.site.content import RULES, hashed_name, render_site
from rookery.apps.cdn.site.pages.facts import (
    capacity,
    decimal_size,
    group_hosts,
    heals_a_host,
    survives_a_host,
)
from rookery.design.model import Design
from rookery.files import File
from rookery.markup.html import VOID, Html, element
from tests.kit.sites import make, with_media

SPECS = {
    "default": "",
    "three servers": """
hosts:
  controlPlane: {count: 0}
  workers: {count: 0}
  storage: {count: 3, also: [worker, control-plane]}
""",
    "object only": "storage: {block: {enabled: false}, file: {enabled: false}, dashboard: false}",
    "one node": "hosts: {storage: {count: 1, drives: [{count: 1}]}}",
    "erasure coding": """
description: Objects & archives, <kept> for "long".
provider: hetzner
network: {cluster: 10.9.0.0/24, encryption: true}
hosts: {storage: {count: 7, drives: [{count: 6, size: 4TB, class: hdd}, {count: 1, size: 1TB, class: nvme}]}}
storage: {object: {pool: {erasureCoding: {k: 4, m: 2}}}}
""",
    "a thousand": """
provider: aws
hosts:
  controlPlane: {count: 5}
  workers: {count: 95}
  storage: {count: 900, drives: [{count: 24, size: 16TB}]}
""",
}


@pytest.fixture(scope="module", params=[*SPECS, "something to watch"], name="design")
def _design(request: pytest.FixtureRequest) -> Design:
    return make(SPECS[request.param]) if request.param in SPECS else with_media(make())


class Reader(HTMLParser):
    """Reads a page: its tags in balance, what it refers to, its identifiers."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        assert len(named) == len(attrs), f"<{tag}> has an attribute twice"
        self.tags.append((tag, named))
        self.ids += [value for key, value in attrs if key == "id" and value]
        self.links += [value for key, value in attrs if key in {"href", "src", "srcset"} and value]
        if tag == "option" and (value := named.get("value")):
            self.links.append(value)
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def read(file: File) -> Reader:
    reader = Reader()
    reader.feed(file.content.decode())
    reader.close()
    assert reader.open == [], file.path
    return reader


def pages(files: tuple[File, ...]) -> tuple[File, ...]:
    return tuple(file for file in files if file.path.endswith(".html"))


def test_the_site_has_its_pages_sorted_and_typed(design: Design) -> None:
    files = render_site(design)
    paths = [file.path for file in files]
    assert paths == sorted(set(paths))
    watch = ["watch.html"] if any(app.name == "streaming" for app in design.apps) else []
    assert [path for path in paths if not path.startswith("assets/")] == [
        "404.html", "about.html", "design.html", "design.json", "favicon.svg", "index.html", "robots.txt",
        "storage.html", *watch,
    ]  # fmt: skip
    assert all(file.media_type and file.content for file in files)


def test_the_same_design_gives_the_same_bytes(design: Design) -> None:
    assert render_site(design) == render_site(design)


def test_every_reference_leads_to_a_file_of_the_site(design: Design) -> None:
    files = render_site(design)
    # The document is put there by the system that publishes the site.
    there = {f"/{file.path}" for file in files} | {"/", f"/{DOCUMENT}"}
    for file in pages(files):
        reader = read(file)
        for link in reader.links:
            if link.startswith("#"):
                assert link[1:] in reader.ids
            else:
                assert link in there, f"{file.path} refers to {link}"
        assert len(reader.ids) == len(set(reader.ids)), file.path
    style = next(file for file in files if file.path.endswith(".css")).content.decode()
    assert {f"/assets/{name}" for name in re.findall(r"url\(\"/assets/([^\"]+)\"\)", style)} <= there
    assert "asset:" not in style
    assert len(re.findall(r"url\(", style)) == 1


def test_the_content_policy_has_nothing_to_refuse(design: Design) -> None:
    for file in pages(render_site(design)):
        for tag, attributes in read(file).tags:
            assert tag != "style"
            assert tag != "script" or attributes.get("src")
            assert not [name for name in attributes if name == "style" or name.startswith("on")]
        assert b"://" not in file.content
        assert b"<script>" not in file.content


def test_pictures_have_words_and_pages_have_one_title(design: Design) -> None:
    for file in pages(render_site(design)):
        tags = read(file).tags
        assert [tag for tag, _ in tags].count("h1") == 1
        assert tags[0] == ("html", {"lang": "en"})
        assert all("alt" in attributes for tag, attributes in tags if tag == "img")
        assert all(
            attributes.get("aria-hidden") or attributes.get("aria-label")
            for tag, attributes in tags
            if tag == "svg"
        )


def test_hashed_names_follow_the_content() -> None:
    assert hashed_name("site.css", b"a") == "assets/site.ca978112.css"
    assert hashed_name("site.css", b"b") != hashed_name("site.css", b"a")
    for file in render_site(with_media(make())):
        if file.path.startswith("assets/"):
            stem, _, ending = file.path.removeprefix("assets/").rsplit(".", 2)
            assert hashed_name(f"{stem}.{ending}", file.content) == file.path


def test_only_what_never_changes_is_cached_for_long() -> None:
    assert RULES.cache_control("assets/site.ca978112.css") == "public, max-age=31536000, immutable"
    assert RULES.cache_control("index.html") == "public, max-age=60"
    assert RULES.cache_control("design.json") == "public, max-age=60"


def test_text_of_the_design_stays_text() -> None:
    design = replace(make(), description='<script>alert("x")</script> & more', name="a<b")
    home = next(file for file in render_site(design) if file.path == "index.html").content.decode()
    assert "&lt;script&gt;alert(&quot;x&quot;)&lt;/script&gt; &amp; more" in home
    assert "a&lt;b" in home
    assert "a<b" not in home
    assert element("p", "1 < 2", Html("<b>3</b>"), title='"') == '<p title="&quot;">1 &lt; 2<b>3</b></p>'


def test_the_facts_for_machines_are_the_design(design: Design) -> None:
    record = json.loads(next(file for file in render_site(design) if file.path == "design.json").content)
    assert [host["name"] for host in record["hosts"]] == [host.name for host in design.hosts]
    assert [pool["pgNum"] for pool in record["pools"]] == [pool.pg_num for pool in design.pools]
    room = record["capacity"]
    assert room["raw"] == room["reserve"] + room["slack"] + room["redundancy"] + room["usable"]


def test_every_host_and_pool_of_a_small_design_is_on_the_design_page() -> None:
    design = make()
    page = next(file for file in render_site(design) if file.path == "design.html").content.decode()
    for host in design.hosts:
        assert host.name in page
        assert host.address in page
        assert all(daemon.name in page for daemon in host.daemons)
    assert all(pool.name in page for pool in design.pools)
    assert all(f">{front.port}<" in page for front in design.frontends)


def test_a_thousand_hosts_make_no_larger_pages() -> None:
    design = make(SPECS["a thousand"])
    assert len(group_hosts(design)) < 12
    assert sum(len(group.hosts) for group in group_hosts(design)) == len(design.hosts)
    assert max(len(file.content) for file in pages(render_site(design))) < 60_000


def test_capacity_keeps_room_to_heal_where_a_host_can_be_healed() -> None:
    room = capacity(make())
    assert (room.raw, room.reserve, room.slack, room.redundancy, room.usable) == (
        160_000_000_000, 40_000_000_000, 18_000_000_000, 68_000_000_000, 34_000_000_000,
    )  # fmt: skip
    three = make(SPECS["three servers"])
    assert not heals_a_host(three)
    assert capacity(three).reserve == 0


def test_the_claim_is_made_only_where_it_holds() -> None:
    assert survives_a_host(make())
    alone = make(SPECS["one node"])
    assert not survives_a_host(alone)
    home = next(file for file in render_site(alone) if file.path == "index.html").content.decode()
    assert "Lose a tree" not in home


@pytest.mark.parametrize(
    ("size", "shown"),
    [(160 * 10**9, "160 GB"), (48.2 * 10**12, "48.2 TB"), (999, "999 B"), (346e15, "346 PB")],
)
def test_sizes_are_written_as_drives_are_sold(size: float, shown: str) -> None:
    assert decimal_size(size) == shown.replace(" ", "\u00a0")


def test_what_is_sent_over_the_wire_is_small() -> None:
    pictures = [file for file in render_site(make()) if file.path.endswith(".png")]
    assert len(pictures) == 2
    assert all(len(file.content) < 150_000 for file in pictures)


def test_where_there_is_nothing_to_watch_no_page_leads_to_it() -> None:
    files = render_site(make())
    assert not [file.path for file in files if "hls" in file.path or "player" in file.path]
    assert not [file.path for file in pages(files) if b"watch.html" in file.content]


def test_every_page_leads_to_the_one_for_watching_where_there_is_something() -> None:
    for file in pages(render_site(with_media(make()))):
        assert "/watch.html" in read(file).links, file.path


@pytest.mark.parametrize(("channel", "catalogue"), [(True, True), (False, False)])
def test_the_page_for_watching_asks_only_for_what_there_is(channel: bool, catalogue: bool) -> None:
    design = with_media(make(), channel=channel, catalogue=catalogue)
    file = next(file for file in render_site(design) if file.path == "watch.html")
    page = next(attributes for _, attributes in read(file).tags if "data-watch" in attributes)
    assert page["data-media"] == "/media/"
    assert page.get("data-live") == ("/live/live.m3u8" if channel else None)
    assert page.get("data-catalogue") == ("/api/" if catalogue else None)
    assert (b"the live channel" in file.content.lower()) == channel


def test_the_library_is_whole_licensed_and_names_no_other_file() -> None:
    library = next(file for file in render_site(with_media(make())) if "/hls.min." in file.path)
    assert library.content.startswith(b"/*! hls.js 1.")
    assert b"Apache License" in library.content[:400]
    assert b"sourceMappingURL" not in library.content
    assert len(gzip.compress(library.content, 5)) < 200_000
