"""The command that writes the files of the projections: render."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
from click.shell_completion import CompletionItem

from rookery.cli.options import complete_spec
from rookery.errors import ExitCode, InputError
from rookery.providers import ELSEWHERE

if TYPE_CHECKING:
    from rookery.projections.table import RenderInput
    from rookery.run.render import Difference, Written


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """The options that say what documents are made of, as they were typed."""

    day: str
    provider: str | None
    gitops: str | None
    image: str
    simulate: bool
    stale_ok: bool
    shipped_prices: bool


def _complete_projection(
    _context: click.Context, _parameter: click.Parameter, typed: str
) -> list[CompletionItem]:
    from rookery.projections.table import PROJECTIONS

    found = ((name, one.description) for name, one in PROJECTIONS.items() if name.startswith(typed))
    return [CompletionItem(name, help=description) for name, description in found]


@click.command(short_help="Write the document, the drawing, the tree for Kubernetes.")
@click.argument("spec", required=False, shell_complete=complete_spec)
@click.option(
    "-o",
    "--output",
    "folder",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="The folder that gets the files; it may hold others.",
)
@click.option(
    "--only",
    multiple=True,
    metavar="NAME",
    shell_complete=_complete_projection,
    help="This projection alone, such as document; repeatable.",
)
@click.option("--check", is_flag=True, help="Write nothing; exit 4 where a file is not as rendered.")
@click.option("--diff", is_flag=True, help="Write nothing; show what would change.")
@click.option(
    "--provider",
    type=click.Choice(ELSEWHERE),
    help="On Kubernetes there, whatever the spec says.",
)
@click.option("--gitops", type=click.Choice(["flux"]), help="Add what this tool needs to apply it.")
@click.option(
    "--image",
    default="",
    metavar="NAME",
    help="What pods name our image by, such as where a registry has it; else as `rookery image` builds it.",
)
@click.option("--simulate", is_flag=True, help="Place the data with Ceph's own tools too; as root.")
@click.option("--date", "day", default="", metavar="ISO", help="Judge how old prices are on this day.")
@click.option("--stale-ok", is_flag=True, help="Use prices that are older than a year.")
@click.option("--shipped-prices", is_flag=True, help="Leave out prices that were refreshed on this machine.")
def render(
    *, spec: str | None, folder: Path, only: tuple[str, ...], check: bool, diff: bool, **options: Any
) -> int:
    """Write the design of SPEC into DIR: the document with its drawing, and the tree for Kubernetes.

    The document is Markdown and one HTML page. The tree, in DIR/kubernetes, has everything from bare servers
    to the site: Ansible, Helm values, manifests, a guide. A spec of the native lab has none; --provider
    renders the one it would have elsewhere.

    SPEC is a file, or a pattern's name; without it the default example. The same spec, prices and version
    give the same bytes: prices are judged on the day of the newest, unless --date names another. Files that
    are there are replaced. What a former rendering wrote is removed once it is not rendered any more, unless
    somebody changed it.

    \b
    rookery render my.yaml -o out
    rookery render my.yaml -o out --check     in CI: is the committed tree current?
    rookery render my.yaml -o out --diff
    rookery render -o out --provider hetzner --gitops flux
    rookery render -o out --provider hetzner --image registry.example.com/rookery/apps:1
    """
    from rookery.run.render import differences, render_files, unified_diff, write_tree

    rendered = render_files(_input(spec, _Options(**options)), only)
    if not (check or diff):
        _report(write_tree(folder, rendered), folder)
        return ExitCode.DONE
    found = differences(folder, rendered)
    if diff:
        click.echo(unified_diff(found), nl=False)
    return _verdict(found, folder, names=not diff) if check else ExitCode.DONE


def _input(spec: str | None, asked: _Options) -> RenderInput:
    from rookery.prices.comparison import Judgement
    from rookery.run.prices import load_prices, shipped_book
    from rookery.run.render import book_date, render_input
    from rookery.run.workspace import open_spec

    workspace = open_spec(spec, as_new=True, provider=asked.provider or "")
    book = shipped_book() if asked.shipped_prices else load_prices().book
    today = _parse_day(asked.day) if asked.day else book_date(book)
    simulation = None
    if asked.simulate:
        from rookery.run.simulate import simulate

        simulation = simulate(workspace.design, lambda text: _say(f"  {text}"))
    _warn_of_age(book_date(book))
    judgement = Judgement(today=today, stale_ok=asked.stale_ok)
    return render_input(
        workspace,
        book,
        judgement=judgement,
        simulation=simulation,
        gitops=asked.gitops or "",
        image=_checked_image(asked.image),
    )


def _checked_image(name: str) -> str:
    from rookery.apps.pod_image import is_reference

    if name and not is_reference(name):
        raise InputError(
            f"--image {name} is no image with a version",
            hint="Write it with its tag, like registry.example.com/rookery/apps:1.",
        )
    return name


def _parse_day(text: str) -> dt.date:
    try:
        day = dt.date.fromisoformat(text)
    except ValueError:
        day = None
    if day is None or not 2000 <= day.year <= 2200:
        raise InputError(f"--date {text} is no day of a price", hint="Write it like 2026-12-01.")
    return day


def _warn_of_age(newest: dt.date) -> None:
    """Say that prices are old: the document itself, which knows no clock, cannot."""
    from rookery.prices.book import MARKED_AFTER_DAYS

    today = dt.datetime.now(dt.UTC).date()  # noqa: TID251 - the edge; no file depends on it
    if (today - newest).days > MARKED_AFTER_DAYS:
        _say(f"The newest price is of {newest}; `rookery prices refresh` reads them anew.")


def _report(done: Written, folder: Path) -> None:
    """Say what was done, on standard error: the files are the product."""
    for path in done.written:
        if path in done.replaced:
            _say(f"replaced  {path}  (it was not as a rendering left it)")
        else:
            _say(f"written   {path}")
    for path in done.removed:
        _say(f"removed   {path}")
    for path in done.left:
        _say(f"left      {path}  (it is not rendered any more, and not as we wrote it)")
    current = done.files - len(done.written)
    _say(f"{folder}: {done.files} files, {current} of them current before")


def _verdict(found: Sequence[Difference], folder: Path, *, names: bool) -> int:
    """Name the files that are stale on standard output, unless a diff already did."""
    if not found:
        _say(f"{folder} is current")
        return ExitCode.DONE
    if names:
        for one in found:
            click.echo(f"{one.state:10} {one.path}")
    count = "1 file is" if len(found) == 1 else f"{len(found)} files are"
    _say(f"{folder}: {count} not as rendered; without --check the same command renders them")
    return ExitCode.VIOLATED


def _say(text: str) -> None:
    click.echo(text, err=True)
