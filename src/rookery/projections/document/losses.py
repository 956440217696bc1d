"""What the document says of losses, and what the checks found."""

from __future__ import annotations

from collections.abc import Sequence

from rookery.design.checks import Finding, Severity
from rookery.design.model import Design
from rookery.design.survival import Survives, survival
from rookery.projections.document.blocks import (
    Bullets,
    Findings,
    Paragraph,
    Section,
    Strong,
    Table,
    Verdict,
    Words,
)

_SUDDEN = (
    "The loss is sudden, nothing has healed yet, and of all choices the worst counts. What answers again "
    "after the seconds that a failover takes counts as going on."
)
_WORDS = {"data": ("safe", "lost"), "service": ("goes on", "stops"), "heals": ("yes", "no")}
_ORDER = (Severity.ERROR, Severity.WARNING, Severity.INFO)


def survival_section(design: Design) -> Section:
    """Return what the design survives and what not, with the reasons."""
    found = survival(design)
    rows: tuple[tuple[Words, ...], ...] = tuple(
        (_capital(row.subject), *(_verdict(row, about) for about in ("data", "service", "heals")))
        for row in found
    )
    heads = ("Losing", "Data", "Service", "Heals by itself")
    reasons = tuple((Strong(text=f"{_capital(row.subject)}."), " ", row.reason) for row in found)
    return Section(
        id="survival",
        title="What it survives",
        blocks=(
            Paragraph(words=_SUDDEN, lede=True),
            Table(caption="What remains after a loss", heads=heads, rows=rows),
        ),
        sections=(Section(id="reasons", title="Why", blocks=(Bullets(items=reasons),)),),
    )


def _capital(text: str) -> str:
    return text[0].upper() + text[1:]


def _verdict(row: Survives, about: str) -> Verdict:
    well = bool(getattr(row, about))
    return Verdict(well=well, text=_WORDS[about][0 if well else 1])


def findings_section(findings: Sequence[Finding]) -> Section:
    """Return what the checks say, the worst first, with what to do."""
    ordered = tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.severity)))
    words = (
        "Each finding names the key of the spec that decides it, and what to do. What depends on the machine "
        "that a lab runs on is checked when it is brought up."
    )
    blocks = (Findings(findings=ordered),) if ordered else (Paragraph(words="The checks find nothing."),)
    return Section(
        id="findings",
        title="What the checks say",
        blocks=(Paragraph(words=words, lede=True), *blocks),
    )
