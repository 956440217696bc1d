"""Placement: the CRUSH map of a design, what is counted of a placement, and Ceph's own tools on it."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest
from click.testing import CliRunner

from rookery.apps.table import PLACERS, SETTINGS
from rookery.cli.designing import plan
from rookery.design.build import build_design
from rookery.design.model import Design
from rookery.design.stored import ErasureCode, Pool
from rookery.drivers.ceph.placement_tools import PlacementTools, parse_mappings, parse_upmaps
from rookery.errors import NotPossibleError, RookeryError
from rookery.projections.crush import (
    CrushHost,
    CrushOsd,
    CrushRule,
    crush_hosts,
    crush_rules,
    render_crush_map,
    rule_name,
    with_drives_added,
    with_host_added,
)
from rookery.projections.simulation import (
    NOWHERE,
    Move,
    Simulation,
    apply_upmaps,
    data_size,
    ideal_after_growth,
    ideal_after_loss,
    measure_move,
    measure_spread,
    render_simulation,
)
from rookery.releases import DEFAULT_RELEASE, RELEASES
from rookery.run import simulate as simulating
from rookery.run.simulate import simulate
from rookery.spec.load import load_pattern
from rookery.systems.native.root import image_root
from rookery.units import GB, TB
from tests.kit.servers_image import MISSING

CODE_NAME = RELEASES[DEFAULT_RELEASE].code_name
NO_IMAGE = os.geteuid() != 0 or not image_root(DEFAULT_RELEASE).is_dir()
in_image = pytest.mark.skipif(NO_IMAGE, reason=f"there are no tools of Ceph: {MISSING}")


def design(pattern: str) -> Design:
    return build_design(load_pattern(pattern, settings=SETTINGS), placers=PLACERS)


def pool(name: str = "block", **changes: object) -> Pool:
    usual = Pool(name=name, application="rbd", size=3, min_size=2, pg_num=2, device_class="", share=1.0)
    return replace(usual, **changes)  # type: ignore[arg-type] # tests name fields that are there


# The map


def test_the_map_of_the_default_pattern() -> None:
    minimum = design("production-minimum")
    text = render_crush_map(crush_hosts(minimum), crush_rules(minimum.pools))
    blocks = text.split("\n\n")
    assert blocks[0].splitlines() == [
        "tunable choose_local_tries 0",
        "tunable choose_local_fallback_tries 0",
        "tunable choose_total_tries 50",
        "tunable chooseleaf_descend_once 1",
        "tunable chooseleaf_vary_r 1",
        "tunable chooseleaf_stable 1",
        "tunable straw_calc_version 1",
        "tunable allowed_bucket_algs 54",
    ]
    assert blocks[1].splitlines() == [f"device {number} osd.{number} class ssd" for number in range(8)]
    assert blocks[3].startswith(
        "host storage-k {\n\tid -3\n\tid -4 class ssd\n\talg straw2\n\thash 0\n"
        "\titem osd.0 weight 0.01819\n\titem osd.1 weight 0.01819\n}\nhost storage-l {\n\tid -5\n"
    )
    assert blocks[4].splitlines() == [
        "root default {",
        "\tid -1",
        "\tid -2 class ssd",
        "\talg straw2",
        "\thash 0",
        *(f"\titem storage-{letter} weight 0.03638" for letter in "klmn"),
        "}",
    ]
    assert "\n\n".join(blocks[5:]) == (
        "rule replicated_rule {\n\tid 0\n\ttype replicated\n\tstep take default\n"
        "\tstep chooseleaf firstn 0 type host\n\tstep emit\n}\n"
    )


def test_rules_are_as_ceph_makes_them() -> None:
    coded = pool("data", size=6, device_class="nvme", erasure_code=ErasureCode(k=4, m=2))
    rules = crush_rules((pool(device_class="nvme"), coded))
    assert [rule.name for rule in rules] == ["replicated_rule", "replicated-nvme", "data"]
    assert (rule_name(pool()), rule_name(pool(device_class="nvme"))) == ("replicated_rule", "replicated-nvme")
    assert rule_name(coded) == "data"
    text = render_crush_map((), rules)
    assert text.endswith(
        "rule replicated-nvme {\n\tid 1\n\ttype replicated\n\tstep take default class nvme\n"
        "\tstep chooseleaf firstn 0 type host\n\tstep emit\n}\n"
        "rule data {\n\tid 2\n\ttype erasure\n\tstep set_chooseleaf_tries 5\n\tstep set_choose_tries 100\n"
        "\tstep take default class nvme\n\tstep chooseleaf indep 0 type host\n\tstep emit\n}\n"
    )


def test_each_bucket_keeps_an_id_for_each_class() -> None:
    def osd(number: int, device_class: str) -> CrushOsd:
        return CrushOsd(id=number, size=TB, device_class=device_class)

    hosts = (
        CrushHost(name="a", osds=(osd(0, "ssd"), osd(1, "hdd"))),
        CrushHost(name="b", osds=(osd(2, "ssd"), osd(3, "hdd"))),
    )
    text = render_crush_map(hosts, (CrushRule(name="r", erasure=False, device_class="ssd"),))
    ids = [line.strip() for line in text.splitlines() if line.startswith("\tid -")]
    assert ids == [
        *("id -4", "id -5 class hdd", "id -6 class ssd"),
        *("id -7", "id -8 class hdd", "id -9 class ssd"),
        *("id -1", "id -2 class hdd", "id -3 class ssd"),
    ]


def test_growth_moves_no_number() -> None:
    hosts = crush_hosts(design("production-minimum"))
    more = with_drives_added(hosts)
    assert [[osd.id for osd in host.osds] for host in more] == [[0, 1, 8], [2, 3, 9], [4, 5, 10], [6, 7, 11]]
    *same, added = with_host_added(hosts)
    assert tuple(same) == hosts
    assert [(osd.id, osd.size) for osd in added.osds] == [(8, 20 * GB), (9, 20 * GB)]
    before = render_crush_map(hosts, ()).split("\n\n")[3]
    assert render_crush_map((*same, added), ()).split("\n\n")[3].startswith(before)


# Counting

CAPACITIES = {0: 100 * GB, 1: 100 * GB, 2: 100 * GB, 3: 100 * GB}


def test_spread() -> None:
    pools = (pool(), pool("meta", pg_num=1, share=0.0))
    spread = measure_spread(pools, (((0, 1, 2), (0, 1, 3)), ((0, 1, 2),)), CAPACITIES)
    assert (spread.osds, spread.pgs_mean, spread.pgs_least, spread.pgs_most) == (4, 9 / 4, 1, 3)
    # Half a byte of each stored one lies in a PG, three times: 1, 1, 0.5 and 0.5 on the four OSDs.
    assert (spread.fullest, spread.fullest_osd) == pytest.approx((4 / 3, 0))
    assert (spread.emptiest, spread.emptiest_osd) == pytest.approx((2 / 3, 2))
    assert spread.deviation == pytest.approx(1 / 3)
    assert spread.nearfull_at == pytest.approx(0.85 * 3 / 4)
    assert spread.holds == 85 * GB
    assert spread.homeless == 0


def test_spread_counts_what_found_no_place() -> None:
    coded = pool(size=4, erasure_code=ErasureCode(k=2, m=2))
    spread = measure_spread((coded,), (((0, 1, 2, NOWHERE), (0, 1, 2, 3)),), CAPACITIES)
    assert spread.homeless == 1
    assert measure_spread((pool(),), (((0, 1), (0, 1, 2)),), CAPACITIES).homeless == 1


def test_a_larger_drive_may_hold_more() -> None:
    sizes = {0: 200 * GB, 1: 100 * GB, 2: 100 * GB}
    spread = measure_spread((pool(size=1, pg_num=4),), (((0,), (0,), (1,), (2,)),), sizes)
    assert (spread.fullest, spread.emptiest, spread.deviation) == (1.0, 1.0, 0.0)
    assert spread.nearfull_at == 0.85
    assert spread.holds == 340 * GB


def test_a_design_without_data_is_measured_by_its_pgs() -> None:
    spread = measure_spread((pool(share=0.0),), (((0, 1, 2), (0, 1, 3)),), CAPACITIES)
    assert (spread.fullest, spread.holds) == pytest.approx((4 / 3, 0))


def test_moves_of_copies_and_of_chunks() -> None:
    before, swapped, other = ((0, 1, 2), (1, 2, 3)), ((1, 0, 2), (1, 2, 3)), ((0, 1, 3), (1, 2, NOWHERE))
    copies, chunks = (pool(),), (pool(erasure_code=ErasureCode(k=2, m=1)),)
    assert measure_move(copies, (before,), (swapped,)) == (0, 0.0)
    assert measure_move(chunks, (before,), (swapped,)) == pytest.approx((2, 2 / 6))
    assert measure_move(copies, (before,), (other,)) == pytest.approx((1, 1 / 6))
    assert measure_move(chunks, (before,), (other,)) == pytest.approx((1, 1 / 6))


def test_moves_are_weighed_by_their_data() -> None:
    pools = (pool(), pool("meta", share=0.0))
    before = (((0, 1, 2), (0, 1, 2)), ((0, 1, 2), (0, 1, 2)))
    after = (((0, 1, 3), (0, 1, 2)), ((0, 1, 3), (0, 1, 3)))
    assert measure_move(pools, before, after) == pytest.approx((3, 1 / 6))


def test_what_would_move_ideally() -> None:
    before = (((0, 1, 2), (0, 1, 3)),)
    assert ideal_after_loss(before, (((3, 1, 2), (2, 1, 3)),), {0}, 6) == pytest.approx(2 / 6)
    assert ideal_after_loss(before, (((1, 2), (1, 3)),), {0}, 6) == 0
    assert ideal_after_growth(CAPACITIES, {**CAPACITIES, 4: 100 * GB}) == pytest.approx(1 / 5)


def test_upmaps_replace_one_by_one() -> None:
    assert apply_upmaps(((0, 1, 2), (1, 2, 3)), {1: ((1, 0), (3, 4))}) == ((0, 1, 2), (0, 2, 4))


def test_amounts_of_data() -> None:
    assert [data_size(size) for size in (29_500_000_000, 691 * TB, 5_613 * TB)] == [
        *("29.5 GB", "691 TB", "5.61 PB")
    ]


def test_what_the_tools_write_is_read() -> None:
    text = "CRUSH rule 1 x 4 [3,2147483647,0]\nCRUSH rule 1 x 5 []\nCRUSH rule 1 x 6 [7]\n"
    assert parse_mappings(text, pgs=range(4, 7)) == ((3, NOWHERE, 0), (), (7,))
    with pytest.raises(RookeryError, match="crushtool placed 3 of 4 PGs"):
        parse_mappings(text, pgs=range(4, 8))
    commands = "ceph osd pg-upmap-items 1.1f 17 139\nceph osd pg-upmap-items 1.3 1 2 3 4\n"
    assert parse_upmaps(commands) == {31: ((17, 139),), 3: ((1, 2), (3, 4))}
    assert parse_upmaps("") == {}
    with pytest.raises(RookeryError, match="wrote what is no upmap: ceph osd rm-pg"):
        parse_upmaps("ceph osd rm-pg-upmap-items 1.3\n")


def test_a_simulation_as_a_section_of_a_document() -> None:
    spread = measure_spread((pool(),), (((0, 1, 2), (0, 1, 3)),), CAPACITIES)
    move = Move(title="osd.3 lost", shards=6, moved=1, data=1 / 6, ideal=1 / 6, spread=spread)
    simulation = Simulation(
        tool="crushtool of Ceph 18.2.7",
        hosts=4,
        pgs=2,
        shards=6,
        designed=spread,
        balanced=None,
        upmaps=0,
        why_unbalanced="too many OSDs",
        moves=(move,),
    )
    figures = "1 to 2, mean 1.5 | 33.3% | 0.67 (osd.2) | 1.33 (osd.0) | 63.8% | 85.0 GB |"
    assert (
        render_simulation(simulation)
        == f"""\
