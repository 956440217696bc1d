"""A drill over time as a picture: what was done to the whole, and how each kind came back.

It is inline SVG that takes its colours from the page's style sheet, and has its own where there is none.
"""

from __future__ import annotations

from collections.abc import Iterator

from rookery.markup.html import Html, element, join
from rookery.run.drill.model import DrillOutcome, Event, Step
from rookery.units import format_seconds

_WIDTH, _LEFT, _RIGHT = 1000.0, 92.0, 24.0
_TOP, _LANE, _BAR = 34.0, 40.0, 22.0
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_MOST_TICKS = 10
_CHARACTER = 6.4  # width of a character of a bar's words
_STYLE = """
.tl-text{font:13px var(--text,sans-serif);fill:var(--ink,#1b2625)}
.tl-soft{font:12px var(--text,sans-serif);fill:var(--soft,#52605e)}
.tl-line{stroke:var(--line,#cdcec6)}
.tl-whole{fill:var(--straw,#c9b891)}
.tl-restore{fill:var(--egg,#5d9d95)}
.tl-settle{fill:var(--egg-line,#2d6661)}
.tl-compare{fill:var(--unused,#b9bab2)}
.tl-whole-on,.tl-compare-on{font:12px var(--text,sans-serif);fill:var(--ink,#1b2625)}
.tl-restore-on{font:12px var(--text,sans-serif);fill:#10201e}
.tl-settle-on{font:12px var(--text,sans-serif);fill:var(--paper,#ecebe6)}
.tl-loss{stroke:var(--ember,#9a3d1f);stroke-width:2}
.tl-alarm{font:600 13px var(--text,sans-serif);fill:var(--ember,#9a3d1f)}
"""


def render_timeline(outcome: DrillOutcome) -> str:
    """Return the picture."""
    lanes = 1 + len(outcome.kinds)
    height = _TOP + lanes * _LANE + 34
    scale = (_WIDTH - _LEFT - _RIGHT) / max(outcome.seconds, 1.0)
    parts = [
        element("style", Html(_STYLE)),
        *_axis(outcome.seconds, scale, _TOP + lanes * _LANE),
        *_whole(outcome, scale),
        *_kinds(outcome, scale),
        *_loss(outcome, scale, _TOP + lanes * _LANE),
    ]
    return element(
        "svg",
        join(parts, "\n"),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH:g} {height:g}",
        width=_WIDTH,
        height=height,
    )


def legend() -> str:
    """Return what the colours mean."""
    return (
        "Straw: what was done to the whole. Green: restoring, dark green: copied into its place. Grey:"
        " reading and comparing. The line: the moment of the loss."
    )


def _axis(seconds: float, scale: float, bottom: float) -> Iterator[Html]:
    step = next((tick for tick in _TICKS if seconds / tick <= _MOST_TICKS), _TICKS[-1])
    for number in range(int(seconds // step) + 1):
        x = _LEFT + number * step * scale
        yield element("line", x1=x, y1=_TOP - 8, x2=x, y2=bottom, class_="tl-line")
        yield element(
            "text", f"{number * step} s", x=x, y=bottom + 18, class_="tl-soft", text_anchor="middle"
        )


def _whole(outcome: DrillOutcome, scale: float) -> Iterator[Html]:
    yield _lane_title("the whole", 0)
    for event in outcome.events:
        yield _bar(event, 0, scale, "tl-whole")


def _kinds(outcome: DrillOutcome, scale: float) -> Iterator[Html]:
    for lane, kind in enumerate(outcome.kinds, 1):
        yield _lane_title(kind.kind, lane)
        for step in kind.steps:
            style = "tl-settle" if step.what.startswith("copied") else "tl-restore"
            style = "tl-compare" if step.what.startswith("read") else style
            yield _bar(step, lane, scale, style)


def _loss(outcome: DrillOutcome, scale: float, bottom: float) -> Iterator[Html]:
    x = _LEFT + outcome.lost_at * scale
    yield element("line", x1=x, y1=_TOP - 14, x2=x, y2=bottom, class_="tl-loss")
    words = f"lost on purpose, after {format_seconds(outcome.lost_at)}"
    anchor = "end" if x > _WIDTH * 0.7 else "start"
    away = -6 if anchor == "end" else 6
    yield element("text", words, x=x + away, y=_TOP - 8, class_="tl-alarm", text_anchor=anchor)


def _lane_title(words: str, lane: int) -> Html:
    return element("text", words, x=0, y=_TOP + lane * _LANE + 16, class_="tl-text")


def _bar(step: Step | Event, lane: int, scale: float, style: str) -> Html:
    """Return a bar with what it is as its title, and its seconds in it where they fit."""
    x, y, width = _LEFT + step.began * scale, _TOP + lane * _LANE, max(1.5, step.seconds * scale)
    took = format_seconds(step.seconds)
    title = element("title", f"{step.what}: {took}")
    bar = element("rect", title, x=x, y=y, width=width, height=_BAR, rx=3, class_=style)
    if width < len(took) * _CHARACTER + 8:
        return bar
    words = element("text", took, x=x + width / 2, y=y + 15.5, class_=f"{style}-on", text_anchor="middle")
    return element("g", bar, words)
