"""Commands on money: `cost` prices a design, `prices` shows the price book and reads it anew.

The clock is read here, once; everything below is told what day it is.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from rookery.cli.journaling import Keeping, journal_options, recorded
from rookery.cli.options import complete_spec, output_option, terminal_width
from rookery.errors import ExitCode, InputError, NotPossibleError
from rookery.providers import PROVIDERS

if TYPE_CHECKING:
    from rookery.design.model import Design
    from rookery.prices.book import Cloud, Currency, PriceBook
    from rookery.prices.comparison import Comparison, Judgement
    from rookery.prices.quote import Terms

_PROVIDERS = click.Choice([name for name, traits in PROVIDERS.items() if traits.priced])


@dataclass(frozen=True, slots=True, kw_only=True)
class _Options:
    """The options of `cost` as they were typed."""

    provider: Cloud | None
    duration: str
    start: str
    machines: tuple[str, ...]
    region: str
    traffic: str
    currency: Currency | None
    rate: str
    compare: bool
    stale_ok: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class _Question:
    """What is asked: the cost of which design, where, from when, for how long, on what terms."""

    design: Design
    book: PriceBook
    provider: Cloud
    start: dt.datetime
    duration: dt.timedelta
    terms: Terms
    currency: Currency
    judgement: Judgement


@click.command(short_help="Show what a design costs on a cloud.")
@click.argument("spec", required=False, shell_complete=complete_spec)
@click.option("--provider", type=_PROVIDERS, help="Whose bill: the design's own by default, else Hetzner's.")
@click.option(
    "--for", "duration", default="8h", show_default=True, metavar="TIME", help="90min, 8h, 3d, 1month."
)
@click.option("--start", default="", metavar="ISO", help="From when on, in UTC; now by default.")
@click.option("--compare", is_flag=True, help="All three providers side by side.")
@click.option("--machine", "machines", multiple=True, metavar="TYPE", help="Take this type; repeatable.")
@click.option("--region", default="", metavar="NAME", help="The provider's region; see `rookery prices`.")
@click.option("--traffic", default="0", metavar="SIZE", help="To the internet each month, such as 500GB.")
@click.option("--currency", type=click.Choice(["EUR", "USD"]), help="The provider's own by default.")
@click.option("--rate", default="", metavar="USD", help="Dollars for one euro; by default the price book's.")
@click.option("--stale-ok", is_flag=True, help="Use prices that are older than a year.")
@click.option("--chart", type=click.Path(path_type=Path, dir_okay=False), help="Draw it: .svg or .png.")
@output_option
def cost(*, spec: str | None, chart: Path | None, output: str, **options: Any) -> int:
    """Show what the design of SPEC costs on a cloud: by the hour, by the month, and for a time.

    Nothing is ordered and nobody is asked: prices come from the price book, each with its date. SPEC is a
    file, or a pattern's name; without it the default example. Prices of more than 90 days are marked; those
    of more than a year are refused with exit status 2 unless --stale-ok.

    \b
    rookery cost
    rookery cost my.yaml --provider aws --for 90min
    rookery cost --compare --for 1month --start 2026-12-01 --currency USD
    rookery cost --machine cpx22 --machine t3.medium --chart cost.svg
    """
    from rookery.prices.comparison import bill_for, compare_clouds, terms_of

    asked = _Options(**options)
    question = _question(spec, asked)
    design, book, start, duration = question.design, question.book, question.start, question.duration
    if not asked.compare:
        # A refusal of the one bill that was asked for ends the command; of the others it is a remark.
        terms = terms_of(question.terms, book, question.provider)
        bill_for(design, book, question.provider, start, duration, judgement=question.judgement, terms=terms)
    comparison = compare_clouds(
        design,
        book,
        start,
        duration,
        judgement=question.judgement,
        terms=question.terms,
        currency=question.currency,
    )
    if chart is not None:
        _draw(comparison, chart)
    _print(comparison, question, compare=asked.compare, output=output)
    return ExitCode.DONE if comparison.bills else ExitCode.INPUT_WRONG


def _question(spec: str | None, asked: _Options) -> _Question:
    from rookery.prices.book import CLOUDS, cloud_of
    from rookery.prices.comparison import Judgement, refuse_unknown
    from rookery.prices.period import parse_duration, utc
    from rookery.prices.quote import Terms
    from rookery.run.prices import load_prices
    from rookery.run.workspace import open_spec

    now = _now()
    book = _with_rate(load_prices().book, asked.rate, now.date())
    design = open_spec(spec).design
    start = utc(_parse_start(asked.start)) if asked.start else now
    terms = Terms(region=asked.region, machines=asked.machines, traffic=_parse_traffic(asked.traffic))
    refuse_unknown(terms, book, (asked.provider,) if asked.provider and not asked.compare else CLOUDS)
    provider = asked.provider or _meant(terms, book) or cloud_of(design.provider)
    return _Question(
        design=design,
        book=book,
        provider=provider,
        start=start,
        duration=parse_duration(asked.duration, start),
        terms=terms,
        currency=asked.currency or book.of(provider).currency,
        judgement=Judgement(today=now.date(), stale_ok=asked.stale_ok),
    )


def _print(comparison: Comparison, question: _Question, *, compare: bool, output: str) -> None:
    from rookery.cli import cost_tables

    today, provider = question.judgement.today, question.provider
    if output == "json":
        from rookery.run.answers import to_json

        data = cost_tables.cost_data(comparison, today=today, provider=None if compare else provider)
        click.echo(to_json(data))
        return
    if compare:
        blocks = cost_tables.comparison_view(comparison, today)
    else:
        blocks = cost_tables.bill_view(comparison, provider, today)
    cost_tables.print_blocks(terminal_width(), blocks)


def _draw(comparison: Comparison, path: Path) -> None:
    """Write the chart; a PNG through the rasteriser, where this version has one."""
    from rookery.drivers.machine.files import write_whole
    from rookery.projections.bill.chart import render_chart

    svg = render_chart(comparison)
    kind = path.suffix.lower()
    if kind not in (".svg", ".png"):
        raise InputError(f"{path} is neither .svg nor .png", hint="Name the chart by one of the two.")
    if not svg:
        raise InputError("there is nothing to draw: no cloud could be priced", hint="--stale-ok may help.")
    content = svg.encode() if kind == ".svg" else _rasterised(svg)
    try:
        write_whole(path, content)
    except OSError as error:
        raise InputError(f"{path} cannot be written: {error.strerror}") from None
    click.echo(f"{path} is written", err=True)


def _rasterised(svg: str) -> bytes:
    from rookery.drivers.media.raster import render_png
    from rookery.projections.drawing.font import font_file

    try:
        return render_png(svg, fonts=[font_file(bold=False), font_file(bold=True)])
    except ImportError:
        raise NotPossibleError("PNG cannot be written here", hint="Name a file ending in .svg.") from None


@click.group(invoke_without_command=True, short_help="Show the price book, or refresh it.")
@click.pass_context
def prices(ctx: click.Context) -> None:
    """Show the price book: what it has, how old it is, and where it came from.

    \b
    rookery prices
    rookery prices show aws
    HCLOUD_TOKEN=... rookery prices refresh --provider hetzner
    """
    if ctx.invoked_subcommand is None:
        from rookery.cli import cost_tables
        from rookery.run.prices import load_prices, own_book_path

        known = load_prices()
        blocks = cost_tables.book_view(known, own_book_path(), _now().date())
        cost_tables.print_blocks(terminal_width(), blocks)


@prices.command("show")
@click.argument("provider", required=False, type=_PROVIDERS)
@output_option
def show_prices(provider: Cloud | None, output: str) -> None:
    """List the prices of PROVIDER, or of all: amount, unit, date and stock."""
    from rookery.prices.book import render_book
    from rookery.run.prices import load_prices

    book = load_prices().book
    if provider is not None:
        book = replace(book, providers=(book.of(provider),))
    if output == "json":
        click.echo(render_book(book), nl=False)
        return
    from rookery.cli import cost_tables

    cost_tables.print_blocks(terminal_width(), cost_tables.price_lists_view(book, _now().date()))


@prices.command("refresh")
@click.option("--provider", type=_PROVIDERS, required=True, help="Whose prices to read.")
@click.option("--output-file", type=click.Path(path_type=Path, dir_okay=False), help="Where to keep them.")
@click.option("--base-url", default="", hidden=True, help="Ask here instead of the provider's own API.")
@journal_options
def refresh(provider: Cloud, output_file: Path | None, base_url: str, keeping: Keeping) -> None:
    """Read a provider's prices of today, and keep them for later commands.

    Hetzner wants a read token in HCLOUD_TOKEN, GCP an API key in GCP_API_KEY, AWS its usual credentials with
    the right pricing:GetProducts. The prices are kept in ~/.config/rookery/prices.json and used instead of
    the shipped ones while they are newer. Whatever goes wrong, the known prices stay.
    """
    from rookery.cli import cost_tables
    from rookery.run.prices import fetcher, refresh_prices

    today = _now().date()
    fetch = fetcher(provider, today=today, base_url=base_url)
    with recorded(keeping, system="") as record:
        click.echo(f"asking {provider} for its prices", err=True)
        done = refresh_prices(provider, fetch, today=today, path=output_file)
        lines = list(cost_tables.refresh_lines(done, today))
        record.ends(ExitCode.DONE, lines[0])
    click.echo("\n".join(lines))


def _now() -> dt.datetime:
    return dt.datetime.now(dt.UTC).replace(microsecond=0)  # noqa: TID251 - the edge, where time is passed in


def _meant(terms: Terms, book: PriceBook) -> Cloud | None:
    """Return the provider that the named region or machine types are of, where it is one."""
    from rookery.prices.comparison import terms_of

    own = {prices.provider: terms_of(terms, book, prices.provider) for prices in book.providers}
    found: list[Cloud] = [provider for provider, about in own.items() if about.region or about.machines]
    return found[0] if len(found) == 1 else None


def _with_rate(book: PriceBook, text: str, today: dt.date) -> PriceBook:
    if not text:
        return book
    try:
        rate = Decimal(text)
    except InvalidOperation:
        rate = Decimal(0)
    if not rate.is_finite() or not Decimal("0.01") <= rate <= 100:
        raise InputError(
            f"--rate {text} is no exchange rate", hint="US dollars for one euro, such as 1.1133."
        )
    return replace(book, rate=replace(book.rate, usd_per_eur=rate, date=today, source="--rate"))


def _parse_start(text: str) -> dt.datetime:
    try:
        start = dt.datetime.fromisoformat(text)
    except ValueError:
        start = None
    if start is None or not 2000 <= start.year <= 2200:
        raise InputError(
            f"--start {text} is no date of a bill",
            hint="Write it like 2026-12-01 or 2026-12-01T09:30, in UTC.",
        )
    return start


def _parse_traffic(text: str) -> int:
    from pydantic import TypeAdapter, ValidationError

    from rookery.spec.model import Size

    try:
        size = int(TypeAdapter(Size).validate_python(text))
    except ValidationError:
        size = -1
    if size < 0:
        raise InputError(f"--traffic {text} is no size", hint="Write it like 500GB or 2TB.")
    return size
