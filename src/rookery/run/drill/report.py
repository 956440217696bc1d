"""A drill's report as a document for whoever has to believe it: result, times, how, and what it does not
prove."""

from __future__ import annotations

from rookery.apps.backup.places import DATABASE
from rookery.projections.document.blocks import (
    Bullets,
    Document,
    Facts,
    Figures,
    Paragraph,
    Picture,
    Section,
    Table,
    Verdict,
    Words,
    code,
)
from rookery.projections.document.page import render_page
from rookery.run.drill import report_words
from rookery.run.drill.model import DrillOutcome, KindOutcome
from rookery.run.drill.model import Verdict as Found
from rookery.run.drill.timeline import legend, render_timeline
from rookery.units import format_amount, format_period, format_seconds

_NOTHING = "–"  # noqa: RUF001 - a dash for nothing


def render_report(outcome: DrillOutcome) -> str:
    """Return the report as one HTML page that needs nothing beside it."""
    return render_page(build_report(outcome))


def build_report(outcome: DrillOutcome) -> Document:
    """Return the report as a document."""
    return Document(
        title=outcome.system,
        description=f"Recovery drill of {outcome.began.replace('T', ' ').removesuffix('+00:00')} UTC.",
        subtitle=report_words.subtitle(outcome),
        figures=_figures(outcome),
        sections=(
            _result(outcome),
            *report_words.own_data(outcome),
            _timeline(outcome),
            _loss(outcome),
            _recovery(outcome),
            _point(outcome),
            _method(outcome),
            _limits(outcome),
        ),
        provenance=(
            "Measured by ",
            code("rookery drill"),
            f" {dict(outcome.versions)['rookery']} on the running system; drill ",
            code(outcome.id),
            ". The same figures as JSON: ",
            code("rookery drill --output json"),
            ".",
        ),
        brand="Recovery drill",
        subject="recovery drill",
        about=f"What a recovery drill of {outcome.system} found.",
    )


def _figures(outcome: DrillOutcome) -> Figures:
    owed = sum(one.owed for one in outcome.kinds)
    size = sum(one.size for one in outcome.kinds)
    gone = sum(one.verdict is not Found.SAME for one in outcome.kinds)
    return Figures(
        pairs=(
            (
                "nothing" if not gone else f"{gone} of {len(outcome.kinds)}",
                "lost" if not gone else "kinds failed",
            ),
            (f"{owed:,}", "entries had to come back"),
            (format_amount(size), "came back as written"),
            (_span(outcome.rpo), "of writing lost, RPO"),
            (_span(outcome.rto), "until all was back and compared, RTO"),
        )
    )


def _result(outcome: DrillOutcome) -> Section:
    rows = tuple(
        (
            one.kind,
            _verdict(one),
            f"{one.owed:,}",
            f"{one.back:,}",
            format_amount(one.size),
            _span(one.rpo),
            _span(one.rto),
        )
        for one in outcome.kinds
    )
    heads = ("Kind", "Compared", "Had to come back", "Came back", "Bytes", "RPO", "RTO")
    problems = tuple(f"{one.kind}: {problem}" for one in outcome.kinds for problem in one.problems) + tuple(
        f"The kinds do not fit together: {words}" for words in outcome.unfit
    )
    return Section(
        id="result",
        title="Result",
        blocks=(
            Paragraph(words=_sentence(outcome), lede=True),
            Table(caption="What came back of each kind", heads=heads, rows=rows, right=(2, 3, 4, 5, 6)),
            *((Bullets(items=problems),) if problems else ()),
        ),
    )


def _sentence(outcome: DrillOutcome) -> str:
    words = outcome.verdict
    return f"{words[0].upper()}{words[1:]}."


def _verdict(one: KindOutcome) -> Words:
    text = {Found.SAME: "all the same", Found.DIFFERS: "differs", Found.NOT_OBSERVED: "not observed"}
    return Verdict(well=one.verdict is Found.SAME, text=text[one.verdict])


def _timeline(outcome: DrillOutcome) -> Section:
    alt = (
        f"Timeline of {format_seconds(outcome.seconds)}: the loss after {format_seconds(outcome.lost_at)},"
        " then each kind brought back in turn. The tables below have the same times."
    )
    picture = Picture(path="drill-timeline.svg", svg=render_timeline(outcome), alt=alt, caption=legend())
    rows = tuple((event.what, _span(event.began), _span(event.seconds)) for event in outcome.events)
    heads = ("What", "After", "Took")
    return Section(
        id="timeline",
        title="What happened when",
        blocks=(picture, Table(caption="What was done to the whole", heads=heads, rows=rows, right=(1, 2))),
    )


