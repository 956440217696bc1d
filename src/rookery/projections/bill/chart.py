"""Cost over hours for each cloud, as an SVG: the month above, the first hours below.

Above, the curves are those of the price list: what a system has cost when it is taken down after so many
hours. The broken line is a whole month of Hetzner, the dots on it are where the others reach it: break-even
points only if a month were charged in advance. Below are the real ones, where started hours make steps.
Colours follow the reader's light or dark scheme; the same bills give the same bytes.
"""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from math import ceil, floor, log10
from xml.sax.saxutils import escape

from rookery.prices.bill import Bill, BreakEven, cents
from rookery.prices.book import TITLES
from rookery.prices.comparison import Comparison, say_break_even
from rookery.prices.period import DAY, HOUR, LIST_MONTH, format_duration

_WIDTH = 880
_LEFT, _RIGHT = 64, 736
_MONTH_TOP, _MONTH_HEIGHT = 92, 288
_HOURS_TOP, _HOURS_HEIGHT = 478, 140
_LINE = 20
_FONT = "Inter, system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"
_LABEL_GAP = 17
_LEAST_HOURS, _MOST_HOURS = 3, 12

_STYLE = """
  .page { fill: #ffffff } .title { fill: #16181d; font-size: 19px; font-weight: 600 }
  .text { fill: #3d434d; font-size: 13px } .small { fill: #6b7280; font-size: 12px }
  .grid { stroke: #e5e7eb } .axis { stroke: #9ca3af }
  .hetzner { stroke: #c8102e; fill: #c8102e } .aws { stroke: #b45f06; fill: #b45f06 }
  .gcp { stroke: #1a66d0; fill: #1a66d0 }
  .curve { fill: none; stroke-width: 2.5; stroke-linejoin: round; stroke-linecap: round }
  .whole { fill: none; stroke-width: 1.5; stroke-dasharray: 6 5 }
  .label { stroke: none; font-size: 13px; font-weight: 600 } .dot { stroke: #ffffff; stroke-width: 2 }
  @media (prefers-color-scheme: dark) {
    .page { fill: #14161a } .title { fill: #f1f3f5 } .text { fill: #c6cbd3 } .small { fill: #949ba6 }
    .grid { stroke: #2a2e35 } .axis { stroke: #6b7280 }
    .hetzner { stroke: #ff6b7f; fill: #ff6b7f } .aws { stroke: #f0a04b; fill: #f0a04b }
    .gcp { stroke: #6ea8fe; fill: #6ea8fe } .curve, .whole { fill: none }
    .label { stroke: none } .dot { stroke: #14161a }
  }
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Plot:
    """A plotting area: seconds to the right up to `seconds`, money upwards up to `most`."""

    top: int
    height: int
    seconds: int
    most: float

    def x(self, seconds: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * seconds / self.seconds

    def y(self, amount: Decimal | float) -> float:
        return self.top + self.height * (1 - float(amount) / self.most)

    def at(self, seconds: float, amount: Decimal | float) -> str:
        return f"{self.x(seconds):.1f},{self.y(amount):.1f}"


def render_chart(comparison: Comparison) -> str:
    """Return the chart of all bills of a comparison; an empty text where there is none."""
    if not comparison.bills:
        return ""
    bills, first = comparison.bills, comparison.bills[0]
    sayings = [say_break_even(found) for found in comparison.break_evens]
    height = _HOURS_TOP + _HOURS_HEIGHT + 52 + _LINE * len(sayings)
    title = f"{first.design}: cost over time"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {height}" width="{_WIDTH}"',
        f' height="{height}" role="img" aria-labelledby="title" font-family="{_FONT}">',
        f'<title id="title">{escape(title)}, in {first.currency}</title>',
        f"<style>{_STYLE}</style>",
        f'<rect class="page" width="{_WIDTH}" height="{height}"/>',
        _text(_LEFT - 40, 36, title, "title"),
        _text(_LEFT - 40, 58, _subtitle(first), "text"),
        *_month(comparison),
        *_hours(bills, comparison.break_evens),
        *(
            _text(_LEFT - 40, _HOURS_TOP + _HOURS_HEIGHT + 58 + _LINE * number, saying, "text")
            for number, saying in enumerate(sayings)
        ),
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _subtitle(bill: Bill) -> str:
    tax = "net of VAT" if bill.quote.net else "VAT included"
    rate = f"1 EUR = {bill.rate.usd_per_eur} USD on {bill.rate.date}"
    return f"What has been paid when the system is taken down then; {bill.currency}, {tax}, {rate}"


def _month(comparison: Comparison) -> list[str]:
    bills = comparison.bills
    most = max(float(bill.amounts.month) for bill in bills)
    plot = _Plot(top=_MONTH_TOP, height=_MONTH_HEIGHT, seconds=LIST_MONTH, most=_ceiling(most))
    days = [(day * DAY, f"{day} d") for day in range(0, 31, 5)]
    parts = _frame(plot, days, "days")
    capped = comparison.capped
    if capped and len(bills) > 1:
        level, whose = capped.amounts.month, capped.quote.provider
        parts.append(f'<path class="{whose} whole" d="M{plot.at(0, level)} L{plot.at(LIST_MONTH, level)}"/>')
        said = f"a whole month of {TITLES[whose]}"
        parts.append(_text(_RIGHT - 8, plot.y(level) - 8, said, f"{whose} label", "end"))
    for bill in bills:
        points = [(hour * HOUR, _cost(bill, hour * HOUR)) for hour in range(LIST_MONTH // HOUR + 1)]
        parts.append(_curve(plot, bill, points))
    parts += _end_labels(plot, bills)
    if capped:
        parts += _whole_month_dots(plot, capped, comparison.break_evens)
    return parts


def _whole_month_dots(plot: _Plot, capped: Bill, found: tuple[BreakEven, ...]) -> list[str]:
    """Return the points where the others reach a whole month of the capped bill.

    Their labels are stacked up to the left, where nothing is: the others' lines come from below.
    """
    met = sorted((even.whole_month_hours, even.other) for even in found if even.whole_month_hours is not None)
    level = plot.y(capped.amounts.month)
    parts = []
    for number, (hours, provider) in enumerate(met):
        x, dy = plot.x(hours * HOUR), 10 + _LABEL_GAP * number
        parts.append(f'<circle class="{provider} dot" cx="{x:.1f}" cy="{level:.1f}" r="5.5"/>')
        parts.append(_text(x - 6, level - dy, f"{TITLES[provider]} {hours} h", f"{provider} label", "end"))
    return parts


def _hours(bills: tuple[Bill, ...], found: tuple[BreakEven, ...]) -> list[str]:
    hours = _first_hours(found)
    most = max(float(_cost(bill, hours * HOUR)) for bill in bills)
    plot = _Plot(top=_HOURS_TOP, height=_HOURS_HEIGHT, seconds=hours * HOUR, most=_ceiling(most))
    ticks = [(hour * HOUR, f"{hour} h") for hour in range(hours + 1)]
    parts = [_text(_LEFT - 40, plot.top - 36, f"The first {hours} hours", "title")]
    parts.append(
        _text(
            _LEFT - 40,
            plot.top - 16,
            "The real break-even points, marked: a started hour is paid whole",
            "text",
        )
    )
    parts += _frame(plot, ticks, "hours")
    for bill in bills:
        seconds = sorted({moment for hour in range(hours) for moment in (hour * HOUR + 1, (hour + 1) * HOUR)})
        parts.append(_curve(plot, bill, [(moment, _cost(bill, moment)) for moment in seconds]))
    parts += _end_labels(plot, bills)
    for even in found:
        bill = next(bill for bill in bills if bill.quote.provider == even.one)
        for span in even.spans[1:]:
            if span.begin <= plot.seconds:
                moment = max(span.begin, 1)
                x, y = plot.x(moment), plot.y(_cost(bill, moment))
                said = f"{TITLES[even.one]} and {TITLES[even.other]} change at {format_duration(moment)}"
                parts.append(
                    f'<circle class="{even.other} dot" cx="{x:.1f}" cy="{y:.1f}" r="4.5">'
                    f"<title>{escape(said)}</title></circle>"
                )
    return parts


def _first_hours(found: tuple[BreakEven, ...]) -> int:
    """Return how many hours show the last change of who is cheaper, within reason."""
    last = max((span.begin for even in found for span in even.spans), default=0)
    return min(max(ceil(last / HOUR) + 1, _LEAST_HOURS), _MOST_HOURS)


def _frame(plot: _Plot, ticks: list[tuple[int, str]], what: str) -> list[str]:
    """Return grid lines with their amounts, and the ticks of time below."""
    parts = [f'<g aria-label="{what}">']
    step = _step(plot.most)
    for number in range(round(plot.most / step) + 1):
        y = plot.y(number * step)
        style = "axis" if number == 0 else "grid"
        parts.append(f'<path class="{style}" d="M{_LEFT},{y:.1f} H{_RIGHT}"/>')
        parts.append(_text(_LEFT - 8, y + 4, _tick(number * step, step), "small", "end"))
    parts += [
        _text(plot.x(moment), plot.top + plot.height + 20, label, "small", "middle")
        for moment, label in ticks
    ]
    return [*parts, "</g>"]


def _curve(plot: _Plot, bill: Bill, points: list[tuple[int, Decimal]]) -> str:
    """Return a provider's line through the points, without those that lie on the way."""
    kept: list[tuple[int, Decimal]] = []
    for number, (moment, cost) in enumerate(points):
        if 0 < number < len(points) - 1:
            before, after = kept[-1], points[number + 1]
            along = (after[1] - before[1]) * (moment - before[0]) / (after[0] - before[0])
            if abs(float(before[1] + along - cost)) * plot.height / plot.most < 0.05:
                continue
        kept.append((moment, cost))
    path = " L".join(plot.at(moment, cost) for moment, cost in kept)
    return f'<path class="{bill.quote.provider} curve" d="M{path}"/>'