## Placement

2 PGs with 6 copies and chunks on 4 OSDs of 4 hosts, placed by crushtool of Ceph 18.2.7. Fullness is in \
relation to the mean of all OSDs; the last two columns are when the fullest OSD reaches 85%.

| state | PGs of an OSD | deviation | emptiest | fullest | mean fullness | user data |
|---|---|---|---|---|---|---|
| as designed | {figures}
| osd.3 lost | {figures}

The balancer: too many OSDs.

| change | moves | ideal | of the data |
|---|---|---|---|
| osd.3 lost | 1 (16.67%) | 16.67% | 16.67% |
"""
    )
    balanced = render_simulation(replace(simulation, balanced=spread, upmaps=3, why_unbalanced=""))
    assert "| balanced, 3 upmaps | 1 to 2" in balanced
    assert "The balancer" not in balanced


# With Ceph's tools


def test_a_machine_without_root_or_image_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(NotPossibleError, match="which only root may enter"):
        simulate(design("production-minimum"), print)
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(simulating, "image_root", lambda _: tmp_path / "none")
    with pytest.raises(NotPossibleError, match="it is not built yet") as raised:
        simulate(design("production-minimum"), print)
    assert (raised.value.exit_code, raised.value.hint) == (3, "`rookery up` builds it, in about a minute.")


@cache
def first_simulation(pattern: str) -> Simulation:
    return simulate(design(pattern), lambda _: None)


@in_image
@pytest.mark.parametrize(
    ("pattern", "homeless"),
    # Four chunks on three nodes: each PG of the erasure-coded pool lacks one.
    [("production-minimum", 0), ("object-heavy", 16)],
)
def test_a_simulation_is_the_same_every_time(pattern: str, homeless: int) -> None:
    wanted = design(pattern)
    first, second = first_simulation(pattern), simulate(wanted, lambda _: None)
    assert first == second
    shards = sum(pool.pg_num * pool.size for pool in wanted.pools)
    assert (first.shards, first.designed.homeless) == (shards, 0)
    assert first.designed.pgs_mean * first.designed.osds == shards
    node, drive, drives, host = first.moves
    assert (node.spread.homeless, drive.spread.homeless) == (homeless, 0)
    for loss in (node, drive):
        assert loss.part >= loss.ideal > 0
    assert drives.spread.osds == first.designed.osds + 4
    assert host.ideal == pytest.approx(1 / 5)
    assert first.balanced is not None
    assert first.balanced.fullest <= first.designed.fullest


@in_image
def test_three_nodes_have_no_place_for_what_one_held() -> None:
    node, *_ = simulate(design("compact"), lambda _: None).moves
    assert (node.moved, node.ideal) == (0, 0)
    assert node.spread.homeless * 3 == node.shards


@in_image
def test_the_balancer_evens_out_what_crush_left() -> None:
    wanted = design("production-minimum")
    busy = tuple(replace(pool, pg_num=256) if pool.share == 4.0 else pool for pool in wanted.pools)
    simulation = simulate(replace(wanted, pools=busy), lambda _: None)
    assert simulation.balanced is not None
    assert simulation.upmaps > 0
    assert simulation.balanced.deviation < simulation.designed.deviation


@in_image
def test_crushtool_places_as_an_osd_map_does(tmp_path: Path) -> None:
    wanted = design("object-heavy")
    rules = crush_rules(wanted.pools)
    tools = PlacementTools(image_root(DEFAULT_RELEASE), tmp_path, code_name=CODE_NAME)
    crush = tools.compile("designed", render_crush_map(crush_hosts(wanted), rules))
    bare = tuple(CrushHost(name=host.name, osds=()) for host in crush_hosts(wanted))
    commands = tuple(command for pool in wanted.pools for command in simulating._creation(pool))
    osd_map = tools.make_osd_map(
        tools.compile("bare", render_crush_map(bare, rules)), osds=16, commands=commands
    )
    tools.complete_osd_map(osd_map, crush)
    dump = tools._run("osdmaptool", osd_map, "--mark-up-in", "--test-map-pgs-dump-all")
    mapped: dict[int, list[tuple[int, ...]]] = {}
    for line in dump.splitlines():
        name, _, rest = line.partition(" raw ([")
        if rest:
            osds = tuple(int(osd) for osd in rest.partition("]")[0].split(","))
            mapped.setdefault(int(name.partition(".")[0]), []).append(osds)
    assert list(mapped) == list(range(1, len(wanted.pools) + 1))
    names = [rule.name for rule in rules]
    for number, placed in mapped.items():
        found = wanted.pools[number - 1]
        rule = names.index(rule_name(found))
        pgs = range(found.pg_num)
        assert tools.place(crush, rule=rule, pool=number, pgs=pgs, size=found.size) == tuple(placed)


@in_image
def test_the_command_shows_it(monkeypatch: pytest.MonkeyPatch) -> None:
    result = CliRunner().invoke(
        plan, ["production-minimum", "--simulate", "--output", "json"], standalone_mode=False
    )
    assert result.exception is None
    simulation = json.loads(result.stdout)["simulation"]
    assert [move["title"] for move in simulation["moves"]][2:] == [
        *("a drive more per node", "a storage node more")
    ]
    # What is shown is of the same simulation, which takes seconds: it is looked up.
    monkeypatch.setattr("rookery.run.simulate.simulate", lambda *_: first_simulation("production-minimum"))
    shown = CliRunner(env={"COLUMNS": "80"}).invoke(
        plan, ["production-minimum", "--simulate"], standalone_mode=False
    )
    assert "How data is placed\n" in shown.stdout
    assert max(len(line) for line in shown.stdout.splitlines()) <= 80