def _loss(outcome: DrillOutcome) -> Section:
    rows = tuple((one.kind, one.how_lost, one.how_back or _NOTHING) for one in outcome.kinds)
    return Section(
        id="loss",
        title="What was lost, and how it came back",
        blocks=(
            Paragraph(words=report_words.loss(outcome), lede=True),
            Table(caption="Loss and restore of each kind", heads=("Kind", "Lost", "Brought back"), rows=rows),
        ),
    )


def _recovery(outcome: DrillOutcome) -> Section:
    rows: list[tuple[Words, ...]] = []
    for one in outcome.kinds:
        for step in (*one.before, *one.steps):
            bounds = step is one.longest
            speed = (
                format_amount(round(one.size / step.seconds)) + "/s"
                if step.seconds and one.size
                else _NOTHING
            )
            rows.append((one.kind, step.what, _span(step.seconds), speed, "yes" if bounds else ""))
    words = (
        f"From the loss until all was back and compared: {format_seconds(outcome.rto)}."
        f" {report_words.recovery(outcome)}"
    )
    return Section(
        id="recovery",
        title="How long recovery takes",
        blocks=(
            Paragraph(words=words, lede=True),
            Table(
                caption="Steps of each kind, and which of them bounded it",
                heads=("Kind", "Step", "Took", "Per second", "Bounds it"),
                rows=tuple(rows),
                right=(2, 3),
            ),
        ),
    )


def _point(outcome: DrillOutcome) -> Section:
    took = next((event.seconds for event in outcome.events if event.what.startswith("a set")), 0.0)
    rows = tuple((one.kind, f"{one.written:,}", f"{one.lost:,}", _span(one.rpo)) for one in outcome.kinds)
    words = (
        "Writing went on while the set was taken and after it. What was written after the set's moment is"
        " what such a loss costs: its recovery point objective (RPO), measured as the age of the last"
        " entry that came back when the loss began."
    )
    schedule = (
        f"In this drill the loss came soon after a set. By the system's schedule, sets begin every"
        f" {format_period(outcome.schedule)} and this one took {format_seconds(took)}, so a loss at the worst"
        f" moment costs what was written in {format_period(outcome.schedule)} and {format_seconds(took)}."
    )
    if any(one.kind == DATABASE for one in outcome.kinds):
        schedule += (
            " The database can also be restored to a later moment than the last set, from its log, which is"
            " archived at least once a minute."
        )
    heads = ("Kind", "Entries written", "Written after the set and lost", "RPO")
    return Section(
        id="point",
        title="How much a loss costs",
        blocks=(
            Paragraph(words=words, lede=True),
            Table(caption="What the loss cost", heads=heads, rows=rows, right=(1, 2, 3)),
            Paragraph(words=schedule),
        ),
    )


def _method(outcome: DrillOutcome) -> Section:
    load = (
        f"Load ran on the system when the drill began: {outcome.load}."
        if outcome.load
        else "No load of rookery's own ran when the drill began."
    )
    items: tuple[Words, ...] = (
        (
            "A ledger of all entries was kept outside of everything that was destroyed: their number,"
            " when each was safely written, and the SHA-256 of its content."
        ),
        (
            "After the restore each entry was read anew and its SHA-256 computed; a missing, changed or"
            " swapped entry, or one that was never written, is named by its number."
        ),
        (
            "While the set was taken, entries were written to objects, files and volume and then, last,"
            " to the database: every row that came back was required to have its object, its file and its"
            " block."
        ),
        load,
    )
    facts: tuple[tuple[str, Words], ...] = (
        ("Backup set", code(outcome.label)),
        ("Began", f"{outcome.began.replace('T', ' ').removesuffix('+00:00')} UTC"),
        ("Took", format_seconds(outcome.seconds)),
        *outcome.versions,
    )
    return Section(
        id="method", title="How it was measured", blocks=(Bullets(items=items), Facts(pairs=facts))
    )


def _limits(outcome: DrillOutcome) -> Section:
    left = tuple(f"{name[0].upper()}{name[1:]}: {why}." for name, why in outcome.left_out)
    items: tuple[Words, ...] = (
        *left,
        report_words.proof(outcome),
        (
            "Times hold for this much data on these servers; more data takes longer, about in proportion"
            " to the slowest step above."
        ),
        report_words.elsewhere(outcome),
        "It says nothing about how long people need to notice a loss and to decide what to restore.",
    )
    return Section(id="limits", title="What this does not prove", blocks=(Bullets(items=items),))


def _span(seconds: float | None) -> str:
    return _NOTHING if seconds is None else format_seconds(seconds)
