"""The figures of a load as tables that fit 80 columns."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rookery.load.model import Figures, KindFigures
from rookery.units import format_seconds, format_size

_TOPMOST_ERRORS = 8


def load_view(figures: Figures) -> RenderableType:
    """Return the state, a row for each kind, what limits the run, and the most frequent errors."""
    blocks: list[RenderableType] = [_head(figures), Text(), _kinds(figures), Text(), _facts(figures)]
    if figures.errors:
        blocks += [Text(), _errors(figures)]
    return Group(*blocks)


def _head(figures: Figures) -> Text:
    style = "green" if figures.running or figures.state == "ended" else "bold red"
    head = Text.assemble(
        (figures.system, "bold"),
        "  load ",
        (figures.state, style),
        f", {format_seconds(figures.seconds)}",
    )
    for words in (figures.why, figures.message):
        if words:
            head.append(f"\n{words}")
    return head


def _kinds(figures: Figures) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("kind", header_style="dim")
    for column in ("now/s", "all/s", "errors", "late", "p50 ms", "p95", "p99", "max", "MB/s"):
        table.add_column(column, header_style="dim", justify="right", no_wrap=True)
    for kind in figures.kinds:
        table.add_row(kind.name, *_row(kind, figures))
    return table


def _row(kind: KindFigures, figures: Figures) -> tuple[str | Text, ...]:
    speed = kind.bytes_now if figures.running else kind.bytes / max(figures.seconds, 1)
    times = tuple(_digits(value) for value in (kind.p50, kind.p95, kind.p99, kind.max))
    return (
        f"{kind.rate_now:.1f}" if figures.running else "",
        f"{kind.rate:.1f}",
        Text(str(kind.errors), style="bold red" if kind.errors else ""),
        str(kind.late),
        *times,
        f"{speed / 1e6:.2f}" if kind.bytes else "",
    )


def _digits(milliseconds: float) -> str:
    return f"{milliseconds:.1f}" if milliseconds < 100 else f"{milliseconds:.0f}"


def _facts(figures: Figures) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), show_header=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    names = {kind.name for kind in figures.kinds}
    if names & {"pages", "catalogue"}:
        stalls = sum(kind.stalls for kind in figures.kinds)
        table.add_row("viewers", f"{figures.viewers}, whose picture stood still {stalls} times")
    if "transactions" in names:
        words = f"{figures.acknowledged} transactions acknowledged"
        table.add_row("books", f"{words}; {_BOOKS[figures.books]}" if figures.books else words)
    if figures.space_budget:
        used, budget = figures.space_used // 10**5 * 10**5, figures.space_budget
        table.add_row("space", f"{format_size(used)} of {format_size(budget)}")
    if figures.nearfull is not None:
        fullest = "unknown" if figures.fullest is None else f"{figures.fullest:.1%}"
        table.add_row("fullest OSD", f"{fullest}; the load ends at {figures.nearfull:.1%}")
    for kind, why in figures.off:
        table.add_row(kind, f"off: {why}")
    return table


_BOOKS = {
    "held": "all of them are there",
    "violated": "NOT all of them are there, or the balance is wrong",
    "not observed": "whether they are there could not be seen",
}


def _errors(figures: Figures) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column("errors", justify="right", header_style="dim")
    table.add_column("of", header_style="dim")
    table.add_column("what was said", header_style="dim", overflow="fold")
    found = [(count, kind.name, text) for kind in figures.kinds for text, count in kind.error_texts]
    for count, name, text in sorted(found, reverse=True)[:_TOPMOST_ERRORS]:
        table.add_row(str(count), name, text)
    return table
