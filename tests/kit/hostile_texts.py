"""Texts that a spec leaves free, as hostile as they may be, and designs with them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.model import Design
from rookery.projections.kubernetes import render_kubernetes
from rookery.spec.load import read_pattern
from rookery.spec.parse import parse_spec

# What each reader here might take for its own, as YAML writes it, and as it is to be shown.
DESCRIPTION = (
    r"A \e[31mred\x01 \u202e\u2028<b> & ]]> --> \"q\" 'a' "
    r"{{ 1 + 1 }} {% if %} ${z} $(id) `id` | %s %(n)s; # [/]"
)
SHOWN = """A [31mred <b> & ]]> --> "q" 'a' {{ 1 + 1 }} {% if %} ${z} $(id) `id` | %s %(n)s; # [/]"""
# Names that a folder can have.
NAMES = (
    "plain",
    "two  spaces",
    " before and after ",
    'it\'s "quoted" `id` $(id) ${HOME} $HOME \\ !x',
    "-x",
    "{{ 1 + 1 }} {% raw %} %(here)s %s",
    "a;b #c | d & e > f * ? [g] ~",
    "<script>alert(1)</script> *b* _c_ [d](e)",
    "ends\nof\r\nlines\x85evil: 1\u2028other: 2",
    "```\nmusic",
    "\x1b[31mred\x07\x7f",
    "k\u00e4se 薄暮 \u202egnirts",
    b"caf\xe9".decode("utf-8", "surrogateescape"),
)
DOMAIN = "0.1-2.xn--demo.e-x"


def hostile(rest: str = "", *, provider: str = "lab", name: str = "on") -> Design:
    """Return a design whose free texts are hostile; `rest` is more of its spec."""
    text = (
        f"apiVersion: rookery/v1\npattern: production-minimum\nprovider: {provider}\nname: '{name}'\n"
        f'description: "{DESCRIPTION}"\n{rest}'
    )
    return build_design(read(text), placers=PLACERS)


def read(text: str) -> Any:
    return parse_spec(
        text,
        file="x",
        settings=SETTINGS,
        read_pattern=lambda name: read_pattern(name, relative_to=Path()),
    )


def on_kubernetes(
    folder: str = "/srv/a", *, provider: str = "existing", bootstrap: str = "kubeadm"
) -> Design:
    given = json.dumps(folder)
    return hostile(
        f"kubernetes: {{domain: {DOMAIN}, bootstrap: {bootstrap}}}\n"
        f"apps: {{cdn: {{site: {given}}}, streaming: {{media: {given}}}, database: {{}}, catalogue: {{}}}}\n",
        provider=provider,
    )


def tree(design: Design, *, gitops: str = "") -> dict[str, str]:
    return {file.path: file.content.decode() for file in render_kubernetes(design, gitops=gitops)}
