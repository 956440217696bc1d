"""Daemons: spread over the hosts, with memory that fits."""

from __future__ import annotations

import pytest

from rookery.design.model import Daemon, DaemonKind
from rookery.design.placement import MEMORY_NEEDS, SYSTEM_MEMORY, build_drives, place_daemons
from rookery.spec.model import Drives, Storage
from rookery.units import GIB

HOSTS = ("storage-k", "storage-l", "storage-m", "storage-n")
DRIVES = build_drives((Drives(count=2),))


def place(memory: int = 4 * GIB, *, reserve: int = 0, **storage: int) -> dict[str, tuple[Daemon, ...]]:
    return place_daemons(Storage.model_validate(storage), HOSTS, DRIVES, memory, reserve=reserve)


def test_the_drawings_daemons() -> None:
    assert {host: [daemon.name for daemon in daemons] for host, daemons in place().items()} == {
        "storage-k": ["mon.storage-k", "mgr.storage-k", "rgw.storage-k", "osd.0", "osd.1"],
        "storage-l": ["mon.storage-l", "mds.storage-l", "osd.2", "osd.3"],
        "storage-m": ["mon.storage-m", "mds.storage-m", "osd.4", "osd.5"],
        "storage-n": ["mgr.storage-n", "rgw.storage-n", "osd.6", "osd.7"],
    }


@pytest.mark.parametrize("count", [1, 2, 3, 4])
def test_daemons_of_a_kind_are_on_different_hosts_while_hosts_last(count: int) -> None:
    placed = place(mons=count, mgrs=count)
    for kind in (DaemonKind.MON, DaemonKind.MGR):
        on = [host for host, daemons in placed.items() for daemon in daemons if daemon.kind is kind]
        assert len(on) == len(set(on)) == count


def test_a_second_daemon_of_a_kind_on_a_host_has_a_name_of_its_own() -> None:
    names = [daemon.name for daemons in place(mons=9).values() for daemon in daemons]
    assert len(names) == len(set(names))
    assert {"mon.storage-k", "mon.storage-k-2", "mon.storage-k-3"} <= set(names)


def test_osds_own_one_drive_each() -> None:
    drives = build_drives((Drives(count=2), Drives(count=1, **{"class": "hdd"})))
    assert [(drive.name, drive.device_class) for drive in drives] == [
        ("vdb", "ssd"),
        ("vdc", "ssd"),
        ("vdd", "hdd"),
    ]
    placed = place_daemons(Storage(), HOSTS, drives, 4 * GIB)
    osds = [daemon for daemons in placed.values() for daemon in daemons if daemon.kind is DaemonKind.OSD]
    assert [daemon.id for daemon in osds] == [str(number) for number in range(12)]
    assert [daemon.drive for daemon in osds] == ["vdb", "vdc", "vdd"] * 4


def test_many_drives_are_named_as_a_hypervisor_does() -> None:
    names = [drive.name for drive in build_drives((Drives(count=60),))]
    assert (names[0], names[24], names[25], names[59]) == ("vdb", "vdz", "vdaa", "vdbi")
    assert len(set(names)) == 60


@pytest.mark.parametrize("gib", [4, 6, 8, 16, 32, 64])
@pytest.mark.parametrize("quarters", [0, 1])
def test_what_daemons_are_given_fits_the_host(gib: int, quarters: int) -> None:
    memory, reserve = gib * GIB, gib * GIB * quarters // 4
    for daemons in place(memory, reserve=reserve).values():
        given = SYSTEM_MEMORY + sum(daemon.memory for daemon in daemons)
        assert given + reserve <= memory
        for daemon in daemons:
            need = MEMORY_NEEDS[daemon.kind]
            assert need.least <= daemon.memory <= need.recommended


def test_an_osd_never_gets_less_than_ceph_accepts() -> None:
    tiny = place(GIB)
    least = MEMORY_NEEDS[DaemonKind.OSD].least
    osds = [daemon for daemons in tiny.values() for daemon in daemons if daemon.kind is DaemonKind.OSD]
    assert {osd.memory for osd in osds} == {least}
