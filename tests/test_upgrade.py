"""An upgrade of Ceph: its steps, who is refused, and what servers start by on the way."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from importlib.resources import files
from typing import Any

import pytest

from rookery.design.model import Design
from rookery.drivers.ceph.health import health_of
from rookery.plan.change import plan_change
from rookery.plan.step import Observation, plan_rest
from rookery.plan.upgrade import plan_upgrade
from rookery.projections.native.server import server_programs
from rookery.releases import RELEASES
from rookery.spec.load import pattern_names
from rookery.systems.native import drift
from rookery.systems.native.upgrade.upgrade import design_before
from tests.kit.designs import design_of, designed
from tests.kit.namespaces import APART

GUEST = files("rookery.systems.native") / "guest"

needs_root = pytest.mark.skipif(
    os.geteuid() != 0 or not shutil.which("unshare"), reason="it enters namespaces"
)


def ids(design: Design) -> list[str]:
    return [step.id for step in plan_upgrade(design)]


def test_daemons_move_in_cephs_own_order_and_old_keys_end_last() -> None:
    order = ids(design_of("production-minimum"))
    assert order[:5] == ["image", "offered", "moved:mon", "tickets", "moved:mgr"]
    hosts = [name for name in order if name.startswith("moved:osd:")]
    assert hosts == [f"moved:osd:storage-{letter}" for letter in "klmn"]
    after = order[order.index(hosts[-1]) + 1 :]
    volumes = ["moved:volume:database-worker-a", "moved:volume:database-worker-b"]
    assert after == [
        *("required", "moved:mds", "commands", "rotated", "moved:rgw", "moved:clients"),
        *(*volumes, "narrowed", "settled"),
    ]


@pytest.mark.parametrize("name", pattern_names())
def test_each_step_waits_for_the_one_before_and_each_daemon_has_one(name: str) -> None:
    design = design_of(name)
    steps = plan_upgrade(design)
    assert [step.needs for step in steps] == [(), *((step.id,) for step in steps[:-1])]
    told = ids(design)
    assert ("moved:mds" in told) == (design.file_system is not None)
    assert ("moved:rgw" in told) == (design.object_store is not None)
    with_osds = [host.name for host in design.hosts if any(d.kind == "osd" for d in host.daemons)]
    assert [name.rpartition(":")[2] for name in told if name.startswith("moved:osd:")] == with_osds


@pytest.mark.parametrize("name", pattern_names())
def test_programs_that_use_ceph_are_its_daemons_shares_the_channel_and_backup(name: str) -> None:
    design = design_of(name)
    for host in design.hosts:
        daemons = {daemon.name for daemon in host.daemons}
        used = {program.name for program in server_programs(design, host) if program.uses_ceph}
        others = {one for one in used - daemons if not one.startswith("share-")}
        assert others <= {"streaming-channel", "backup-agent"}
        assert daemons <= used


def test_what_was_seen_done_is_not_done_again() -> None:
    steps = plan_upgrade(design_of("production-minimum"))
    seen = frozenset(itertools.islice((step.id for step in steps), 6))
    assert [step.id for step in plan_rest(steps, Observation(facts=seen))] == [s.id for s in steps[6:]]


# Health on the way


def status(**checks: str) -> dict[str, Any]:
    told = {code: {"summary": {"message": text}} for code, text in checks.items()}
    return {
        "health": {"status": "HEALTH_ERR" if checks else "HEALTH_OK", "checks": told},
        "pgmap": {"pgs_by_state": [{"state_name": "active+clean", "count": 3}], "num_pgs": 3},
    }


def test_codes_of_the_way_are_expected_there_and_nowhere_else() -> None:
    insecure = status(AUTH_INSECURE_SERVICE_TICKETS="insecure tickets")
    expected = RELEASES["20"].on_the_way
    assert health_of(insecure, expected=expected) == ("HEALTH_OK", 3, 3)
    assert health_of(insecure) == ("HEALTH_ERR (insecure tickets)", 3, 3)
    more = status(AUTH_INSECURE_SERVICE_TICKETS="insecure tickets", OSD_DOWN="1 osds down")
    assert health_of(more, expected=expected)[0] == "HEALTH_ERR (1 osds down)"
    assert health_of(status(), expected=expected)[0] == "HEALTH_OK"


# What servers start by


def begin(text: str) -> str:
    """Run a shell's text among mounts of its own, with empty folders where servers have their own."""
    script = f"mount -t tmpfs tmpfs /run; mount -t tmpfs tmpfs /opt; mount -t tmpfs tmpfs /mnt; {text}"
    done = subprocess.run(
        (*APART, "sh", "-euc", script),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=30,
        check=False,
    )
    return done.stdout


@needs_root
def test_a_command_runs_by_its_own_programs_where_there_is_no_other_image() -> None:
    assert begin(f"sh {GUEST}/in-release echo here") == "here\n"


