"""What the document says of backups: what of each kind is kept, where it goes, and for how long."""

from __future__ import annotations

from rookery.apps.backup.config import kept_buckets, taken_kinds
from rookery.apps.backup.places import BLOCK, BUCKET, DATABASE, FILES, OBJECTS, SYSTEM
from rookery.apps.backup.settings import BackupSettings, seconds
from rookery.design.model import AppDesign, Design
from rookery.projections.document.blocks import Bullets, Facts, Paragraph, Section, Table, Words, code, codes
from rookery.units import format_period

_BY = {
    DATABASE: "a restore point in its log, which is archived all the time, over a base backup",
    OBJECTS: "the versions that the buckets have at the set's moment, copied by the gateways",
    FILES: "a snapshot, kept by restic: each piece of content once, encrypted",
    BLOCK: "a snapshot of all volumes at once; what changed since the set before",
    SYSTEM: "the spec, what it was built from, keys, maps and etcd, encrypted by age",
}

# On Kubernetes there are no sets: each kind is its own operator's. Volumes of the database are left out:
# it has backups of its own.
_BY_OPERATORS = {
    DATABASE: "base backups and the log, by CloudNativePG's plugin",
    OBJECTS: "versions that the gateways keep in each bucket",
    FILES: "the content of a snapshot of each volume, by Velero",
    SYSTEM: "a snapshot of etcd with the control plane's keys, encrypted by age",
}
_CLUSTER_WORDS = (
    "Each kind of backup is taken by an operator of the cluster, at a moment of its own, and goes to a bucket"
    " of the system's own object storage. The tree's guide says how each comes back."
)
_WORDS = (
    "A backup set is one moment of everything that the system keeps. Sets are taken by schedule inside the"
    " system and go to a bucket of its own object storage; "
)


def backup_section(design: Design) -> Section | None:
    """Return where backups go; None for a design that takes none."""
    app = design.backup
    if app is None:
        return None
    settings = app.settings
    assert isinstance(settings, BackupSettings)
    words: Words = (
        _WORDS,
        code("rookery drill"),
        " loses data of its own on purpose, restores it from a set and compares.",
    )
    if design.kubernetes is not None:
        words = _CLUSTER_WORDS
    tables = (_kinds(design),)
    return Section(
        id="backups",
        title="Backups",
        blocks=(Paragraph(words=words, lede=True), *tables, _facts(app, settings), _limits(settings)),
    )


def _kinds(design: Design) -> Table:
    what: dict[str, Words] = {
        DATABASE: "all databases",
        OBJECTS: codes(kept_buckets(design)),
        FILES: code(design.file_system.name) if design.file_system is not None else "",
        BLOCK: codes(tuple(volume.name for volume in design.volumes)),
        SYSTEM: "what it takes to build it again",
    }
    by, caption = _BY, "What a set has of each kind"
    if design.kubernetes is not None:
        by, caption = _BY_OPERATORS, "What is kept of each kind"
    rows = tuple((kind, what[kind], by[kind]) for kind in taken_kinds(design))
    return Table(caption=caption, heads=("Kind", "What", "Kept by"), rows=rows)


def _facts(app: AppDesign, settings: BackupSettings) -> Facts:
    schedules, retention = settings.schedules, settings.retention
    longer = f", the last {retention.least} for longer" if app.placements else ""
    copies = tuple(f"{one.endpoint}/{one.bucket}" for one in settings.copies)
    return Facts(
        pairs=(
            ("A set" if app.placements else "Volumes, etcd and copies", f"every {_period(schedules.sets)}"),
            ("A base backup of the database", f"every {_period(schedules.base)}"),
            ("Kept for", f"{_period(retention.sets)}{longer}"),
            ("Go to", ("the bucket ", code(BUCKET))),
            ("Locked for", _period(settings.lock) if settings.lock else "no time: whoever writes can remove"),
            ("Copies outside", codes(copies) if copies else "none"),
            ("Taken on", ", ".join(name for name, _ in app.placements) or "the cluster, by its operators"),
        )
    )


def _limits(settings: BackupSettings) -> Bullets:
    items = [
        "The lock binds S3 clients. Who administers the Ceph cluster is not bound by it.",
        "A loss costs what was written since the last set; of the database, since its last archived log.",
    ]
    if not settings.copies:
        items.insert(
            0,
            "Backups lie in the same Ceph cluster as what they are of: they help against deletions, mistakes"
            " and broken applications, and are lost with the cluster.",
        )
    return Bullets(items=tuple(items))


def _period(text: str) -> str:
    return format_period(seconds(text))
