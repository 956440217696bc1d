"""All projections, by name, with one signature each: what is known of a design in, files out.

Projections do not import each other; this module alone imports them, and composes what consists of several:
the document shows the drawing, the bill and the simulation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from rookery import __version__
from rookery.design.checks import Finding
from rookery.design.model import Design
from rookery.files import File
from rookery.prices.book import TITLES, PriceBook
from rookery.prices.comparison import Comparison, Judgement
from rookery.projections.bill.chart import render_chart
from rookery.projections.bill.document import render_bill
from rookery.projections.bill.sample import compare_for_document
from rookery.projections.document import Source, render_document, render_document_page
from rookery.projections.drawing import render_drawing, render_plain
from rookery.projections.kubernetes import render_kubernetes
from rookery.projections.simulation import Simulation, render_simulation


@dataclass(frozen=True, slots=True, kw_only=True)
class RenderInput:
    """All that a projection may be made of.

    `spec_digest` is that of the design's spec; `findings` are those that hold on every machine; `judgement`
    says on which day the prices of `book` are looked at, and whether very old ones are used. `simulation` is
    None where the design's placement was not simulated. `gitops` names the tool (`flux`) that is to apply the
    Kubernetes tree, empty where none is. `image` is what that tree names our image by, empty where that is
    as this version builds it.
    """

    design: Design
    spec_digest: str
    findings: tuple[Finding, ...]
    book: PriceBook
    judgement: Judgement
    simulation: Simulation | None = None
    gitops: str = ""
    image: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Projection:
    """One projection; paths of its files are relative to the rendered tree.

    Every file below `folder` is its own, also one that it did not write; it is empty where the projection's
    files stand beside others.
    """

    name: str
    description: str
    render: Callable[[RenderInput], tuple[File, ...]]
    folder: str = ""


def _document(given: RenderInput) -> tuple[File, ...]:
    return render_document(_source(given, drawing=render_drawing(given.design)))


_TREE = "kubernetes"


def _kubernetes(given: RenderInput) -> tuple[File, ...]:
    """Return the Kubernetes tree; nothing for a design that runs natively."""
    if given.design.platform != "kubernetes":
        return ()
    files = render_kubernetes(given.design, gitops=given.gitops, image=given.image)
    return tuple(replace(file, path=f"{_TREE}/{file.path}") for file in files)


def document_page(given: RenderInput) -> File:
    """Return the design document as one HTML page (`design.html`), for a web server to hand out."""
    return render_document_page(_source(given, drawing=""))


def _source(given: RenderInput, *, drawing: str) -> Source:
    comparison = compare_for_document(given.design, given.book, given.judgement)
    return Source(
        design=given.design,
        findings=given.findings,
        spec_digest=given.spec_digest,
        version=__version__,
        drawing=drawing,
        inline_drawing=render_plain(given.design),
        prices=_price_dates(comparison),
        bill=_bill(comparison, given.judgement),
        chart=render_chart(comparison),
        simulation="" if given.simulation is None else render_simulation(given.simulation),
    )


def _bill(comparison: Comparison, judgement: Judgement) -> str:
    """Return the section on cost; where no cloud has a price, it says why."""
    text = render_bill(comparison, today=judgement.today)
    if text:
        return text
    reasons = [f"- {TITLES[provider]}: {why}" for provider, why in comparison.unpriced]
    return "\n".join(["## What it costs on a cloud", "", "No cloud has a price:", "", *reasons, ""])


def _price_dates(comparison: Comparison) -> str:
    dates = [price.date for bill in comparison.bills for _, price in bill.quote.prices]
    return f"Prices were read between {min(dates)} and {max(dates)}." if dates else ""


_ALL = (
    Projection(
        name="document",
        description="the design document: Markdown and one HTML page, with the drawing and the cost chart",
        render=_document,
    ),
    Projection(
        name="kubernetes",
        description="everything for a cluster, from bare servers to a site: Ansible, Helm values, manifests",
        render=_kubernetes,
        folder=_TREE,
    ),
)

PROJECTIONS: Mapping[str, Projection] = {projection.name: projection for projection in _ALL}
