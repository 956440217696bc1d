"""The design document: true to the design in both forms, and safe with whatever a spec says."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest
from hypothesis import given as given_any
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from rookery.apps.table import APPS
from rookery.design.model import DaemonKind
from rookery.design.survival import survival
from rookery.prices.comparison import Judgement
from rookery.projections.document.blocks import Bullets, Code, Document, Figures, Paragraph, Section, Table
from rookery.projections.document.fragment import parse_fragment
from rookery.projections.document.listeners import BALANCER_STATUS_PORT
from rookery.projections.document.markdown import escape, render_markdown
from rookery.projections.haproxy import STATUS_PORT
from rookery.projections.simulation import Move, Simulation, Spread
from rookery.projections.table import PROJECTIONS, document_page
from rookery.spec.load import pattern_names
from tests.kit.documents import EVERY, NASTY, Page, files, given, page

GOLDEN = Path(__file__).parent / "golden" / "document"


# --- Both forms


@pytest.mark.parametrize("name", pattern_names())
def test_the_document_of_a_pattern_is_the_reviewed_one(name: str) -> None:
    """Renew them with RENEW_GOLDEN=1, and look at each before it is committed."""
    path = GOLDEN / f"{name}.md"
    text = files(name)["design.md"]
    if os.environ.get("RENEW_GOLDEN"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    assert path.read_text(encoding="utf-8") == text, (
        f"{path} is another document; look at both, then RENEW_GOLDEN=1 pytest tests/test_document.py"
    )


@pytest.mark.parametrize("name", EVERY)
def test_the_same_input_gives_the_same_bytes(name: str) -> None:
    first = PROJECTIONS["document"].render(given(name))
    assert first == PROJECTIONS["document"].render(given(name))
    assert [file.path for file in first] == sorted(file.path for file in first)
    assert first != PROJECTIONS["document"].render(replace(given(name), spec_digest="0" * 12))


@pytest.mark.parametrize("name", EVERY)
def test_both_forms_say_what_the_design_is(name: str) -> None:
    design = given(name).design
    for text in (files(name)["design.md"], page(name).words):
        plain = re.sub(r"[\\*`]", "", re.sub(r"\s+", " ", text))
        hosts = design.hosts if len(design.hosts) <= 40 else (design.hosts[0], design.hosts[-1])
        for host in hosts:
            assert host.name in plain
            assert host.address in plain
        for wanted in (
            *(pool.name for pool in design.pools),
            *(f"client.{user.name}" for user in design.users),
            *(finding.code for finding in given(name).findings),
            *(row.reason for row in survival(design)),
            *(instance.name for app in design.apps for _, instance in app.placements),
            *(bucket.name for bucket in design.buckets),
            *(database.name for database in design.databases),
            *(str(front.port) for front in design.frontends),
            design.network.public,
            given(name).spec_digest,
        ):
            assert re.sub(r"[\\*`]", "", wanted) in plain


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("production-minimum", "Store no more than 34.0 GB: losing a storage node then heals"),
        ("compact", "Store no more than 17.0 GB: losing a drive then heals"),
        ("compact", "There is no spare storage node"),
        ("one-node", "0.0 GB fit below the first warning. There is no spare storage node"),
        ("no-storage", "No pool is for user data"),
    ],
)
def test_how_much_to_store_is_what_the_checks_say(name: str, words: str) -> None:
    for text in (files(name)["design.md"], page(name).words):
        assert words in re.sub(r"\s+", " ", text)
    advised = [finding.message for finding in given(name).findings if finding.code == "RK401"]
    assert not words.startswith("Store") or words.split(": ", 1)[0].split()[-2] in "".join(advised)


def test_the_page_alone_is_the_page_of_the_document() -> None:
    file = document_page(given("production-minimum"))
    assert (file.path, file.media_type) == ("design.html", "text/html; charset=utf-8")
    assert file.content.decode() == files("production-minimum")["design.html"]


def test_prices_that_nobody_has_are_said_to_be_missing() -> None:
    later = replace(given("compact"), judgement=Judgement(today=date(2030, 1, 1)))
    found = {file.path: file.content.decode() for file in PROJECTIONS["document"].render(later)}
    assert "design-cost.svg" not in found
    assert "No cloud has a price:" in found["design.md"]
    assert "older than 365 days" in Page(found["design.html"]).words


def test_a_simulation_is_a_section_of_both() -> None:
    spread = Spread(
        osds=8,
        pgs_mean=12.0,
        pgs_least=9,
        pgs_most=15,
        deviation=0.2,
        fullest=1.5,
        fullest_osd=3,
        emptiest=0.7,
        emptiest_osd=4,
        nearfull_at=0.55,
        holds=29 * 10**9,
        homeless=0,
    )
    simulation = Simulation(
        tool="crushtool 18.2.7",
        hosts=4,
        pgs=32,
        shards=96,
        designed=spread,
        balanced=None,
        upmaps=0,
        why_unbalanced="there are 9,000 OSDs",
        moves=(Move(title="a drive is lost", shards=96, moved=12, data=0.1, ideal=0.125, spread=spread),),
    )
    rendered = PROJECTIONS["document"].render(replace(given("production-minimum"), simulation=simulation))
    found = {file.path: file.content.decode() for file in rendered}
    for text in (found["design.md"], Page(found["design.html"]).words):
        assert "crushtool 18.2.7" in re.sub(r"\s+", " ", text)
        assert "12 (12.50%)" in text
        assert "a drive is lost" in text
    assert '<h2 id="placement">Placement</h2>' in found["design.html"]


# --- What a spec says stays text


def test_a_description_is_text_in_html() -> None:
    text = files("nasty")["design.html"]
    assert "<script" not in text
    assert "<b>" not in text
    assert "\u202e" not in text
    assert re.sub(r"\s+", " ", NASTY.replace("\u202e", " ")) in re.sub(r"\s+", " ", page("nasty").words)


def test_a_description_is_text_in_markdown() -> None:
    shown = Page(MarkdownIt("gfm-like", {"linkify": False}).render(files("nasty")["design.md"]))
    assert re.sub(r"\s+", " ", NASTY.replace("\u202e", " ")) in re.sub(r"\s+", " ", shown.words)
    assert {tag for tag, _ in shown.tags} <= {
        *("h1", "h2", "h3", "p", "ul", "li", "strong", "code", "img", "hr", "br"),
        *("table", "thead", "tbody", "tr", "th", "td"),
    }


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("snake_case stays", "snake_case stays"),
        ("_so_", r"\_so\_"),
        ("a | b", r"a \| b"),
        ("AT&T, &lt;", r"AT&T, \&lt;"),
        ("http://x www.y.z", r"http\://x www\.y.z"),
        ("back\\slash\x07", "back\\\\slash "),
    ],
)
def test_markdown_is_escaped_where_it_would_mean_something(text: str, escaped: str) -> None:
    assert escape(text) == escaped


WORDS = st.lists(
    st.text(alphabet="ab1\\`*_[]<>|~$&;#-+=>.)(!:/w'\"@ \n", max_size=12) | st.just("1."), max_size=30
).map(" ".join)


@given_any(WORDS, WORDS, WORDS)
def test_any_words_stay_what_they_are(description: str, cell: str, literal: str) -> None:
    document = Document(
        title="x",
        description=" ".join(description.split()),
        subtitle="y",
        figures=Figures(pairs=()),
        sections=(
            Section(
                id="s",
                title="s",
                blocks=(
                    Table(caption="", heads=("a", "b"), rows=((cell, Code(text=literal)),)),
                    Bullets(items=((Code(text=f"a{literal}a"), cell),)),
                ),
            ),
        ),
        provenance="z",
    )
    shown = Page(MarkdownIt("gfm-like", {"linkify": False}).render(render_markdown(document)))
    said = " ".join(shown.words.split())
    want = " ".join(f"x {description} y s a b {cell} {literal} a{literal}a {cell} z".split())
    assert said.replace(" ", "") == want.replace(" ", "")


@pytest.mark.parametrize("name", EVERY)
def test_markdown_is_made_of_tables_that_are_whole(name: str) -> None:
    lines = files(name)["design.md"].splitlines()
    shown = Page(MarkdownIt("gfm-like", {"linkify": False}).render("\n".join(lines)))
    rows = [line for line in lines if line.startswith("|") and not re.fullmatch(r"[|: -]+", line)]
    assert [tag for tag, _ in shown.tags].count("tr") == len(rows)
    assert "|" not in shown.words.replace(NASTY, "") or name == "nasty"
    assert all(len(line) <= 100 or line.startswith(("|", "![")) for line in lines)


# --- What is said of security


def ports(name: str) -> Sequence[tuple[str, str]]:
    text = files(name)["design.md"]
    part = text[text.index("### What listens where") : text.index("### Who may do what")]
    rows = re.finditer(r"(?m)^\| (\S.*?) +\| +([\d, from]+) \|", part)
    return [(found[1], found[2]) for found in rows]


@pytest.mark.parametrize("name", pattern_names())
def test_every_port_of_the_design_is_explained(name: str) -> None:
    design = given(name).design
    opened = {(one.name, port) for app in design.apps for _, one in app.placements for port in one.ports}
    rows = {name: app.on_servers.ports for name, app in APPS.items() if app.on_servers is not None}
    assert opened <= {(f"{name}-{port.component}", port.number) for name in rows for port in rows[name]}
    listed = {(program, port.strip()) for program, port in ports(name)}
    assert {(program, str(port)) for program, port in opened} <= listed
    assert {(front.name, str(front.port)) for front in design.frontends} <= listed


def test_the_balancers_status_port_is_the_one_it_listens_on() -> None:
    assert BALANCER_STATUS_PORT == STATUS_PORT


def test_encryption_is_said_as_it_is() -> None:
    plain, encrypted = files("production-minimum")["design.md"], files("database")["design.md"]
    assert "not encrypted (msgr2 in crc mode" in plain
    assert "| 3300, 6789 |" in plain
    assert "cephx; encrypted (msgr2)" in encrypted
    assert "6789" not in encrypted
    assert "Who can listen on their network" in plain
    assert "Who can listen on their network" not in encrypted


def test_of_kubernetes_only_the_design_is_told() -> None:
    text = files("on-hetzner")["design.md"]
    assert "so nothing is said of it here" in re.sub(r"\s+", " ", text)
    for native in ("secrets.json", "### Secrets", "HAProxy", "nginx", "scram", "Key is on"):
        assert native not in text
    assert given("on-hetzner").design.with_daemon(DaemonKind.RGW)


def test_nothing_is_said_of_what_is_not_there() -> None:
    text = files("no-applications")["design.md"]
    for absent in ("S3", "PostgreSQL", "Dashboard", "Ports of the load balancer", "rgw"):
        assert absent not in text.split("## What it costs")[0].replace("radosgw", "")


# --- The Markdown that others contribute


def test_a_fragment_is_read_back() -> None:
    text = (
        "## Cost\n\nSome `code` and\nmore.\n\n| a | b |\n|---|---:|\n| x \\| y | 1 |\n\n"
        "### Why\n\n- one\n- `two`\n"
    )
    section = parse_fragment(text, id="cost")
    table = Table(caption="", heads=("a", "b"), rows=((("x | y",), ("1",)),), right=(1,))
    assert section.title == "Cost"
    assert section.blocks == (Paragraph(words=("Some ", Code(text="code"), " and more.")), table)
    assert [(inner.id, inner.title) for inner in section.sections] == [("cost-1-why", "Why")]
    assert section.sections[0].blocks == (Bullets(items=(("one",), (Code(text="two"),))),)


@pytest.mark.parametrize("name", pattern_names())
def test_no_word_of_the_bill_is_lost(name: str) -> None:
    from rookery.projections.bill.document import render_bill
    from rookery.projections.bill.sample import compare_for_document

    source = given(name)
    bill = render_bill(
        compare_for_document(source.design, source.book, source.judgement), today=source.judgement.today
    )
    words = re.findall(r"[\w.]+", re.sub(r"\|[-| :]+\|\n", "", bill))
    assert words
    in_page = re.findall(r"[\w.]+", page(name).words)
    in_markdown = re.findall(r"[\w.]+", files(name)["design.md"].replace("\\", ""))
    for found in (in_page, in_markdown):
        assert set(words) <= set(found)
