"""The keys of a cluster on its way to a release that takes only a new kind of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rookery.design.model import Design
from rookery.drivers.ceph.session import build_cephx_key, key_bytes, key_type
from rookery.releases import KeyType
from rookery.systems.native import ceph_setup
from rookery.systems.native.identity import Identity, cephx_entities, ensure_identity
from rookery.systems.native.upgrade import keys as keys_module
from rookery.systems.native.upgrade.keys import Keys
from tests.kit.designs import design_of


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
