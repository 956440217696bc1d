"""A run's report as a document for whoever asked: the answer in a sentence, and what it rests on."""

from __future__ import annotations

from collections.abc import Iterator

from rookery.experiments.chart import chart_words, render_chart
from rookery.experiments.measures import Measure, find_measure, written
from rookery.experiments.measuring import measure_run
from rookery.experiments.model import Experiment
from rookery.experiments.record import Record
from rookery.experiments.verdict import Finding, Outcome
from rookery.experiments.verdict import Verdict as Judgement
from rookery.projections.document.blocks import (
    Block,
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

_NOTHING = "–"  # noqa: RUF001 - a dash for nothing


def render_report(experiment: Experiment, record: Record, verdict: Judgement) -> str:
    """Return the report as one HTML page that needs nothing beside it."""
    return render_page(build_report(experiment, record, verdict))


def build_report(experiment: Experiment, record: Record, verdict: Judgement) -> Document:
    """Return the report as a document."""
    return Document(
        title=experiment.question,
        description=f"Asked of {record.system}, {record.began.replace('T', ' ').removesuffix('+00:00')} UTC.",
        subtitle=answer(record, verdict),
        figures=_figures(record),
        sections=(
            _result(record, verdict),
            _timeline(record),
            _users(record),
            _method(experiment, record),
            _limits(record, verdict),
        ),
        provenance=(
            "Measured by ",
            code(f"rookery experiment run {experiment.name}"),
            f" {dict(record.environment).get('rookery', '')} on the running system; run ",
            code(record.id),
            ". The same as JSON: ",
            code(f"rookery experiment report {record.id} --output json"),
            ".",
        ),
        brand="Experiment",
        subject="experiment",
        about=experiment.question,
    )


def answer(record: Record, verdict: Judgement) -> str:
    """Return the answer in a sentence or two: what was lost, for how long it was noticed, by whom."""
    noticed = [
        (value.amount, kind)
        for kind in record.kinds()
        if (value := measure_run(record, find_measure(f"{kind}.back"), "during")).amount
    ]
    lost = measure_run(record, find_measure("lost"), "whole")
    loss = {
        None: "Whether anything was lost is not known",
        0.0: "Nothing that was acknowledged was lost",
    }.get(lost.amount, f"{lost.amount or 0:,.0f} acknowledged transactions were lost")
    if record.books is None:
        loss = "No transactions ran, so nothing is said of lost ones"
    held = {
        Outcome.HELD: "Every claim held.",
        Outcome.VIOLATED: "A claim was violated.",
        Outcome.NOT_OBSERVED: "Not all of it could be observed.",
    }[verdict.outcome]
    if not noticed:
        return f"{loss}, and no user noticed anything. {held}"
    longest, kind = max(noticed)
    others = len(noticed) - 1
    more = f", {others} other kind{'s' if others > 1 else ''} of use for less" if others else ""
    return f"{loss}; {kind} were disturbed for {written(find_measure('steady').unit, longest)}{more}. {held}"


def _figures(record: Record) -> Figures:
    names = (
        ("lost", "acknowledged transactions lost"),
        ("noticed", "until the system said so"),
        ("redundant", "until all data had all of its copies"),
        ("steady", "until everything was as before"),
    )
    return Figures(
        pairs=tuple((_value(record, find_measure(name), "during"), words) for name, words in names)
    )


def _value(record: Record, measure: Measure, window: str) -> str:
    found = measure_run(record, measure, window)
    if found.amount is None:
        return _NOTHING
    text = written(measure.unit, found.amount)
    return f"> {text}" if found.open else text


def _result(record: Record, verdict: Judgement) -> Section:
    rows = tuple(_claim(one) for one in verdict.findings)
    heads = ("Measured", "Verdict", "Seen", "Bound", "What it is, and why this bound")
    notes = (*verdict.unkept, *verdict.doubts)
    return Section(
        id="result",
        title="Answer",
        blocks=(
            Paragraph(words=answer(record, verdict), lede=True),
            Table(caption="Claims, and what was seen", heads=heads, rows=rows, right=(2, 3)),
            *((Bullets(items=notes),) if notes else ()),
        ),
    )


def _claim(one: Finding) -> tuple[Words, ...]:
    measure = one.claim.found
    says = f"{measure.says}, {one.claim.window}" if measure.operation else measure.says
    why = f". {one.claim.why}" if one.claim.why else ""
    outcome = Verdict(well=one.outcome is Outcome.HELD, text=str(one.outcome))
    return code(one.claim.measure), outcome, one.seen, one.bound, f"{says[0].upper()}{says[1:]}{why}"


def _timeline(record: Record) -> Section:
    picture = Picture(
        path="experiment.svg",
        svg=render_chart(record),
        alt="What users did over time, and what was broken; the tables below have the same in numbers.",
        caption=chart_words(),
        broad=True,
    )
    zero = record.window("during")[0]
    rows = tuple((f"{one.at - zero:+.1f} s", one.source, one.what) for one in record.events)
    table = Table(
        caption="What happened, from the first fault on",
        heads=("When", "Says", "What"),
        rows=rows,
        right=(0,),
    )
    return Section(id="timeline", title="What happened when", blocks=(picture, table))


def _users(record: Record) -> Section:
    names = ("errors", "gap", "back", "throughput")
    times = (("p50", "before"), ("p50", "during"), ("p99", "before"), ("p99", "during"))
    rows = tuple(
        (
            kind,
            *(_value(record, find_measure(f"{kind}.{name}"), "during") for name in names),
            *(_value(record, find_measure(f"{kind}.{name}"), window) for name, window in times),
        )
        for kind in record.kinds()
    )
    heads = (
        "Operation",
        "Errors",
        "Longest gap",
        "Disturbed for",
        "Throughput",
        "p50 before",
        "during",
        "p99 before",
        "during",
    )
    words = (
        "From the first fault until everything was as before. A time counts from when an operation was due:"
        " a system that stands still shows in each that waited. Throughput is the share of that before."
    )
    return Section(
        id="users",
        title="What users noticed",
        blocks=(
            Paragraph(words=words, lede=True),
            Table(
                caption="Each kind of operation", heads=heads, rows=rows, right=tuple(range(1, len(heads)))
            ),
        ),
    )


def _method(experiment: Experiment, record: Record) -> Section:
    rows = tuple(_broken(record))
    heads = ("Broken", "Began", "Seen after", "Healed")
    blocks: list[Block] = [
        Paragraph(words=experiment.description.strip() or experiment.question),
        Table(caption="What was broken", heads=heads, rows=rows, right=(1, 2, 3)),
        Facts(pairs=tuple((name, value) for name, value in record.environment if value)),
    ]
    if record.promised is not None:
        data = "all data is kept" if record.promised.data else "some data may be lost"
        service = "service goes on" if record.promised.service else "service stops, or some of it"
        words = f"Before, the design said of it: {data}, {service}. {record.promised.reason}"
        blocks.insert(1, Paragraph(words=words))
    return Section(id="method", title="How it was asked", blocks=tuple(blocks))


def _broken(record: Record) -> Iterator[tuple[Words, ...]]:
    zero = record.window("during")[0]
    for one in record.broken:
        seen = _NOTHING if one.proved is None else f"{one.proved - one.began:.1f} s"
        healed = _NOTHING if one.healed is None else f"{one.healed - zero:+.1f} s"
        yield one.what, f"{one.began - zero:+.1f} s", seen, healed


def _limits(record: Record, verdict: Judgement) -> Section:
    items: list[Words] = [
        "One run is one run: how much it varies, repetitions tell.",
        "Seconds are those of this machine and this load; more data takes longer to be redundant again.",
    ]
    if "machine" in dict(record.environment):
        items.append(
            "All servers share one machine, its CPUs and its disk: latencies are no real servers' own."
        )
    if any(one.outcome is Outcome.NOT_OBSERVED for one in verdict.findings):
        items.append("What was not observed is no pass: its claim is open.")
    return Section(id="limits", title="What it does not say", blocks=(Bullets(items=tuple(items)),))
