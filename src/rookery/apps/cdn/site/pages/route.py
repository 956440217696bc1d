"""The way of a request, drawn twice from the same stages: across for wide screens, down for narrow ones.

The style sheet shows one of the two, so a reader, or a screen reader, meets a single picture.
"""

# ruff: noqa: RUF001  the multiplication sign, dashes and apostrophes are meant

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rookery.apps.cdn.site.pages.facts import (
    decimal_size,
    edge_cache,
    edges,
    object_pool,
    plural,
    storage_hosts,
)
from rookery.design.model import DaemonKind, Design, Host
from rookery.design.pools import RGW_ZONE, ROOK_ZONE
from rookery.markup.html import Html, element, join

MOST = 4  # nodes of one stage that are drawn; the rest are counted
Point = tuple[float, float]
_WIDE, _HIGH = 158, 52  # a node, in units of the picture


@dataclass(frozen=True, slots=True, kw_only=True)
class Node:
    """One station: its name and a line about it; `eggs` counts its drives, `lit` marks the example's way."""

    name: str
    note: str
    eggs: int = 0
    lit: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """Stations of one kind; `more` are those that are not drawn."""

    title: str
    nodes: tuple[Node, ...]
    more: int = 0


def stages(design: Design) -> tuple[Leg, ...]:
    """Return the stations between a browser and the drives, as far as the design has them."""
    found = [Leg(title="Browser", nodes=(Node(name="you", note="HTTPS", lit=True),))]
    balancer = design.load_balancer
    if balancer is not None:
        node = Node(name=balancer.name, note="TCP, passed through", lit=True)
        found.append(Leg(title="Load balancer", nodes=(node,)))
    cache = f"cache {decimal_size(edge_cache(design))}"
    gateways = [(host, daemon) for host, daemon in design.with_daemon(DaemonKind.RGW)]
    found.append(_stage("Edges", ((host.name, cache, 0) for host in edges(design))))
    found.append(_stage("Gateways", ((host.name, f"rgw.{daemon.id}", 0) for host, daemon in gateways)))
    pool = object_pool(design)
    if pool is not None:
        name = pool.name.removeprefix(f"{RGW_ZONE}.rgw.").removeprefix(f"{ROOK_ZONE}.rgw.")
        found.append(Leg(title="Pool", nodes=(Node(name=name, note=plural(pool.pg_num, "PG"), lit=True),)))
    found.append(
        _stage("OSDs on drives", (_drives(host) for host in storage_hosts(design)), pool.size if pool else 1)
    )
    return tuple(stage for stage in found if stage.nodes)


def _drives(host: Host) -> tuple[str, str, int]:
    osds = [daemon.name for daemon in host.daemons_of(DaemonKind.OSD)]
    note = " ".join(osds) if len(osds) <= 2 else f"{osds[0]} … {osds[-1].removeprefix('osd.')}"
    return host.name, note, len(osds)


def _stage(title: str, nodes: Iterable[tuple[str, str, int]], lit: int = 1) -> Leg:
    every = list(nodes)
    shown = every if len(every) <= MOST else every[: MOST - 1]
    return Leg(
        title=title,
        nodes=tuple(
            Node(name=name, note=note, eggs=eggs, lit=index < lit)
            for index, (name, note, eggs) in enumerate(shown)
        ),
        more=len(every) - len(shown),
    )


def route_pictures(design: Design) -> Html:
    """Return both pictures, with one description."""
    drawn = stages(design)
    words = "; then ".join(f"{stage.title}: {_names(stage)}" for stage in drawn)
    label = f"The way of a request. {words}."
    return element(
        "figure",
        _across(drawn, label),
        _down(drawn, label),
        element(
            "figcaption",
            "The bright line is one request that no edge could answer alone. What lies in an edge’s cache "
            "turns round there, and nothing behind the edge hears of it.",
        ),
        class_="route",
    )


def _names(stage: Leg) -> str:
    names = ", ".join(node.name for node in stage.nodes)
    return f"{names} and {stage.more:,} more" if stage.more else names


