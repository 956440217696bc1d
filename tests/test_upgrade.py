"""An upgrade of Ceph: its steps, who is refused, and what servers start by on the way."""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path
from typing import Any

import pytest

from rookery.design.model import Design
from rookery.drivers.ceph.health import health_of
from rookery.drivers.ceph.session import build_cephx_key, key_bytes, key_type
from rookery.plan.change import plan_change
from rookery.plan.step import Observation, plan_rest
from rookery.plan.upgrade import plan_upgrade
from rookery.projections.native.server import server_programs
from rookery.releases import RELEASES, KeyType
from rookery.spec.load import pattern_names
from rookery.systems.native import ceph_setup, drift
from rookery.systems.native.identity import Identity, cephx_entities, ensure_identity
from rookery.systems.native.upgrade import keys as keys_module
from rookery.systems.native.upgrade.keys import Keys
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
def test_programs_that_use_ceph_are_its_daemons_shares_and_the_channel(name: str) -> None:
    design = design_of(name)
    for host in design.hosts:
        daemons = {daemon.name for daemon in host.daemons}
        used = {program.name for program in server_programs(design, host) if program.uses_ceph}
        assert {one for one in used - daemons if not one.startswith("share-")} <= {"streaming-channel"}
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


# Keys


def key(kind: KeyType, number: int) -> str:
    return build_cephx_key(bytes([number]) * key_bytes(kind), kind=kind, created=0)


def test_a_key_says_of_which_type_it_is() -> None:
    assert [key_type(key(kind, 7)) for kind in ("aes", "aes256k")] == ["aes", "aes256k"]
    assert key_type("AwAAAAAA") is None


class Monitors:
    """The monitors' keys, as measured with 20.2.4: an entity has a pending key until that is committed."""

    def __init__(self, entities: dict[str, str]) -> None:
        self.keys = dict(entities)
        self.pending: dict[str, str] = {}
        self.options: dict[str, str] = {}
        self.wiped = 0
        self.service_type = "aes"
        self.settings: dict[tuple[str, str], str] = {}
        self.told: list[tuple[str, str]] = []
        self.asked: list[tuple[str, str]] = []

    def mon(self, prefix: str, **given: Any) -> Any:
        return getattr(self, prefix.replace(" ", "_").replace("-", "_"))(**given)

    def auth_ls(self) -> Any:
        return {"auth_dump": [{"entity": name, "key": one} for name, one in self.keys.items()]}

    def auth_get_or_create_pending(self, entity: str) -> Any:
        self.pending.setdefault(entity, key("aes256k", len(self.pending)))
        return [{"entity": entity, "key": self.keys[entity], "pending_key": self.pending[entity]}]

    def auth_commit_pending(self, entity: str) -> None:
        self.keys[entity] = self.pending.pop(entity)

    def auth_wipe_rotating_service_keys(self) -> None:
        self.wiped += 1
        self.service_type = self.options["auth_service_cipher"]

    def auth_dump_keys(self) -> Any:
        def rotating(service: str, kind: str) -> Any:
            keys = [{"id": number, "expiring_key": {"key": {"type_str": kind}}} for number in (1, 2, 3)]
            return {"entity": {"type_str": service}, "secrets": {"keys": keys}}

        services = [rotating(name, self.service_type) for name in ("mon", "mds", "osd", "mgr")]
        return {"data": {"rotating_secrets": [*services, rotating("auth", "aes")]}}

    def config_set(self, who: str, name: str, value: str) -> None:
        self.settings[(who, name)] = value

    def config_rm(self, who: str, name: str) -> None:
        self.settings.pop((who, name), None)

    def mgr_module_ls(self) -> Any:
        return {"enabled_modules": []}

    def mon_set(self, name: str, value: str) -> None:
        if name == "auth_allowed_ciphers":
            assert all(one.startswith("Ag") for one in self.keys.values()), "somebody is shut out"
        self.options[name] = value

    def mon_dump(self) -> Any:
        allowed = self.options.get("auth_allowed_ciphers", "aes,aes256k").split(",")
        return {"auth_allowed_ciphers": [{"name": name} for name in allowed]}

    def mgr_dump(self) -> Any:
        return {"active_name": "storage-k"}

    def tell(self, daemon: str, prefix: str, *, stdin: str) -> None:
        assert prefix == "rotate-key"
        self.told.append((daemon, stdin))


class LabOfTest:
    """As much of a lab as its keys need."""

    def __init__(self, design: Design, folder: Path) -> None:
        self.design = design
        self.monitors: Monitors
        self.closed = 0
        self.paths = type("Paths", (), {"secrets": folder / "secrets.json"})()

    def ceph(self) -> Monitors:
        return self.monitors

    def close(self) -> None:
        self.closed += 1

    def pids(self) -> dict[str, int]:
        return {host.name: number for number, host in enumerate(self.design.hosts, start=1)}

    @property
    def identity(self) -> Identity:
        return ensure_identity(self.paths.secrets, self.design)


