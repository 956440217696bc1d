"""Designs of all shapes and their drawings, for tests."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.model import Design
from rookery.projections.drawing import (
    Mark,
    MarkKind,
)
from rookery.projections.drawing.layout import build_picture
from rookery.projections.drawing.picture import Picture
from rookery.spec.load import load_pattern, pattern_names, read_pattern
from rookery.spec.parse import parse_spec

SPECS = {
    "thirty": """
        pattern: production-minimum
        hosts: {controlPlane: {count: 3}, workers: {count: 7}, storage: {count: 20}}
        storage: {mons: 5, object: {gateways: 6}, file: {mds: {active: 2, standby: 2}}}
        network: {cluster: 10.127.7.0/24}""",
    "two-hundred": """
        pattern: hyperconverged
        hosts: {storage: {count: 200}}
        storage: {mons: 5, object: {gateways: 30}}
        network: {cluster: 10.127.0.0/16}""",
    "thousand": """
        pattern: production-minimum
        hosts:
          controlPlane: {count: 5}
          workers: {count: 195}
          storage:
            count: 800
            drives: [{count: 24, size: 18TB, class: hdd}, {count: 4, size: 4TB, class: nvme}]
        storage: {mons: 5, object: {gateways: 60}, file: {mds: {active: 12, standby: 4}}}
        network: {cluster: 10.127.0.0/16}""",
    "on-hetzner": """
        pattern: ha-control-plane
        provider: hetzner""",
    "copied": """
        pattern: production-minimum
        backup:
          lock: null
          schedules: {sets: 90min}
          copies:
            - {name: away, endpoint: "https://s3.example.org", bucket: copies}
            - {name: the-vault-of-the-other-site, endpoint: "https://10.0.0.9:9000", bucket: copies}""",
    "copied-on-kubernetes": """
        pattern: compact
        platform: kubernetes
        backup: {copies: [{name: away, endpoint: "https://s3.example.org", bucket: copies}]}""",
    "without-backups": """
        pattern: production-minimum
        backup: null""",
    "control-plane-on-storage": """
        pattern: production-minimum
        hosts: {controlPlane: {count: 0}, workers: {count: 3}, storage: {count: 3, also: [control-plane]}}""",
    "no-applications": """
        hosts: {workers: {count: 0}}
        storage: {object: {enabled: false}, dashboard: false}
        description: nothing but a cluster""",
    "long-words": f"""
        pattern: compact
        description: {"Donaudampfschifffahrtsgesellschaft" * 12} & <more>""",
}
MARKS = {
    "osd.3": Mark(kind=MarkKind.DOWN, note="the monitors hear nothing of it"),
    "storage-m": Mark(kind=MarkKind.DOWN, note="the server is off"),
    "storage-k/vdz": Mark(
        kind=MarkKind.EXTRA, note="a drive of 20 GB that nobody asked for, without an OSD on it"
    ),
    "storage-n/vdc": Mark(kind=MarkKind.MISSING),
    "storage-k/cdn-edge": Mark(kind=MarkKind.DIFFERENT, note="listens on another port"),
    "cp-1/database-etcd": Mark(kind=MarkKind.DOWN, note="exited"),
    "lb-1/haproxy": Mark(kind=MarkKind.DOWN, note="exited"),
    "elsewhere-1": Mark(kind=MarkKind.EXTRA, note="10.0.0.9"),
}


@cache
def design(name: str) -> Design:
    if name not in SPECS:
        return build_design(load_pattern(name, settings=SETTINGS), placers=PLACERS)
    text = "\n".join(line.removeprefix("        ") for line in SPECS[name].splitlines())
    spec = parse_spec(
        f"apiVersion: rookery/v1\nname: {name}{text}\n",
        file="spec.yaml",
        settings=SETTINGS,
        read_pattern=lambda pattern: read_pattern(pattern, relative_to=Path()),
    )
    found = build_design(spec, placers=PLACERS)
    return with_long_names(found) if name == "long-words" else found


def with_long_names(found: Design) -> Design:
    """Return a design whose claims and instances have longer names than any box has room for."""
    apps = tuple(
        replace(
            app,
            shares=tuple(replace(share, name=share.name * 12) for share in app.shares),
        )
        for app in found.apps
    )
    hosts = tuple(
        replace(host, instances=tuple(replace(one, component=one.component * 8) for one in host.instances))
        for host in found.hosts
    )
    # The site keeps its name: the buckets' readers are found by it.
    fronts = tuple(
        front if front.name == "site" else replace(front, name=front.name * 6) for front in found.frontends
    )
    return replace(found, apps=apps, hosts=hosts, frontends=fronts)


ALL = (*pattern_names(), *SPECS)
each_design = pytest.mark.parametrize("name", ALL)
each_picture = pytest.mark.parametrize(
    ("name", "marked"), [(name, marked) for name in ALL for marked in (False, True)]
)


@cache
def picture(name: str, marked: bool = False) -> Picture:
    return build_picture(design(name), MARKS if marked else {})


def words(name: str, box: str = "") -> list[str]:
    """Return the texts of a picture in reading order, or those in the box of that id."""
    parents = {one.id: one.parent for one in picture(name).boxes}

    def within(one: str) -> bool:
        while one not in ("", box):
            one = parents[one]
        return one == box

    return [text.text for one in picture(name).boxes if within(one.id) for text in one.texts]
