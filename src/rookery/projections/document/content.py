"""What the document says, section by section, as blocks."""

from __future__ import annotations

from rookery.design.capacity import WorstLoss, raw_bytes
from rookery.design.model import DaemonKind, Design
from rookery.design.survival import survival
from rookery.projections.document.applications import applications_section
from rookery.projections.document.backups import backup_section
from rookery.projections.document.blocks import Document, Figures, Picture, Section, Words, code
from rookery.projections.document.fragment import parse_fragment
from rookery.projections.document.losses import findings_section, survival_section
from rookery.projections.document.security import security_section
from rookery.projections.document.servers import servers_section
from rookery.projections.document.source import Source, amount
from rookery.projections.document.storage import safe_room, storage_section

DRAWING = "design.drawio.svg"
CHART = "design-cost.svg"
_PLATFORMS = {"native": "directly on the servers", "kubernetes": "by Rook on Kubernetes"}


def build_document(source: Source) -> Document:
    """Return the document of a design."""
    design = source.design
    place = f"{design.traits.place} (the lab)" if design.traits.here else design.traits.place
    contributed = (_cost(source), _placement(source))
    backups = backup_section(design)
    return Document(
        title=design.name,
        description=design.description,
        subtitle=f"{design.ceph_title} {_PLATFORMS[design.platform]}, on {place}.",
        figures=_figures(design),
        sections=(
            _drawing(source),
            servers_section(design),
            storage_section(design),
            survival_section(design),
            findings_section(source.findings),
            applications_section(design),
            *((backups,) if backups is not None else ()),
            security_section(design),
            *(section for section in contributed if section is not None),
        ),
        provenance=_provenance(source),
        about=f"The design of {design.name}, computed from its spec.",
    )


def _figures(design: Design) -> Figures:
    safe = safe_room(design)
    osds = len(design.with_daemon(DaemonKind.OSD))
    lost = next((row for row in survival(design) if row.subject == "any one storage node"), None)
    pairs = [
        (f"{len(design.servers):,}", "servers"),
        (f"{osds:,}", "OSDs, each on a drive of its own"),
        (amount(raw_bytes(design)), "raw"),
    ]
    if safe.under_nearfull and safe.loss is not WorstLoss.NOTHING:
        pairs.append((amount(safe.under_nearfull), "of user data, safe to store"))
    if lost is not None:
        words = "after losing a storage node" + (", then it heals" if lost.heals else "")
        pairs.append(("goes on" if lost.service else "stops", words))
    return Figures(pairs=tuple(pairs))


def _drawing(source: Source) -> Section:
    design = source.design
    servers, osds = len(design.servers), len(design.with_daemon(DaemonKind.OSD))
    alt = (
        f"Drawing of {design.name}: {servers} servers with what runs on each, {osds} OSDs with their drives, "
        "and the way from clients to them. The tables below say the same in words."
    )
    picture = Picture(path=DRAWING, svg=source.inline_drawing, alt=alt, broad=True)
    return Section(id="drawing", title="The system", blocks=(picture,))


def _cost(source: Source) -> Section | None:
    if not source.bill:
        return None
    section = parse_fragment(source.bill, id="cost")
    if not source.chart:
        return section
    alt = (
        f"Chart of what {source.design.name} costs over time on each cloud. The tables have the same amounts."
    )
    chart = Picture(path=CHART, svg=source.chart, alt=alt)
    return Section(
        id=section.id, title=section.title, blocks=(*section.blocks, chart), sections=section.sections
    )


def _placement(source: Source) -> Section | None:
    return parse_fragment(source.simulation, id="placement") if source.simulation else None


def _provenance(source: Source) -> Words:
    prices = f" {source.prices}" if source.prices else ""
    return (
        f"Rendered by rookery {source.version} from the spec with the digest ",
        code(source.spec_digest),
        f".{prices} It describes the design; whether a running system is like it, ",
        code("rookery drift"),
        " tells. What should be otherwise starts as a change of the spec.",
    )
