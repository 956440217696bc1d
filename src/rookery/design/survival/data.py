"""Whether each kind of data keeps every write that was acknowledged."""

from __future__ import annotations

from collections.abc import Sequence

from rookery.design.survival.left import Left
from rookery.design.survival.pools import KINDS, pieces
from rookery.design.survival.verdict import DataKind, Kept, PoolLeft


def kept_data(left: Left, pools: Sequence[PoolLeft]) -> tuple[Kept, ...]:
    """Return for each kind of data that the design stores whether all of it is kept."""
    kinds = [_kept(left, kind, pools) for kind in KINDS.values() if any(pool.kind is kind for pool in pools)]
    return (*kinds, *_database(left, kinds))


def _kept(left: Left, kind: DataKind, pools: Sequence[PoolLeft]) -> Kept:
    worst = min((pool for pool in pools if pool.kind is kind), key=lambda pool: pool.kept - pool.needed)
    designed = next(pool for pool in left.whole.design.pools if pool.name == worst.name)
    text = pieces(designed, worst.kept, stored=worst.kept)
    return Kept(kind=kind, safe=worst.safe, why=text if worst.safe else f"{text}, too few to read it")


def _database(left: Left, kinds: Sequence[Kept]) -> tuple[Kept, ...]:
    if left.whole.design.database is None:
        return ()
    block = next((one for one in kinds if one.kind is DataKind.BLOCK), None)
    forgets = forgotten(left)
    if block is not None and not block.safe:
        return (Kept(kind=DataKind.DATABASE, safe=False, why=f"its volumes: {block.why}"),)
    text = forgets or "each instance has all of it on a volume of its own, and whoever is primary has it all"
    return (Kept(kind=DataKind.DATABASE, safe=not forgets, why=text),)


def forgotten(left: Left) -> str:
    """Return how a failover loses acknowledged transactions; empty where it does not."""
    design = left.whole.design
    service = design.database
    if service is None or service.synchronous or len(service.instances) < 2:
        return ""
    names = database_components(left)
    if not any(left.gone.instances[name] for name in names):
        return ""
    return (
        f"a {names[0]} instance is lost, and the one that follows a lost primary may lack its last"
        " transactions: they are not synchronous"
    )


def database_components(left: Left) -> tuple[str, ...]:
    """Return the names of the instances that hold the database."""
    apps = [app for app in left.whole.design.apps if app.service is not None]
    placed = (instance for app in apps for _, instance in app.placements if not instance.elects)
    return tuple(dict.fromkeys(instance.name for instance in placed))