def _end_labels(plot: _Plot, bills: tuple[Bill, ...]) -> list[str]:
    """Return name and last amount at the end of each line, pushed apart where they would touch."""
    ends = sorted(((plot.y(_cost(bill, plot.seconds)), bill) for bill in bills), key=lambda pair: pair[0])
    parts, lowest = [], float("-inf")
    for y, bill in ends:
        lowest = max(y + 4, lowest + _LABEL_GAP)
        provider = bill.quote.provider
        said = f"{TITLES[provider]} {_short(_cost(bill, plot.seconds))}"
        parts.append(_text(_RIGHT + 10, lowest, said, f"{provider} label"))
    return parts


def _cost(bill: Bill, seconds: int) -> Decimal:
    return bill.convert(bill.quote.listed(seconds))


def _step(most: float) -> float:
    """Return the distance of grid lines, 1, 2 or 5 times a power of ten, so that there are at most six."""
    power = 10.0 ** floor(log10(most / 6)) if most > 0 else 1.0
    return next(power * factor for factor in (1, 2, 5, 10) if power * factor >= most / 6)


def _ceiling(most: float) -> float:
    """Return the top of a scale that shows `most`: a grid line."""
    step = _step(most)
    return step * max(1, ceil(most / step - 1e-9))


def _tick(amount: float, step: float) -> str:
    """Write an amount of the scale with as many decimals as its step has; millions as such."""
    if step >= 100_000:
        return f"{amount / 1_000_000:.1f} M"
    return f"{amount:,.{max(0, -floor(log10(step)))}f}"


def _short(amount: Decimal) -> str:
    """Write an amount so that it fits beside the chart: without cents from a thousand on."""
    if amount >= 1_000_000:
        return f"{amount / 1_000_000:.2f} M"
    return f"{amount:,.0f}" if amount >= 1000 else f"{cents(amount)}"


def _text(x: float, y: float, text: str, style: str, anchor: str = "start") -> str:
    return f'<text class="{style}" x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'
