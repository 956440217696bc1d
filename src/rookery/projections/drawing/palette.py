"""The drawing's colours, once for light paper and once for dark, and which of them a style takes.

They are those of the demo's site: paper, ink and the green of eggs. Red is left to the arrows from an OSD to
its drive, as in the overview's drawing; orange to what differs from the design.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

Theme = Literal["light", "dark", "auto"]
Shade = Literal["light", "dark"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Style:
    """A box's colours, by name; `stroke` is empty where it has no outline."""

    fill: str
    stroke: str = ""
    radius: float = 5
    dashed: bool = False


# name: (on light paper, on dark paper)
COLOURS: Mapping[str, tuple[str, str]] = {
    "paper": ("#fdfcf9", "#14171f"),
    "ink": ("#1b2625", "#ece8df"),
    "soft": ("#55625f", "#a9aebb"),
    "line": ("#cfd2ca", "#3a4152"),
    "network": ("#f6f5f0", "#181c26"),
    "card": ("#ffffff", "#232936"),
    "card-line": ("#aab2ad", "#566074"),
    "worker": ("#e4f0ee", "#172c2f"),
    "worker-line": ("#a9cdc7", "#2f5a5b"),
    "control": ("#e9ecf5", "#1e2438"),
    "control-line": ("#b9c2dd", "#3f4a70"),
    "storage": ("#f3ecdf", "#2b2620"),
    "storage-line": ("#d8c7a7", "#5d4f3a"),
    "backup": ("#3f6a86", "#8dbbd8"),
    "backup-zone": ("#e7eef2", "#1a2832"),
    "backup-line": ("#b4c8d4", "#3c586a"),
    "app": ("#d5ebe7", "#1f4345"),
    "app-line": ("#5d9d95", "#5c9a90"),
    "part": ("#dfe4f3", "#2c3557"),
    "part-line": ("#7f8dbd", "#7481b5"),
    "daemon": ("#f7f2e7", "#38322a"),
    "daemon-line": ("#b39a6b", "#9c8763"),
    "osd": ("#fbe3dc", "#4a2a26"),
    "osd-line": ("#c0523c", "#e07a62"),
    "drive": ("#e7e8e6", "#333a48"),
    "drive-line": ("#858e8a", "#8089a0"),
    "data": ("#c8321f", "#ff7a66"),
    "block": ("#dde8f8", "#1f3352"),
    "block-line": ("#4a78b8", "#6f9fe0"),
    "file": ("#e8e2f6", "#32294f"),
    "file-line": ("#7b63b5", "#a58ee0"),
    "object": ("#fbe9cf", "#473315"),
    "object-line": ("#b9802a", "#e0a94f"),
    "claim": ("#6b5ca5", "#b3a3ec"),
    "cluster": ("#8a6d3b", "#d1b27a"),
    "traffic-0": ("#17766d", "#5fc7b8"),
    "traffic-1": ("#2f6fb5", "#74aef0"),
    "traffic-2": ("#5a7d1e", "#a9cf62"),
    "traffic-3": ("#8450a8", "#c597e8"),
    "traffic-4": ("#a8641b", "#eab066"),
    "traffic-5": ("#4f5f78", "#a3b4d1"),
    "mark": ("#d4580a", "#ff9d4d"),
    "on-mark": ("#ffffff", "#1c1206"),
    "mark-paper": ("#fff3e6", "#3a2510"),
}
TRAFFIC = tuple(name for name in COLOURS if name.startswith("traffic-"))

STYLES: Mapping[str, Style] = {
    "network": Style(fill="network", stroke="line", radius=12),
    "zone-worker": Style(fill="worker", stroke="worker-line", radius=9),
    "zone-control": Style(fill="control", stroke="control-line", radius=9),
    "zone-storage": Style(fill="storage", stroke="storage-line", radius=9),
    "zone-backup": Style(fill="backup-zone", stroke="backup-line", radius=9),
    "host": Style(fill="card", stroke="card-line", radius=7),
    "inside": Style(fill="storage", stroke="storage-line", radius=5),
    "app": Style(fill="app", stroke="app-line"),
    "part": Style(fill="part", stroke="part-line"),
    "daemon": Style(fill="daemon", stroke="daemon-line"),
    "osd": Style(fill="osd", stroke="osd-line"),
    "drive": Style(fill="drive", stroke="drive-line", radius=0),
    "block": Style(fill="block", stroke="block-line", radius=9),
    "file": Style(fill="file", stroke="file-line", radius=9),
    "object": Style(fill="object", stroke="object-line", radius=9),
    "frontend": Style(fill="network", stroke="card-line"),
    **{f"frontend-{name[8:]}": Style(fill="card", stroke=name) for name in TRAFFIC},
    "client": Style(fill="card", stroke="card-line", radius=9),
    "marks": Style(fill="mark-paper", stroke="mark"),
    "bare": Style(fill=""),
}


def colour(name: str, shade: Shade) -> str:
    """Return the colour of that name as `#rrggbb`."""
    return COLOURS[name][0 if shade == "light" else 1]
