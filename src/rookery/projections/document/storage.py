"""What the document says of pools, and of how much data they hold."""

from __future__ import annotations

from rookery.apps.cdn.site.pages.facts import losses_kept
from rookery.design.capacity import (
    Room,
    WorstLoss,
    host_raw,
    raw_bytes,
    room_after,
    usable_by_pool,
)
from rookery.design.model import Design
from rookery.design.stored import Pool
from rookery.projections.document.blocks import (
    Bar,
    BarPart,
    Bullets,
    Paragraph,
    Section,
    Table,
    Verdict,
    Words,
    code,
)
from rookery.projections.document.source import amount, count
from rookery.releases import RELEASES

_APPLICATIONS = {
    "rbd": "block (RBD)",
    "cephfs": "file (CephFS)",
    "rgw": "object (S3)",
    "mgr": "the managers",
}


def storage_section(design: Design) -> Section:
    """Return how data is kept, and how much of it there may be."""
    return Section(
        id="storage",
        title="Storage",
        sections=(
            Section(id="pools", title="Pools", blocks=(Paragraph(words=_RULE, lede=True), _pools(design))),
            Section(id="capacity", title="Capacity", blocks=_capacity(design)),
            *_cautions(design),
        ),
    )


def _cautions(design: Design) -> tuple[Section, ...]:
    """Return what to know of the release of Ceph, where the lab chose it."""
    if design.platform != "native":
        return ()
    row = RELEASES[design.ceph]
    items = (*row.cautions, *(row.s3_cautions if design.object_store is not None else ()))
    title = f"What to know of {design.ceph_title}"
    return (Section(id="release", title=title, blocks=(Bullets(items=items),)),) if items else ()


_RULE = (
    "Each copy or chunk of an object lies on another storage node. A pool reads and writes while at least "
    "its minimum of them is there."
)


def kept_as(pool: Pool) -> str:
    """Write how a pool keeps its data: `3 copies`, `4 data + 2 coding chunks`."""
    code_ = pool.erasure_code
    if code_ is None:
        return "1 copy" if pool.size == 1 else f"{pool.size} copies"
    return f"{code_.k} data + {code_.m} coding chunks"


def _pools(design: Design) -> Table:
    usable = dict(usable_by_pool(design))
    hosts = sum(1 for host in design.hosts if host.drives)
    rows = tuple(
        (
            code(pool.name),
            _APPLICATIONS.get(pool.application, pool.application),
            kept_as(pool),
            f"{pool.min_size} of {pool.size}",
            count(kept, "node") if (kept := losses_kept(pool, hosts)) else "none",
            f"{pool.pg_num:,}",
            amount(usable[pool.name]) if pool.share else "small",
        )
        for pool in design.pools
    )
    heads = ("Pool", "For", "Kept as", "Works with", "Data survives losing", "PGs", "Holds alone")
    return Table(caption="Ceph pools", heads=heads, rows=rows, right=(5, 6))


def safe_room(design: Design) -> Room:
    """Return how much may be stored so that the worst loss that heals at all does so without a warning."""
    rooms = (room_after(design, loss) for loss in (WorstLoss.NODE, WorstLoss.DRIVE))
    return next((room for room in rooms if room.heals), room_after(design, WorstLoss.NOTHING))


def _capacity(design: Design) -> tuple[Paragraph | Bar | Table, ...]:
    raw, safe = amount(raw_bytes(design)), safe_room(design)
    if not any(pool.share for pool in design.pools):
        words = f"{raw} raw. No pool is for user data: block, file and object storage are off."
        return (Paragraph(words=words, lede=True),)
    return (
        Paragraph(words=f"{raw} raw. {_advice(safe)}", lede=True),
        _bar(design, safe),
        _rooms(design),
        Paragraph(words=_ASSUMPTIONS),
    )


_ASSUMPTIONS = (
    "These figures assume that the balancer keeps drives equally full and that pools fill in the proportions "
    "the design expects; what BlueStore takes for itself, a few percent, is left out. A drive at 85 % "
    "makes Ceph warn (nearfull), at 90 % it takes no more data that moves (backfillfull), at 95 % no more "
    "writes (full)."
)


def _advice(safe: Room) -> str:
    room = amount(safe.under_nearfull)
    spare = "There is no spare storage node: after losing one, data is complete again only when it is back."
    if safe.loss is WorstLoss.NOTHING:
        return f"{room} fit below the first warning. {spare}"
    advice = (
        f"Store no more than {room}: losing {safe.loss} then heals with every drive below the first warning."
    )
    return advice if safe.loss is WorstLoss.NODE else f"{advice} {spare}"


def _bar(design: Design, stored: Room) -> Bar:
    """Return where the raw bytes go when as much is stored as should be."""
    raw, unused = raw_bytes(design), _unused(design)
    data = stored.under_nearfull
    share = sum(pool.share for pool in design.pools) or 1.0
    overhead = sum(pool.share * pool.overhead for pool in design.pools) / share if data else 1.0
    copies = int(data * (overhead - 1))
    healing = "" if stored.loss is WorstLoss.NOTHING else f", and room to heal when losing {stored.loss}"
    why = f"headroom below the first warning{healing}"
    parts = (
        ("data", "User data", data, "what users may store"),
        ("copies", "Redundancy", copies, "further copies, or coding chunks"),
        ("free", "Kept free", raw - unused - data - copies, why),
        ("unused", "Unused", unused, "drives of a class that no pool uses"),
    )
    return Bar(
        label=f"Of {amount(raw)} raw, {amount(data)} are for user data.",
        parts=tuple(
            BarPart(style=style, title=title, amount=amount(size), share=size / raw, words=words)
            for style, title, size, words in parts
            if size
        ),
    )


def _unused(design: Design) -> int:
    """Return the raw bytes of drives whose class no pool uses."""
    classes = {pool.device_class for pool in design.pools}
    if "" in classes:
        return 0
    return raw_bytes(design) - sum(host_raw(host, one) for host in design.hosts for one in classes)


def _rooms(design: Design) -> Table:
    rows = []
    for loss in WorstLoss:
        room = room_after(design, loss)
        row: tuple[Words, ...] = (f"after losing {loss}",)
        if loss is WorstLoss.NOTHING:
            row = ("with everything there",)
        if room.heals:
            sizes = (room.under_nearfull, room.under_backfillfull, room.under_full)
            row += (Verdict(well=True, text="yes"), *(amount(size) for size in sizes))
        else:
            row += (Verdict(well=False, text="no"), "–", "–", "–")  # noqa: RUF001 - a dash for nothing
        rows.append(row)
    heads = (
        "User data that fits",
        "All pieces have a place",
        "85 %, nearfull",
        "90 %, backfillfull",
        "95 %, full",
    )
    return Table(caption="How much fits, by what is lost", heads=heads, rows=tuple(rows), right=(2, 3, 4))
