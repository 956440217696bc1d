"""A run over time as a picture: what users did, where it stood still or failed, what was broken meanwhile.

It is inline SVG that takes its colours from the page's style sheet, and has its own where there is none. A
lane for each kind of operation: the area is how many succeeded, ember what failed, straw where none succeeded
for longer than before anything broke.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence

from rookery.experiments.measuring import gaps_of
from rookery.experiments.record import Broken, Mark, Record
from rookery.markup.html import Html, element, join

_WIDTH, _LEFT, _RIGHT = 1000.0, 118.0, 20.0
_TOP, _LANE, _PLOT, _BROKEN = 30.0, 50.0, 36.0, 24.0
_TICKS = (1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1800, 3600)
_MOST_TICKS = 12
_POINTS = 200  # of a lane; a point is at least 100 ms
_FINEST = 0.1
_NAMED = 7.0  # width of a character of a bar's words
_STYLE = """
.ex-text{font:13px var(--text,sans-serif);fill:var(--ink,#1b2625)}
.ex-soft{font:12px var(--text,sans-serif);fill:var(--soft,#52605e)}
.ex-line{stroke:var(--line,#cdcec6)}
.ex-done{fill:var(--egg,#5d9d95)}
.ex-failed{fill:var(--ember,#9a3d1f)}
.ex-gap{fill:var(--straw,#c9b891);opacity:.55}
.ex-broken{fill:var(--ember,#9a3d1f)}
.ex-on{font:12px var(--text,sans-serif);fill:#fff}
.ex-mark{stroke:var(--ember,#9a3d1f);stroke-width:1.5}
.ex-steady{stroke:var(--egg-line,#2d6661);stroke-width:1.5;stroke-dasharray:5 3}
"""


def render_chart(record: Record) -> str:
    """Return the picture of a run, from where it was observed to its end."""
    kinds = record.kinds()
    begin, end = record.window("whole")
    top = _TOP + _BROKEN * max(1, len(record.broken)) + 8
    bottom = top + _LANE * len(kinds)
    scale = (_WIDTH - _LEFT - _RIGHT) / max(end - begin, 1.0)
    plot = _Plot(record=record, begin=begin, end=end, scale=scale, top=top, bottom=bottom)
    parts = [element("style", Html(_STYLE)), *plot.axis(), *plot.faults(), *plot.moments()]
    for number, kind in enumerate(kinds):
        parts += plot.lane(kind, top + number * _LANE)
    return element(
        "svg",
        join(parts, "\n"),
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {_WIDTH:g} {bottom + 30:g}",
        width=_WIDTH,
        height=bottom + 30,
    )


def chart_words() -> str:
    """Return what is to be seen in it."""
    return (
        "Time runs from left to right, in seconds from the first fault. Each lane is a kind of operation:"
        " green, how many succeeded; dark red, that some failed; straw, that none succeeded for longer than"
        " before. The bars above say what was broken, until it was healed; dashed: everything is as before."
    )


class _Plot:
    """The parts of a picture, in one scale."""

    def __init__(
        self, *, record: Record, begin: float, end: float, scale: float, top: float, bottom: float
    ) -> None:
        self._record = record
        self._begin, self._end = begin, end
        self._scale = scale
        self._top, self._bottom = top, bottom
        self._zero = begin if record.phases.broken is None else record.phases.broken
        self._step = max(_FINEST, (end - begin) / _POINTS)

    def axis(self) -> Iterator[Html]:
        seconds = self._end - self._begin
        step = next((tick for tick in _TICKS if seconds / tick <= _MOST_TICKS), _TICKS[-1])
        first = int((self._begin - self._zero) // step)
        for number in itertools.count(first):
            at = self._zero + number * step
            if at > self._end:
                return
            if at >= self._begin:
                x = self._x(at)
                yield element("line", x1=x, y1=self._top - 4, x2=x, y2=self._bottom, class_="ex-line")
                words = f"{number * step} s"
                yield element("text", words, x=x, y=self._bottom + 18, class_="ex-soft", text_anchor="middle")

    def faults(self) -> Iterator[Html]:
        yield element("text", "broken", x=0, y=_TOP + 13, class_="ex-text")
        for number, one in enumerate(self._record.broken):
            yield self._fault(one, _TOP + number * _BROKEN)

    def _fault(self, one: Broken, y: float) -> Html:
        until = one.began if one.proved is None else one.proved
        until = max(until, one.healed if one.healed is not None else until)
        x, width = self._x(one.began), max(3.0, (until - one.began) * self._scale)
        bar = element(
            "rect", element("title", one.what), x=x, y=y, width=width, height=18, rx=3, class_="ex-broken"
        )
        fits = len(one.what) * _NAMED < width
        place = x + 6 if fits else x + width + 6
        text = element("text", one.what, x=place, y=y + 13, class_="ex-on" if fits else "ex-soft")
        return element("g", bar, text)

    def moments(self) -> Iterator[Html]:
        for one in self._record.broken:
            x = self._x(one.began)
            yield element("line", x1=x, y1=_TOP, x2=x, y2=self._bottom, class_="ex-mark")
        for event in self._record.events:
            if event.mark is Mark.STEADY:
                x = self._x(event.at)
                yield element("line", x1=x, y1=_TOP, x2=x, y2=self._bottom, class_="ex-steady")

    def lane(self, kind: str, y: float) -> Iterator[Html]:
        done = self._counts(kind, failed=False)
        failed = self._counts(kind, failed=True)
        most = max([1, *done])
        base = y + _PLOT
        yield element("text", kind, x=0, y=y + 22, class_="ex-text")
        yield element("text", f"{most / self._step:.0f}/s", x=0, y=y + 36, class_="ex-soft")
        for begin, end in gaps_of(self._record, kind):
            width = (end - begin) * self._scale
            title = element("title", f"no {kind} for {end - begin:.1f} s")
            yield element("rect", title, x=self._x(begin), y=y, width=width, height=_PLOT, class_="ex-gap")
        yield element("path", d=self._area(done, most, base), class_="ex-done")
        for number, count in enumerate(failed):
            if count:
                x = self._x(self._begin + number * self._step)
                title = element("title", f"{count} failed")
                width = max(1.5, self._step * self._scale)
                yield element("rect", title, x=x, y=y, width=width, height=8, class_="ex-failed")
        yield element("line", x1=_LEFT, y1=base, x2=_WIDTH - _RIGHT, y2=base, class_="ex-line")

    def _counts(self, kind: str, *, failed: bool) -> list[int]:
        counts = [0] * (int((self._end - self._begin) / self._step) + 1)
        for one in self._record.operations:
            if one.kind == kind and bool(one.error) is failed and self._begin <= one.ended <= self._end:
                counts[int((one.ended - self._begin) / self._step)] += 1
        return counts

    def _area(self, counts: Sequence[int], most: int, base: float) -> str:
        """Return the outline of an area: a step for each count, from the base and back to it."""
        width = self._step * self._scale
        points = [f"M{_LEFT:.1f} {base:.1f}"]
        for number, count in enumerate(counts):
            height = base - count / most * _PLOT
            points.append(f"L{_LEFT + number * width:.1f} {height:.1f}h{width:.1f}")
        points.append(f"V{base:.1f}Z")
        return "".join(points)

    def _x(self, at: float) -> float:
        return round(_LEFT + (at - self._begin) * self._scale, 1)
