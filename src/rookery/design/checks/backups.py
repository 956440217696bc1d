"""What backups do not help against."""

from __future__ import annotations

from collections.abc import Iterator
from urllib.parse import urlsplit

from rookery.design.checks.finding import Remark, Subject, warning
from rookery.design.model import Design
from rookery.design.stored import Keeping
from rookery.versions import DISTRIBUTIONS


def shared_fate(subject: Subject) -> Iterator[Remark]:
    """Backups that lie nowhere but in the Ceph that they are of."""
    for keeping in _keepings(subject.design):
        own = subject.design.load_balancer
        elsewhere = [url for url in keeping.copies if own is None or urlsplit(url).hostname != own.address]
        if not elsewhere:
            yield warning(
                "backup.copies",
                "Backups are kept in the same Ceph as what they are of. They help against what is deleted"
                " or changed by mistake, and against a server that is lost; not against the loss of the"
                " cluster or its site, a damaged pool, or whoever administers Ceph.",
                "Name an S3 service outside in backup.copies.",
            )


def not_locked(subject: Subject) -> Iterator[Remark]:
    """Backups that the running system's own keys can delete for good."""
    for keeping in _keepings(subject.design):
        if not keeping.lock:
            yield warning(
                "backup.lock",
                "Backups are not locked: whoever gets hold of their owner's keys deletes them for good.",
                "Say for how long nobody can, such as 1d.",
            )


def untried_release(subject: Subject) -> Iterator[Remark]:
    """Backups of an operator and a release of Ceph that nobody has tried them with."""
    design = subject.design
    if design.backup is not None and design.distribution == "ksd":
        yield warning(
            "storage.distribution",
            f"Nobody has tried backups with {DISTRIBUTIONS['ksd'].title} and {design.ceph_title}: what they"
            " ask of it (claims of buckets, snapshots by CSI, buckets that are locked) may be refused.",
            "Write `backup: null`, or set storage.distribution to rook.",
        )


def _keepings(design: Design) -> Iterator[Keeping]:
    if design.backup is not None and design.backup.keeping is not None:
        yield design.backup.keeping