def _svg(width: float, height: float, label: str, class_: str, parts: Iterable[str]) -> Html:
    return element(
        "svg",
        join(parts, "\n"),
        viewBox=f"-2 -2 {width + 4:g} {height + 4:g}",
        class_=class_,
        role="img",
        aria_label=label,
    )


def _node(node: Node, x: float, y: float) -> Html:
    """Return one station with its upper left corner at (x, y)."""
    left = x + (16 if not node.eggs else 46)
    shapes: list[str] = [element("rect", x=x, y=y, width=_WIDE, height=_HIGH, rx=9)]
    if node.eggs:
        shapes.append(element("path", d=f"M{x + 10:g} {y + 27:g} q14 16 28 0 q-14 6 -28 0Z", class_="nest"))
        shapes.append(element("ellipse", cx=x + 24.0, cy=y + 23.0, rx=5.0, ry=7.0, class_="egg"))
    shapes.append(element("text", node.name, x=left, y=y + 23.0, class_="name"))
    shapes.append(element("text", node.note, x=left, y=y + 40.0, class_="note"))
    return element("g", join(shapes), class_="node lit" if node.lit else "node")


def _more(stage: Leg, x: float, y: float) -> Html:
    return (
        element("text", f"and {stage.more:,} more", x=x + 16, y=y + 22, class_="note")
        if stage.more
        else Html("")
    )


def _across(drawn: Sequence[Leg], label: str) -> Html:
    step = (1128 - _WIDE) / max(len(drawn) - 1, 1)
    rows = max(len(stage.nodes) + bool(stage.more) for stage in drawn)
    height, pitch = 44 + rows * 74, 74
    tops = [44 + (rows - len(stage.nodes) - bool(stage.more)) * pitch / 2 for stage in drawn]
    parts: list[str] = []
    for index, (one, two) in enumerate(itertools.pairwise(drawn)):
        parts += _links(one, two, (index * step + _WIDE, tops[index]), ((index + 1) * step, tops[index + 1]))
    for index, stage in enumerate(drawn):
        x, top = index * step, tops[index]
        parts.append(element("text", stage.title, x=x + 2, y=16, class_="stage"))
        parts += [_node(node, x, top + row * pitch) for row, node in enumerate(stage.nodes)]
        parts.append(_more(stage, x, top + len(stage.nodes) * pitch))
    return _svg(1128, height, label, "across", parts)


def _links(one: Leg, two: Leg, start_at: Point, end_at: Point) -> list[str]:
    """Return the lines between two neighbouring stages, the example's way last, so that it lies above."""
    (left, top), (right, other) = start_at, end_at
    lines: list[tuple[bool, str]] = []
    bend = (right - left) * 0.55
    for row, start in enumerate(one.nodes):
        for column, end in enumerate(two.nodes):
            y, z = top + row * 74 + _HIGH / 2, other + column * 74 + _HIGH / 2
            d = f"M{left:g} {y:g} C{left + bend:g} {y:g} {right - bend:g} {z:g} {right:g} {z:g}"
            lines.append((start.lit and end.lit, d))
    return [element("path", d=d, class_="way lit" if lit else "way") for lit, d in sorted(lines)]


def _down(drawn: Sequence[Leg], label: str) -> Html:
    parts: list[str] = []
    y = 0.0
    for index, stage in enumerate(drawn):
        if index:
            parts.append(element("path", d=f"M180 {y - 26:g} V{y + 2:g}", class_="way lit"))
        parts.append(element("text", stage.title, x=12, y=y + 16.0, class_="stage"))
        y += 28
        for number, node in enumerate(stage.nodes):
            single = len(stage.nodes) == 1
            x = 150.0 if single else 12.0 + number % 2 * (_WIDE + 20)
            parts.append(_node(node, x, y - 22 if single else y + number // 2 * (_HIGH + 10)))
        rows = (len(stage.nodes) + 1) // 2
        if stage.more:
            parts.append(_more(stage, 190 if len(stage.nodes) % 2 else 12, y + (rows - 1) * (_HIGH + 10)))
        y += (_HIGH - 22 if len(stage.nodes) == 1 else rows * (_HIGH + 10) - 10) + 32
    return _svg(360, y - 28, label, "down", parts)
