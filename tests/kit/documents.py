"""Documents of designs of all shapes, and a reader of their pages."""

from __future__ import annotations

import json
import re
from datetime import date
from functools import cache
from html.parser import HTMLParser
from pathlib import Path

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.checks import check_design
from rookery.markup.html import VOID
from rookery.prices.comparison import Judgement
from rookery.projections.table import PROJECTIONS, RenderInput
from rookery.run.journal import spec_digest
from rookery.run.prices import shipped_book
from rookery.spec.load import load_pattern, pattern_names, read_pattern
from rookery.spec.parse import parse_spec

JUDGEMENT = Judgement(today=date(2026, 11, 23))
NASTY = 'A <b>x</b> & "y" | *z* _u_ `t` [l](http://e.example) $m$ &amp; <script>alert(1)</script> # - \u202ex'
SPECS = {
    "on-hetzner": """
        pattern: production-minimum
        provider: hetzner
        network: {encryption: true}""",
    "no-applications": """
        hosts: {workers: {count: 0}}
        storage: {object: {enabled: false}, file: {enabled: false}, dashboard: false}""",
    "no-storage": """
        hosts: {workers: {count: 0}, storage: {count: 1, drives: [{count: 1}]}}
        storage: {block: {enabled: false}, object: {enabled: false}, file: {enabled: false}}""",
    "backed-up": """
        pattern: production-minimum
        backup: {copies: [{name: away, endpoint: "https://s3.example.org", bucket: copies}]}""",
    "one-node": "hosts: {storage: {count: 1, drives: [{count: 1}]}}",
    "nasty": f"""
        pattern: compact
        description: {json.dumps(NASTY)}""",
    "two-classes": """
        pattern: object-heavy
        network: {cluster: 10.127.0.0/24, encryption: true}
        hosts: {storage: {count: 6, drives: [{count: 14, size: 4TB, class: hdd}, {count: 1, size: 1TB}]}}""",
    "thousand": """
        pattern: production-minimum
        hosts: {controlPlane: {count: 5}, workers: {count: 195}, storage: {count: 800}}
        network: {cluster: 10.127.0.0/16}""",
}
EVERY = (*pattern_names(), *SPECS)


@cache
def given(name: str) -> RenderInput:
    if name in SPECS:
        lines = [line.removeprefix("        ") for line in SPECS[name].splitlines()]
        spec = parse_spec(
            "\n".join(["apiVersion: rookery/v1", *lines]),
            file="demo.yaml",
            settings=SETTINGS,
            read_pattern=lambda pattern: read_pattern(pattern, relative_to=Path()),
        )
    else:
        spec = load_pattern(name, settings=SETTINGS)
    design = build_design(spec, placers=PLACERS)
    return RenderInput(
        design=design,
        spec_digest=spec_digest(spec),
        findings=check_design(design),
        book=shipped_book(),
        judgement=JUDGEMENT,
    )


@cache
def files(name: str) -> dict[str, str]:
    rendered = PROJECTIONS["document"].render(given(name))
    return {file.path: file.content.decode() for file in rendered}


class Page(HTMLParser):
    """Reads a page: tags in balance, headings, ids, links, tables, and its words."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.headings: list[tuple[int, str]] = []
        self.words = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        assert len(named) == len(attrs), f"<{tag}> has an attribute twice"
        self.tags.append((tag, named))
        if tag not in VOID:
            self.open.append(tag)
        if re.fullmatch("h[1-6]", tag):
            self.headings.append((int(tag[1]), ""))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """An element of SVG that closes itself."""
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" not in self.open and "svg" not in self.open:
            self.words += f"{data} "
        if self.open and re.fullmatch("h[1-6]", self.open[-1]):
            level, text = self.headings[-1]
            self.headings[-1] = (level, text + data)

    def all(self, attribute: str) -> list[str]:
        return [value for _, attributes in self.tags if (value := attributes.get(attribute))]


@cache
def page(name: str) -> Page:
    return Page(files(name)["design.html"])