class MovesOfTest:
    def __init__(self) -> None:
        self.moved: list[str] = []

    def move(self, host: str, *programs: str) -> None:
        self.moved += programs


@pytest.fixture(name="lab")
def _lab(tmp_path: Path) -> LabOfTest:
    lab = LabOfTest(design_of("production-minimum"), tmp_path)
    names = cephx_entities(lab.design)
    old = {name: key("aes", number) for number, name in enumerate((*names, "client.bootstrap-osd"))}
    lab.monitors = Monitors(old)
    return lab


@pytest.fixture(name="moves")
def _moves() -> MovesOfTest:
    return MovesOfTest()


@pytest.fixture(name="keys")
def _keys(lab: LabOfTest, moves: MovesOfTest, monkeypatch: pytest.MonkeyPatch) -> Keys:
    # What lies on servers is seen in a whole lab (tests/lab/test_upgrade.py).
    monkeypatch.setattr(keys_module.Keys, "_lay", lambda _: None)
    monkeypatch.setattr(keys_module, "ask", lambda path, asked: lab.monitors.asked.append((path.name, asked)))
    return Keys(lab=lab, moves=moves)  # type: ignore[arg-type]


def quiet(_: str) -> None:
    """Hears nothing."""


def test_either_key_is_good_until_everybody_has_the_new_one(lab: LabOfTest, keys: Keys) -> None:
    before = dict(lab.monitors.keys)
    keys.rotate(quiet)
    assert lab.monitors.keys == before
    assert lab.monitors.pending.keys() == before.keys()
    kept = lab.identity
    assert all(kept[f"cephx.{name}"] == lab.monitors.pending[name] for name in cephx_entities(lab.design))
    # A client of the former release shows its ticket until it runs out: none is of the new kind yet.
    assert (lab.monitors.options, lab.monitors.wiped) == ({"auth_preferred_cipher": "aes256k"}, 0)
    assert lab.closed == 1
    assert list(keys.facts()) == []


def test_daemons_are_told_and_a_manager_that_stands_by_starts_again(
    lab: LabOfTest, moves: MovesOfTest, keys: Keys
) -> None:
    keys.rotate(quiet)
    told = {name for name, _ in lab.monitors.told}
    assert told == {
        "mgr.storage-k",
        *(f"osd.{number}" for number in range(8)),
        *("mds.storage-l", "mds.storage-m"),
    }
    assert all(given == lab.monitors.pending[name] for name, given in lab.monitors.told)
    assert moves.moved == ["mgr.storage-n"]
    # Each of them, and no more: who keeps wiped service keys refuses everybody.
    keys.narrow()
    assert moves.moved == ["mgr.storage-n"] * 2
    wiped = {name.removeprefix("ceph-").removesuffix(".asok") for name, _ in lab.monitors.asked}
    assert (wiped, {asked for _, asked in lab.monitors.asked}) == (told, {"wipe-rotating-secrets"})


def test_it_goes_on_where_it_was_killed(lab: LabOfTest, keys: Keys) -> None:
    keys.rotate(quiet)
    first = dict(lab.monitors.pending)
    # Whoever used its new key has ended its old one by that.
    for name in ("osd.0", "client.admin"):
        lab.monitors.auth_commit_pending(name)
    keys.rotate(quiet)
    assert {**lab.monitors.pending, **{n: lab.monitors.keys[n] for n in ("osd.0", "client.admin")}} == first


def test_old_ciphers_are_refused_once_no_old_key_is_left(lab: LabOfTest, keys: Keys) -> None:
    keys.rotate(quiet)
    keys.narrow()
    assert {name[:2] for name in lab.monitors.keys.values()} == {"Ag"}
    assert lab.monitors.options == {
        "auth_preferred_cipher": "aes256k",
        "auth_service_cipher": "aes256k",
        "auth_allowed_ciphers": "aes256k",
    }
    assert lab.monitors.wiped == 1
    assert list(keys.facts()) == ["tickets", "narrowed"]


def test_service_keys_are_renewed_once_though_it_is_killed(lab: LabOfTest, keys: Keys) -> None:
    keys.rotate(quiet)
    keys.narrow()
    keys.narrow()
    assert lab.monitors.wiped == 1


def test_tickets_last_for_seconds_only_until_it_is_settled(
    lab: LabOfTest, keys: Keys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ceph_setup, "wait_healthy", lambda *_, **__: None)
    keys.shorten_tickets()
    assert lab.monitors.settings == {("mon", "auth_service_ticket_ttl"): "20"}
    keys.settle(quiet)
    assert lab.monitors.settings == {}


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
