"""Checks of what is promised to volumes and claims against what the cluster may store."""

from __future__ import annotations

from collections.abc import Iterator

from rookery.design.capacity import NEARFULL, gigabytes, host_weights, usable_bytes
from rookery.design.checks.finding import Remark, Subject, error, warning
from rookery.design.cluster import monitoring_claims
from rookery.design.model import Design
from rookery.design.stored import Claim, Pool
from rookery.units import GB, format_size

# Below it little is left: PostgreSQL's first files take 0.2 GB, its log up to a quarter, and XFS on 1 GB
# takes 0.1 (measured: 890 of 954 MiB, 199 of them taken after `up`).
_LITTLE = 4 * GB
_TAKEN = GB // 3
_LOG = 4


def small_volumes(subject: Subject) -> Iterator[Remark]:
    for app, size in sorted({(volume.app, volume.size) for volume in subject.design.volumes}):
        if size < _LITTLE:
            left = size - size // _LOG - _TAKEN
            yield warning(
                f"apps.{app}.volume",
                f"Of a volume of {format_size(size)} some {gigabytes(left)} are left for data: the file"
                " system and the first files take a third of a gigabyte, the write-ahead log up to a quarter."
                " Where it is full, the database stops.",
                f"Give it {format_size(_LITTLE)} or more; it can grow while in use.",
            )


def promised_space(subject: Subject) -> Iterator[Remark]:
    """Compare claims with what their pools could store under nearfull if each had the cluster for itself."""
    design = subject.design
    found = [(claim, pool) for claim in claims_of(design) if (pool := _pool_of(design, claim)) is not None]
    room = {pool.name: _room(design, pool) for _, pool in found}
    # Sizes that a user chose are volumes, whose pools are known; claims of ours promise more than they take.
    large = [(claim, pool) for claim, pool in found if claim.pool and claim.size > room[pool.name]]
    told = set()
    for claim, pool in large:
        if (claim.path, claim.size) in told:
            continue
        told.add((claim.path, claim.size))
        yield error(
            claim.path,
            f"{claim.what} is {format_size(claim.size)}, and pool {pool.name} may hold"
            f" {gigabytes(room[pool.name])} at most, if nothing else is stored (under nearfull, 85 %).",
            "Ask for less, or add drives or storage nodes.",
        )
    if found and not large and sum(claim.size / max(room[pool.name], 1) for claim, pool in found) > 1:
        total = sum(claim.size for claim, _ in found)
        most = min(room[pool.name] for _, pool in found)
        yield warning(
            max(found, key=lambda one: one[0].size)[0].path,
            f"Volumes and claims add up to {gigabytes(total)}, and the cluster may hold {gigabytes(most)} of"
            " them (under nearfull, 85 %), if nothing else is stored. Space is taken when it is written, so"
            " this works until then; after that every write of everybody stops.",
            "Ask for less, or add drives or storage nodes.",
        )


def claims_of(design: Design) -> tuple[Claim, ...]:
    """Return all space that a design promises, volume by volume."""
    volumes = tuple(
        Claim(
            what=f"The volume of {volume.app} on {volume.host}",
            path=f"apps.{volume.app}.volume",
            size=volume.size,
            pool=volume.data_pool or volume.pool,
        )
        for volume in design.volumes
    )
    return (*volumes, *(claim for app in design.apps for claim in app.claims), *monitoring_claims(design))


def _pool_of(design: Design, claim: Claim) -> Pool | None:
    """Return the pool that a claim's data goes to: that which most of its kind's data goes to."""
    fitting = [pool for pool in design.pools if claim.pool in ("", pool.name)]
    if not claim.pool:
        fitting = [pool for pool in fitting if pool.application == claim.application]
    return max(fitting, key=lambda pool: pool.share, default=None)


def _room(design: Design, pool: Pool) -> int:
    return int(usable_bytes(pool, host_weights(design.hosts, pool.device_class)) * NEARFULL)