@needs_root
def test_a_command_sees_the_next_images_programs_and_ours_in_them() -> None:
    # An image of the machine's own programs, with one more.
    text = f"""
mkdir -p /opt/rookery/next/usr /mnt/own /mnt/next /mnt/work /mnt/work2
mount -t overlay overlay -o lowerdir=/usr,upperdir=/mnt/next,workdir=/mnt/work /opt/rookery/next/usr
mkdir -p /opt/rookery/next/usr/lib/rookery
cd /opt/rookery/next/usr/bin
printf '#!/bin/sh\necho the next one, and $(cat /usr/lib/rookery/ours)' > which-release
chmod 755 which-release
cd /
mount -t overlay overlay -o lowerdir=/usr,upperdir=/mnt/own,workdir=/mnt/work2 /usr
mkdir -p /usr/lib/rookery
echo ours > /usr/lib/rookery/ours
sh {GUEST}/in-release sh -c 'which-release; sh {GUEST}/in-release which-release'
which-release || echo nobody else sees it
"""
    said = begin(text)
    assert said.splitlines()[:2] == ["the next one, and ours"] * 2, said
    assert said.splitlines()[-1] == "nobody else sees it"


@needs_root
@pytest.mark.parametrize(("wrote", "starts"), [("", True), ("18", True), ("20", True), ("21", False)])
def test_an_osd_never_starts_by_an_older_release_than_wrote_its_drive(wrote: str, starts: bool) -> None:
    text = f"""
mkdir -p /var/lib /mnt/bin && mount -t tmpfs tmpfs /var/lib && mkdir -p /var/lib/ceph/osd/ceph-3
mount -t tmpfs tmpfs /usr/share && mkdir -p /usr/share/rookery
echo 20.2.4+ds-2 > /usr/share/rookery/ceph-version
touch /var/lib/ceph/osd/ceph-3/.made
[ -z "{wrote}" ] || echo "{wrote}" > /var/lib/ceph/osd/ceph-3/.release
printf '#!/bin/sh\\necho "$0 $*"\\n' > /mnt/bin/ceph-osd; cp /mnt/bin/ceph-osd /mnt/bin/install
chmod 755 /mnt/bin/*
PATH=/mnt/bin:$PATH sh {GUEST}/start-osd 3 vdb || true
cat /var/lib/ceph/osd/ceph-3/.release
"""
    said = begin(text).splitlines()
    assert said[-1] == (wrote if wrote == "21" else "20")
    if starts:
        assert said[-2] == "/mnt/bin/ceph-osd -f --id 3 --setuser ceph --setgroup ceph"
    else:
        assert said[-2] == "osd.3: Ceph 21 wrote /dev/vdb, and Ceph 20 would damage it: it is not started"


@needs_root
def test_who_uses_a_volume_is_waited_for_and_then_ended() -> None:
    text = f"""
mkdir /mnt/volume /mnt/other; mount -t tmpfs tmpfs /mnt/volume; touch /mnt/volume/file
(cd /mnt/volume && exec sleep 0.5) & sh {GUEST}/end-users /mnt/volume 10; wait; echo it left
(cd /mnt/volume && exec sleep 60) & sleep 60 < /mnt/volume/file & (cd /mnt/other && exec sleep 60) &
sleep 0.2
sh {GUEST}/end-users /mnt/volume 1; umount /mnt/volume; echo they were ended
sh {GUEST}/end-users /mnt/volume 1; pgrep -c sleep
"""
    assert begin(text).split("\n")[:-1] == ["it left", "they were ended", "1"]


# What a change shows


def test_a_change_of_release_shows_its_steps_before_what_servers_get() -> None:
    old, new = (designed(f'storage: {{ceph: "{name}"}}\n') for name in ("18", "20"))
    steps = [step.id for step in plan_change(old, new)]
    moves = ids(new)
    assert steps[: len(moves)] == moves
    assert "server:storage-k" in steps[len(moves) :]
    assert [step.id for step in plan_change(new, new)] == []


def test_drift_names_what_has_not_moved() -> None:
    def told(**counts: int) -> dict[str, int]:
        return {
            f"ceph version {name.replace('_', '.')[1:]} (0a) reef (stable)": n for name, n in counts.items()
        }

    half = {"mon": told(v20_2_4=3), "osd": told(v18_2_7=6, v20_2_4=2), "overall": told(v18_2_7=6, v20_2_4=5)}
    found = list(drift._versions(designed('storage: {ceph: "20"}\n'), half))
    assert [(one.subject, one.item, one.what) for one in found] == [
        ("cluster", "Ceph", "6 osd daemons run 18.2.7 instead of 20.2")
    ]
    done = {"mon": told(v20_2_5=3), "overall": told(v20_2_5=3)}
    assert list(drift._versions(designed('storage: {ceph: "20"}\n'), done)) == []


def test_one_metadata_server_is_active_before_any_moves() -> None:
    text = "storage: {file: {enabled: true, mds: {active: 2, standby: 1}}}\n"
    design = designed(text)
    before = design_before(design, "18")
    assert design.file_system is not None
    assert before.file_system is not None
    assert (before.ceph, before.file_system.active_mds, design.file_system.active_mds) == ("18", 1, 2)
    assert before.hosts == design.hosts
