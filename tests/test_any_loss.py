"""Rules that every promise keeps, whatever is lost of whatever design; and Ceph's own tools on them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rookery.design.model import DaemonKind, Design, Host, Role
from rookery.design.stored import Pool
from rookery.design.survival import Loss, PoolLeft, Survives, promise, survival
from rookery.drivers.ceph.placement_tools import PlacementTools
from rookery.projections.crush import crush_hosts, crush_rules, render_crush_map, rule_name
from rookery.releases import DEFAULT_RELEASE, RELEASES
from rookery.run.simulate import _creation
from rookery.systems.native.root import image_root
from tests.kit.designs import design as build
from tests.kit.promises import design, mended, services
from tests.kit.servers_image import MISSING

CODE_NAME = RELEASES[DEFAULT_RELEASE].code_name
NO_IMAGE = os.geteuid() != 0 or not image_root(DEFAULT_RELEASE).is_dir()
in_image = pytest.mark.skipif(NO_IMAGE, reason=f"there are no tools of Ceph: {MISSING}")


# Any loss of any design


@st.composite
def designs(draw: st.DrawFn) -> Design:
    roles = draw(st.sampled_from(([], ["worker"], ["worker", "control-plane"])))
    storage = draw(st.integers(2, 7))
    workers = storage if "worker" in roles else draw(st.integers(1, 3))
    code = draw(st.sampled_from((None, {"k": 2, "m": 1}, {"k": 2, "m": 2}, {"k": 4, "m": 2})))
    replicas = [{"pool": {"replicas": draw(st.integers(1, 5))}} for _ in range(2)]
    drives = [{"count": draw(st.integers(1, 3)), "size": "20GB", "class": "ssd"}]
    drives += draw(st.sampled_from(([], [{"count": 1, "size": "40GB", "class": "hdd"}])))
    hosts: dict[str, Any] = {"storage": {"count": storage, "also": roles, "drives": drives}}
    hosts["workers"] = {"count": 0 if "worker" in roles else workers}
    hosts["controlPlane"] = {"count": 0 if "control-plane" in roles else draw(st.sampled_from((1, 3)))}
    instances = st.integers(1, workers)
    database = {"instances": draw(instances), "synchronous": draw(st.booleans())}
    return design(
        {
            "platform": draw(st.sampled_from(("native", "kubernetes"))),
            "hosts": hosts,
            "storage": {
                "mons": draw(st.integers(1, 5)),
                "mgrs": draw(st.integers(1, 2)),
                "block": replicas[0],
                "file": {
                    "mds": {"active": draw(st.integers(1, 2)), "standby": draw(st.integers(0, 2))},
                    **replicas[1],
                },
                "object": {
                    "gateways": draw(st.integers(1, 3)),
                    "pool": {"replicas": 3} if code is None else {"erasureCoding": code},
                },
            },
            "apps": {"database": database, "cdn": {"edges": draw(instances)}},
        }
    )


def parts(found: Design) -> list[tuple[str, str, str]]:
    """Return everything that can be lost: hosts, drives, programs, as (kind, host, what)."""
    return [
        *(("host", host.name, "") for host in found.hosts),
        *(("drive", host.name, drive.name) for host in found.hosts for drive in host.drives),
        *(("daemon", host.name, daemon.name) for host in found.hosts for daemon in host.daemons),
        *(("daemon", host.name, instance.name) for host in found.hosts for instance in host.instances),
    ]


def loss_of(chosen: list[tuple[str, str, str]]) -> Loss:
    return Loss(
        hosts=tuple(host for kind, host, _ in chosen if kind == "host"),
        drives=tuple((host, what) for kind, host, what in chosen if kind == "drive"),
        daemons=tuple((host, what) for kind, host, what in chosen if kind == "daemon"),
    )


def losses(found: Design) -> st.SearchStrategy[list[tuple[str, str, str]]]:
    # Hosts first, so that losses of several are often drawn.
    there = parts(found)
    hosts = [part for part in there if part[0] == "host"]
    return st.builds(
        lambda whole, some: list(dict.fromkeys((*whole, *some))),
        st.lists(st.sampled_from(hosts), max_size=3, unique=True),
        st.lists(st.sampled_from(there), max_size=4, unique=True),
    )


def smaller(found: Design, chosen: list[tuple[str, str, str]], draw: st.DataObject) -> Loss:
    """Draw a part of a loss: fewer things, and of a host perhaps no more than a few drives or programs."""
    kept: list[tuple[str, str, str]] = []
    for part in chosen:
        kind, host, _ = part
        how = draw.draw(st.sampled_from(("all", "none", "some") if kind == "host" else ("all", "none")))
        if how == "all":
            kept.append(part)
        elif how == "some":
            own = [one for one in parts(found) if one[1] == host and one[0] != "host"]
            kept += draw.draw(st.lists(st.sampled_from(own), max_size=3)) if own else []
    return loss_of(list(dict.fromkeys(kept)))


@settings(max_examples=300, deadline=None)
@given(found=designs(), draw=st.data())
def test_losing_more_makes_nothing_better(found: Design, draw: st.DataObject) -> None:
    chosen = draw.draw(losses(found))
    more, less = promise(found, loss_of(chosen)), promise(found, smaller(found, chosen, draw))
    for name in ("data", "service", "heals", "room"):
        assert getattr(more, name) <= getattr(less, name), name
    for after, before in zip(more.pools, less.pools, strict=True):
        for name in ("kept", "served", "safe", "active", "after"):
            assert getattr(after, name) <= getattr(before, name), (after.name, name)
    assert [one.kind for one in more.kept] == [one.kind for one in less.kept]
    assert all(worse.safe <= better.safe for worse, better in zip(more.kept, less.kept, strict=True))
    assert all(services(more)[name] <= well for name, well in services(less).items())
    assert set(mended(less)) <= set(mended(more))
    for what, (now, then, total) in mended(less).items():
        worse = mended(more)[what]
        assert (worse[0] <= now, worse[1] <= then, worse[2]) == (True, True, total), what


@settings(max_examples=150, deadline=None)
@given(found=designs(), draw=st.data())
def test_what_is_said_holds_together(found: Design, draw: st.DataObject) -> None:
    said = promise(found, loss_of(draw.draw(losses(found))))
    assert said.data == all(one.safe for one in said.kept)
    assert said.service == all(one.goes_on for one in said.services if one.clients)
    assert all(0 <= one.now <= one.after <= one.of for one in said.mendings)
    assert all(0 <= pool.served <= pool.kept <= pool.after <= pool.size for pool in said.pools)
    for words in (*(one.why for one in said.kept), *(one.why for one in said.services)):
        assert words
        assert not words.endswith(".")
    assert all(one.why for one in said.mendings)
    # Whoever reads the reason learns why an answer is no.
    if not said.data:
        assert "too few to read it" in said.reason or "not synchronous" in said.reason
    if not said.loss.hosts and not said.loss.drives:
        assert said.heals


def _kind(host: Host) -> tuple[object, ...]:
    daemons = sorted(daemon.kind for daemon in host.daemons)
    return host.roles, daemons, host.drives, sorted(one.name for one in host.instances)


@settings(max_examples=100, deadline=None)
@given(found=designs(), draw=st.data())
def test_hosts_that_are_alike_are_lost_alike(found: Design, draw: st.DataObject) -> None:
    pairs = [(a, b) for a, b in combinations(found.hosts, 2) if _kind(a) == _kind(b)]
    assume(pairs)
    first, second = draw.draw(st.sampled_from(pairs))
    others = [h.name for h in found.hosts if h not in (first, second)]
    with_them = tuple(draw.draw(st.lists(st.sampled_from(others), max_size=2, unique=True)))

    def named(host: Host) -> Survives:
        said = promise(found, Loss(hosts=(host.name, *with_them)))
        reason = said.reason.replace(f"Without {host.name}", "Without HOST")
        return replace(said, subject="", loss=Loss(), reason=reason)

    assert named(first) == named(second)


@settings(max_examples=60, deadline=None)
@given(found=designs())
def test_the_worst_of_all_single_losses_is_what_survival_says(found: Design) -> None:
    said = {row.subject: row for row in survival(found)}
    storage = found.with_role(Role.STORAGE)
    names = [host.name for host in storage]
    singles = {
        "any one drive": [Loss(drives=((h.name, d.name),)) for h in storage for d in h.drives],
        "any one storage node": [Loss(hosts=(name,)) for name in names],
        "any two storage nodes at once": [Loss(hosts=pair) for pair in combinations(names, 2)],
        "any one worker": _bare(found, Role.WORKER),
        "any one control plane": _bare(found, Role.CONTROL_PLANE),
        "the load balancer": _bare(found, Role.LOAD_BALANCER),
    }
    assert set(said) == {subject for subject, choices in singles.items() if choices}
    for subject, row in said.items():
        promises = [promise(found, loss) for loss in singles[subject]]
        for answer in ("data", "service", "heals"):
            assert getattr(row, answer) == all(getattr(one, answer) for one in promises), (subject, answer)
        assert replace(promise(found, row.loss), subject=subject).reason == row.reason
        assert row.room == min(one.room for one in promises)


def _bare(found: Design, role: Role) -> list[Loss]:
    hosts = [host for host in found.with_role(role) if Role.STORAGE not in host.roles]
    return [Loss(hosts=(host.name,)) for host in hosts]


# Ceph's own rules


def _groups(found: Design, pool: Pool) -> Iterator[frozenset[str]]:
    """Yield every placement group that CRUSH may make of a pool: each piece on an OSD of another host."""
    places = [
        [
            daemon.name
            for daemon in host.daemons_of(DaemonKind.OSD)
            for drive in host.drives
            if drive.name == daemon.drive and pool.device_class in ("", drive.device_class)
        ]
        for host in found.with_role(Role.STORAGE)
    ]
    there = [osds for osds in places if osds]
    for hosts in combinations(there, min(pool.size, len(there))):
        yield from (frozenset(group) for group in product(*hosts))


def _lost_osds(found: Design, loss: Loss) -> tuple[set[str], set[str]]:
    """Return the OSDs whose drives are lost, and those that do not run, these included."""
    gone = {
        daemon.name
        for host in found.hosts
        for daemon in host.daemons_of(DaemonKind.OSD)
        if host.name in loss.hosts or (host.name, daemon.drive) in loss.drives
    }
    return gone, gone | {name for _, name in loss.daemons if name.startswith("osd.")}


@settings(max_examples=60, deadline=None)
@given(found=designs(), draw=st.data())
def test_the_worst_placement_group_is_spoken_of(found: Design, draw: st.DataObject) -> None:
    loss = loss_of(draw.draw(losses(found)))
    gone, silent = _lost_osds(found, loss)
    said = promise(found, loss)
    for pool, left in zip(found.pools, said.pools, strict=True):
        if len(found.with_role(Role.STORAGE)) ** pool.size > 5000:
            continue
        groups = set(_groups(found, pool))
        assert left.kept == min(len(group - gone) for group in groups), pool.name
        assert left.served == min(len(group - silent) for group in groups), pool.name
        enough = pool.erasure_code.k if pool.erasure_code else 1
        assert left.safe == (left.kept >= enough)
        assert not left.active or left.served >= pool.min_size


@settings(max_examples=100, deadline=None)
@given(found=designs(), draw=st.data())
def test_ceph_marks_out_what_heals(found: Design, draw: st.DataObject) -> None:
    """As `OSDMonitor::can_mark_out` counts: no OSD once fewer than three quarters of all are in."""
    loss = loss_of(draw.draw(losses(found)))
    gone, _ = _lost_osds(found, loss)
    total = inside = len(found.with_daemon(DaemonKind.OSD))
    for _ in gone:
        if inside / total < 0.75:
            break
        inside -= 1
    said = promise(found, loss)
    mons = [daemon.name for _, daemon in found.with_daemon(DaemonKind.MON)]
    lost = {name for _, name in loss.daemons}
    alive = [d.name for h, d in found.with_daemon(DaemonKind.MON) if h.name not in loss.hosts]
    quorum = 2 * len([name for name in alive if name not in lost]) > len(mons)
    heals = quorum and inside == total - len(gone)
    for left in said.pools:
        assert left.after == left.kept or heals, left.name


PLACED: tuple[tuple[str, dict[str, Any], tuple[Loss, ...]], ...] = (
    (
        "production-minimum",
        {},
        (
            Loss(hosts=("storage-k",)),
            Loss(drives=(("storage-l", "vdc"),)),
            Loss(hosts=("storage-k", "storage-n")),
            Loss(drives=(("storage-l", "vdc"), ("storage-m", "vdb"))),
        ),
    ),
    (
        "object-heavy",
        {"hosts": {"storage": {"count": 6}}, "storage": {"mons": 5}},
        (
            Loss(hosts=("storage-k",)),
            Loss(hosts=("storage-k", "storage-l")),
            Loss(hosts=("storage-m",), drives=(("storage-n", "vdb"),)),
        ),
    ),
    (
        "production-minimum",
        {
            "hosts": {
                "storage": {
                    "count": 5,
                    "drives": [{"count": 2, "class": "ssd"}, {"count": 1, "class": "hdd", "size": "40GB"}],
                }
            }
        },
        (Loss(hosts=("storage-o",)), Loss(drives=(("storage-k", "vdb"), ("storage-k", "vdd")))),
    ),
)


@in_image
@pytest.mark.parametrize(("pattern", "data", "chosen"), PLACED)
def test_crushtool_places_what_is_promised(
    pattern: str, data: dict[str, Any], chosen: tuple[Loss, ...], tmp_path: Path
) -> None:
    """Ceph's own placement of some hundred groups: the worst of them has what is promised, and where lost
    OSDs are marked out, each finds as many places as the promise says."""
    found = build({"pattern": pattern, **data})
    tools = PlacementTools(image_root(DEFAULT_RELEASE), tmp_path, code_name=CODE_NAME)
    rules = crush_rules(found.pools)
    crush = tools.compile("designed", render_crush_map(crush_hosts(found), rules))
    names = [rule.name for rule in rules]

    def place(pool: Pool, out: tuple[int, ...] = ()) -> list[set[int]]:
        rule = names.index(rule_name(pool))
        placed = tools.place(crush, rule=rule, pool=7, pgs=range(512), size=pool.size, out=out)
        return [{osd for osd in group if osd >= 0} for group in placed]

    kinds = {(pool.size, pool.erasure_code): pool for pool in found.pools}
    for loss in chosen:
        gone = {int(name.removeprefix("osd.")) for name in _lost_osds(found, loss)[0]}
        said = {left.name: left for left in promise(found, loss).pools}
        for pool in kinds.values():
            left = said[pool.name]
            assert left.kept == min(len(group - gone) for group in place(pool)), (loss, pool.name)
            if left.after > left.kept:
                assert {len(group) for group in place(pool, tuple(gone))} == {left.after}, (loss, pool.name)


@in_image
def test_a_pool_stops_where_ceph_stops_it(tmp_path: Path) -> None:
    """The `min_size` that a monitor gives a pool by itself is the one that promises count with."""
    found = build({"pattern": "object-heavy", "storage": {"block": {"pool": {"replicas": 5}}}})
    tools = PlacementTools(image_root(DEFAULT_RELEASE), tmp_path, code_name=CODE_NAME)
    bare = render_crush_map(
        tuple(replace(host, osds=()) for host in crush_hosts(found)), crush_rules(found.pools)
    )
    commands = tuple(command for pool in found.pools for command in _creation(pool))
    osd_map = tools.make_osd_map(tools.compile("bare", bare), osds=16, commands=commands)
    dump = tools._run("osdmaptool", osd_map, "--print")
    made = {
        words[2].strip("'"): (int(words[words.index("size") + 1]), int(words[words.index("min_size") + 1]))
        for words in (line.split() for line in dump.splitlines() if line.startswith("pool "))
    }
    left: tuple[PoolLeft, ...] = promise(found, Loss()).pools
    assert {pool.name: (pool.size, pool.min_size) for pool in left} == made
