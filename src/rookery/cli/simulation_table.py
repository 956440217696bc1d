"""A simulated placement as tables that fit 80 columns."""

from __future__ import annotations

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from rookery.projections.simulation import Move, Simulation, Spread, data_size


def simulation_view(simulation: Simulation) -> RenderableType:
    """Return how evenly the OSDs are filled in each state, and what each change moves."""
    head = (
        f"{simulation.pgs} PGs, {simulation.shards} copies and chunks on {simulation.designed.osds} OSDs of "
        f"{simulation.hosts} hosts; {simulation.tool}"
    )
    blocks: list[RenderableType] = [Text(head, style="dim"), Text(), _spreads(simulation)]
    if simulation.why_unbalanced:
        blocks.append(Text(f"balancer: {simulation.why_unbalanced}", style="yellow"))
    return Group(*blocks, Text(), _moves(simulation.moves))


def _spreads(simulation: Simulation) -> Table:
    table = _table("state", "PGs per OSD", "std dev", "emptiest", "fullest", "mean", "holds")
    table.add_row("as designed", *_spread(simulation.designed))
    if simulation.balanced is not None:
        table.add_row(f"balanced, {simulation.upmaps} upmaps", *_spread(simulation.balanced))
    for move in simulation.moves:
        table.add_row(move.title, *_spread(move.spread))
    table.caption = (
        "Emptiest and fullest OSD in relation to the mean fullness. Mean fullness and user data are "
        "those at which the fullest OSD is nearfull (85 %)."
    )
    table.caption_justify = "left"
    return table


def _spread(spread: Spread) -> tuple[str | Text, ...]:
    homeless = f", {spread.homeless} nowhere" if spread.homeless else ""
    return (
        Text(f"{spread.pgs_least}-{spread.pgs_most}{homeless}", style="bold red" if homeless else ""),
        f"{spread.deviation:.1%}",
        f"{spread.emptiest:.2f}",
        f"{spread.fullest:.2f}",
        f"{spread.nearfull_at:.1%}",
        data_size(spread.holds),
    )


def _moves(moves: tuple[Move, ...]) -> Table:
    table = _table("change", "moves", "of all", "ideal", "of the data")
    for move in moves:
        figures = (f"{move.part:.2%}", f"{move.ideal:.2%}", f"{move.data:.2%}")
        table.add_row(move.title, str(move.moved), *figures)
    return table


def _table(first: str, *columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(first, header_style="dim")
    for column in columns:
        table.add_column(column, header_style="dim", justify="right", no_wrap=True)
    return table
