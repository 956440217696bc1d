"""What a loss means: promises of any hosts, drives and programs, and the rules that all of them keep."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from itertools import combinations, product
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from rookery.design.model import DaemonKind, Design, Host, Role
from rookery.design.stored import Pool
from rookery.design.survival import DataKind, Loss, PoolLeft, Survives, promise, survival
from rookery.drivers.ceph.placement_tools import PlacementTools
from rookery.errors import InputError
from rookery.projections.crush import crush_hosts, crush_rules, render_crush_map, rule_name
from rookery.run.simulate import _creation
from rookery.systems.native.root import image_root
from tests.kit.designs import design as build
from tests.kit.servers_image import MISSING

NO_IMAGE = os.geteuid() != 0 or not image_root().is_dir()
in_image = pytest.mark.skipif(NO_IMAGE, reason=f"there are no tools of Ceph: {MISSING}")


def design(data: dict[str, Any]) -> Design:
    return build({"pattern": "production-minimum", **data})


@cache
def default() -> Design:
    return design({})


def services(said: Survives) -> dict[str, bool]:
    return {service.name: service.goes_on for service in said.services}


def stopped(said: Survives) -> list[str]:
    return [service.name for service in said.services if not service.goes_on]


def mended(said: Survives) -> dict[str, tuple[int, int, int]]:
    """Return what is left now, what becomes of it, and how many there were."""
    return {one.what: (one.now, one.after, one.of) for one in said.mendings}


# A given loss


def test_nothing_lost() -> None:
    said = promise(default(), Loss())
    assert (said.subject, said.reason) == ("nothing", "Nothing is lost.")
    assert (said.data, said.service, said.heals) == (True, True, True)
    assert (stopped(said), said.mendings) == ([], ())
    assert list(services(said)) == [
        *("monitors", "block", "files", "objects", "dashboard", "control plane"),
        *("database", "streaming", "catalogue", "cdn", "load balancer"),
        *("port database", "port database-reads", "port catalogue", "port site", "port s3", "port dashboard"),
    ]
    assert [(one.kind, one.safe) for one in said.kept] == [(kind, True) for kind in DataKind]


def test_one_storage_node() -> None:
    said = promise(default(), Loss(hosts=("storage-m",)))
    assert said.subject == "storage-m"
    assert said.reason == (
        "Without storage-m: pool block keeps 2 of 3 copies, enough to go on; the data heals while no more"
        " than 34.0 GB is stored; 2 of 3 monitors are left, a majority; 1 of 2 mds daemons are left."
    )
    assert stopped(said) == []
    assert {(pool.kept, pool.served, pool.after, pool.size, pool.active) for pool in said.pools} == {
        (2, 2, 3, 3, True)
    }
    assert mended(said) == {
        **{f"pool {pool.name}": (2, 3, 3) for pool in default().pools},
        "mon": (2, 2, 3),
        "osd": (6, 6, 8),
        "mds": (1, 1, 2),
        "hosts: storage": (3, 3, 4),
    }
    assert said.room == 34 * 10**9


def test_on_kubernetes_rook_starts_what_a_lost_node_had_elsewhere() -> None:
    found = design({"platform": "kubernetes"})
    one = mended(promise(found, Loss(hosts=("storage-k",))))
    assert [one[kind] for kind in ("mon", "mgr", "rgw")] == [(2, 3, 3), (1, 2, 2), (1, 2, 2)]
    two = promise(found, Loss(hosts=("storage-k", "storage-l")))
    assert mended(two)["mon"] == (1, 1, 3)
    assert next(one.why for one in two.mendings if one.what == "mon") == (
        "without a majority of the monitors Rook replaces nothing"
    )
    away = promise(found, Loss(hosts=("storage-k", "cp-1")))
    assert mended(away)["rgw"] == (1, 1, 2)


def test_two_nodes_with_a_quorum_heal_into_what_has_room() -> None:
    """Two copies are found for each object on two nodes, and with two copies service goes on again."""
    found = design({"hosts": {"storage": {"count": 5}}, "storage": {"mons": 5}})
    said = promise(found, Loss(hosts=("storage-k",), drives=(("storage-l", "vdb"), ("storage-l", "vdc"))))
    block = said.pools[1]
    assert (block.name, block.kept, block.active, block.after) == ("block", 1, False, 1)
    assert "4 of 10 OSDs are lost, and Ceph marks no more out by itself" in said.reason
    said = promise(found, Loss(hosts=("storage-k",), drives=(("storage-l", "vdb"),)))
    block = said.pools[1]
    assert (block.kept, block.active, block.after) == (1, False, 3)
    assert (said.data, said.service, said.heals) == (True, False, True)
    assert [services(said)[name] for name in ("monitors", "block", "database", "cdn")] == [
        *(True, False, False, False)
    ]
    assert said.service_of("port site").why == "cdn stops"


def test_three_nodes_have_no_place_for_a_third_copy() -> None:
    said = promise(build({"pattern": "compact"}), Loss(hosts=("storage-k",)))
    assert {(pool.kept, pool.after, pool.size, pool.active) for pool in said.pools} == {(2, 2, 3, True)}
    assert {one.why for one in said.mendings if one.what.startswith("pool ")} == {
        "2 hosts with drives are left"
    }


def test_a_program_that_ends_keeps_what_it_stored() -> None:
    said = promise(default(), Loss(daemons=(("storage-k", "osd.0"), ("storage-l", "osd.2"))))
    assert said.reason == (
        "Without osd.0 of storage-k and osd.2 of storage-l: pool block reaches 1 of 3 copies, and it stops"
        " below 2."
    )
    assert (said.data, said.service, said.heals) == (True, False, True)
    assert {(pool.kept, pool.served, pool.after) for pool in said.pools} == {(3, 1, 3)}
    assert mended(said) == {"osd": (6, 8, 8)}
    assert said.mendings[0].why == "supervisord starts it again"


def test_an_application_stops_with_what_it_stands_on() -> None:
    edges = Loss(daemons=(("worker-a", "cdn-edge"), ("worker-b", "cdn-edge")))
    assert stopped(promise(default(), edges)) == ["cdn", "port site"]
    gateways = Loss(daemons=(("storage-k", "rgw.storage-k"), ("storage-n", "rgw.storage-n")))
    assert stopped(promise(default(), gateways)) == ["objects", "streaming", "cdn", "port site", "port s3"]
    said = promise(default(), Loss(daemons=(("storage-l", "mds.storage-l"), ("storage-m", "mds.storage-m"))))
    assert stopped(said) == ["files", "streaming"]
    assert said.service_of("streaming").why == "files stops"
    assert said.service_of("files").why == "0 of 2 mds daemons are left: the file system stops"
    managers = Loss(daemons=(("storage-k", "mgr.storage-k"), ("storage-n", "mgr.storage-n")))
    assert (promise(default(), managers).service, stopped(promise(default(), managers))) == (
        True,
        ["dashboard", "port dashboard"],
    )
    balancer = promise(default(), Loss(hosts=("lb-1",)))
    assert [name for name in stopped(balancer) if not name.startswith("port ")] == ["load balancer"]


def test_two_of_three_instances_may_be_the_only_ones_that_have_it_all() -> None:
    data = {"hosts": {"workers": {"count": 3}}}
    both = Loss(hosts=("worker-a", "worker-b"))
    said = promise(design(data), both)
    assert said.service_of("database").why == (
        "two database-postgres instances may have what no other has: none of the others takes over"
    )
    assert (said.data, services(said)["catalogue"]) == (True, False)
    assert "none of the others takes over" in said.reason
    alone = promise(design({**data, "apps": {"database": {"synchronous": False}}}), both)
    assert (alone.data, services(alone)["database"]) == (False, True)
    assert [one.kind for one in alone.kept if not one.safe] == [DataKind.DATABASE]
    # One instance has no other that could follow it without its last transactions.
    single = design({"apps": {"database": {"synchronous": False, "instances": 1}}})
    assert promise(single, Loss(hosts=("worker-a",))).data


def test_two_nodes_cannot_tell_that_one_of_them_is_lost() -> None:
    pairs = {kind: {"pool": {"replicas": 2}} for kind in ("block", "file", "object")}
    found = design({"hosts": {"storage": {"count": 2}}, "storage": {"mons": 1, **pairs}})
    block = promise(found, Loss(hosts=("storage-l",))).pools[1]
    assert (block.served, block.min_size, block.active, block.safe) == (1, 1, False, True)
    assert block.why == (
        "pool block keeps 1 of 2 copies, and it waits: OSDs of 2 hosts would have to miss what is lost; else"
        " the monitors wait 15 minutes"
    )
    # Of a program that ended, its closed port tells.
    assert promise(found, Loss(daemons=(("storage-l", "osd.2"),))).pools[1].active


def test_a_loss_of_what_is_not_there_is_refused() -> None:
    loss = Loss(
        hosts=("storage-z",),
        drives=(("storage-k", "vdz"), ("cp-1", "vdb"), ("nowhere", "vdb")),
        daemons=(("storage-k", "osd.7"), ("lb-1", "haproxy")),
    )
    with pytest.raises(InputError) as raised:
        promise(default(), loss)
    assert raised.value.what == "production-minimum cannot lose what it does not have"
    hosts = "cp-1, worker-a, worker-b, storage-k, storage-l, storage-m, storage-n, lb-1"
    assert raised.value.details == (
        f"there is no host storage-z: there are {hosts}",
        f"there is no host nowhere: there are {hosts}",
        "storage-k has no drive vdz: there are vdb, vdc",
        "cp-1 has no drive vdb: it has none",
        "storage-k does not run osd.7: there are mon.storage-k, mgr.storage-k, rgw.storage-k, osd.0, osd.1",
        "lb-1 does not run haproxy: it has none",
    )
    assert raised.value.hint == "Hosts, drives and programs are called as `rookery plan` shows them."


def test_a_loss_has_a_name() -> None:
    assert Loss().name == ""
    assert Loss(hosts=("a",)).name == "a"
    assert Loss(hosts=("a", "a", "b"), drives=(("c", "vdb"),)).name == "a, b and vdb of c"


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
    tools = PlacementTools(image_root(), tmp_path)
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
    tools = PlacementTools(image_root(), tmp_path)
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
