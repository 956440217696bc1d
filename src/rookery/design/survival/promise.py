"""What a loss means, of whatever hosts, drives and programs.

The loss is sudden: nothing has healed yet. What answers again after the seconds that a failover takes
counts as going on. Programs and data are where the design has them; on Kubernetes the scheduler chooses
nodes, and who knows where pods run names them by their daemons.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rookery.design.model import DaemonKind, Design, Role
from rookery.design.survival import healing, sentences
from rookery.design.survival.data import forgotten, kept_data
from rookery.design.survival.left import Left, Whole
from rookery.design.survival.loss import Loss, check_loss
from rookery.design.survival.pools import healing_text, pieces, pools_left, room
from rookery.design.survival.sentences import Said
from rookery.design.survival.services import services
from rookery.design.survival.verdict import DataKind, PoolLeft, Survives


def promise(design: Design, loss: Loss) -> Survives:
    """Return what remains of a design after a loss.

    Raises InputError where the loss names what the design does not have.
    """
    check_loss(design, loss)
    return promise_of(Whole(design), loss)


def promise_of(whole: Whole, loss: Loss, *, subject: str = "") -> Survives:
    """Return what remains of a design that was counted before."""
    left = Left(whole, loss)
    pools = pools_left(left)
    kept = kept_data(left, pools)
    going = services(left, pools)
    heals = tuple(_healing(left, pools))
    mends = not left.hit or healing_text(left, pools)[0]
    return Survives(
        subject=subject or loss.name or "nothing",
        data=all(one.safe for one in kept),
        service=all(one.goes_on for one in going if one.clients),
        heals=all(said.well for said in heals),
        reason=_reason(left, loss, pools),
        loss=loss,
        kept=kept,
        pools=pools,
        services=going,
        mendings=healing.mendings(left, pools),
        room=room(left) if mends else 0,
    )


def _healing(left: Left, pools: Sequence[PoolLeft]) -> Iterator[Said]:
    if left.hit:
        well, text = healing_text(left, pools)
        yield Said(well=well, text=text)
    yield from healing.bare_instances(left)
    yield from healing.bare_control_planes(left)
    yield from healing.balancers(left)


def _reason(left: Left, loss: Loss, pools: Sequence[PoolLeft]) -> str:
    why = "; ".join(_sentences(left, pools))
    if not loss.name:
        return f"Nothing is lost: {why}." if why else "Nothing is lost."
    return f"Without {loss.name}: {why or 'nothing of the design runs there'}."


def _sentences(left: Left, pools: Sequence[PoolLeft]) -> Iterator[str]:
    """Yield what is said of a loss, from what is stored to the way in."""
    yield from _of_pools(left, pools)
    if left.hit:
        yield healing_text(left, pools)[1]
    yield from _of_daemons(left)
    yield from (said.text for said in sentences.instances(left, tuple(left.gone.instances)))
    yield from (said.text for said in healing.bare_instances(left))
    stored = all(pool.active for pool in pools if pool.kind is DataKind.BLOCK)
    yield from _of_the_database(left, goes_on=stored and sentences.undecided(left) is None)
    yield from _of_control_planes(left)
    if (gone := sentences.load_balancer(left)) is not None:
        yield gone.text
        yield from (said.text for said in healing.balancers(left))


def _of_pools(left: Left, pools: Sequence[PoolLeft]) -> Iterator[str]:
    """Yield a sentence on the pool whose data, and on the one whose service, is worst off."""
    stored = [pool for pool in pools if pool.kind is not None] or list(pools)
    if not left.silent and all(pool.active for pool in stored):
        return
    designed = {pool.name: pool for pool in left.whole.design.pools}
    lost = min(stored, key=lambda pool: (pool.kept - pool.needed, -designed[pool.name].share))
    if not lost.safe:
        text = pieces(designed[lost.name], lost.kept, stored=lost.kept)
        yield f"{text}, too few to read it"
    yield min(
        stored, key=lambda pool: (pool.active, pool.served - pool.min_size, -designed[pool.name].share)
    ).why


def _of_daemons(left: Left) -> Iterator[str]:
    for kind, said in (
        (DaemonKind.MON, sentences.monitors),
        (DaemonKind.MDS, sentences.metadata_servers),
        (DaemonKind.RGW, sentences.gateways),
    ):
        if left.gone.daemons[kind]:
            yield said(left).text
    if left.gone.daemons[DaemonKind.MGR] and not left.daemons(DaemonKind.MGR):
        yield sentences.managers(left).text


def _of_the_database(left: Left, *, goes_on: bool) -> Iterator[str]:
    """Yield what is said of the database; where it stops for another reason, not who could succeed whom."""
    if text := forgotten(left):
        yield text
    deciding = tuple(sentences.coordinators(left))
    yield from (said.text for said in deciding)
    succession = sentences.succession(left)
    if succession is not None and goes_on and not any(said.clients and not said.well for said in deciding):
        yield succession.text


def _of_control_planes(left: Left) -> Iterator[str]:
    if not left.gone.roles[Role.CONTROL_PLANE]:
        return
    yield sentences.control_plane(left).text
    if (undecided := sentences.undecided(left)) is not None:
        yield undecided.text
    yield from (said.text for said in healing.bare_control_planes(left))
