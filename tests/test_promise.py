"""What a loss means: the promise of given hosts, drives and programs."""

from __future__ import annotations

from functools import cache

import pytest

from rookery.design.model import Design
from rookery.design.survival import DataKind, Loss, promise
from rookery.errors import InputError
from tests.kit.designs import design as build
from tests.kit.promises import design, mended, services, stopped


@cache
def default() -> Design:
    return design({})


def test_nothing_lost() -> None:
    said = promise(default(), Loss())
    assert (said.subject, said.reason) == ("nothing", "Nothing is lost.")
    assert (said.data, said.service, said.heals) == (True, True, True)
    assert (stopped(said), said.mendings) == ([], ())
    assert list(services(said)) == [
        *("monitors", "block", "files", "objects", "dashboard", "control plane"),
        *("database", "streaming", "catalogue", "cdn", "backup", "load balancer"),
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
    stand_on_it = ["objects", "streaming", "cdn", "backup"]
    assert stopped(promise(default(), gateways)) == [*stand_on_it, "port site", "port s3"]
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
