"""Which Ceph a lab runs: the spec's key, what a running lab keeps, the image of each release, its keys."""

from __future__ import annotations

import base64
import json
import re
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any, get_args

import pytest

from rookery.apps.table import OBSTACLES, PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.change import changes
from rookery.design.checks import check_design
from rookery.design.kept import Kept, keep, kept_data, parse_kept
from rookery.design.model import DaemonKind, Design
from rookery.drivers.ceph.health import versions_of
from rookery.drivers.ceph.session import build_cephx_key, key_bytes, render_keyring
from rookery.drivers.containers.debian import RootError, find_mirror, root_argv
from rookery.errors import NotPossibleError
from rookery.projections.native.ceph_conf import render_ceph_conf
from rookery.projections.native.server import render_server, server_programs
from rookery.releases import DEFAULT_RELEASE, RELEASES, KeyType, Release, ReleaseName
from rookery.spec.load import read_pattern
from rookery.spec.parse import parse_spec, spec_model
from rookery.spec.strict import UnreadableError
from rookery.systems.native import root
from rookery.systems.native.identity import ensure_identity
from rookery.versions import CEPH_SEEN, DISTRIBUTIONS
from tests.kit.servers_image import entering

NOTHING = Kept()
BOTH = tuple(RELEASES)
NO_IMAGE = "there is no image of Ceph {}: `rookery up` of a lab that runs it builds it, as root"


def designed(ceph: str = "", *, kept: Kept = NOTHING, **data: Any) -> Design:
    storage = data.pop("storage", {}) | ({"ceph": ceph} if ceph else {})
    spec = spec_model(SETTINGS).model_validate({"apiVersion": "rookery/v1", **data, "storage": storage})
    return build_design(spec, placers=PLACERS, kept=kept)


def test_rows_have_the_names_that_the_spec_takes() -> None:
    assert set(RELEASES) == set(get_args(ReleaseName)) == set(CEPH_SEEN)
    for name, row in RELEASES.items():
        assert row.name == name
        assert row.line == f"{name}.2"
        assert re.fullmatch(r"20\d{6}T\d{6}Z", CEPH_SEEN[name])


def test_a_spec_says_the_release_and_a_number_is_none() -> None:
    def parse(text: str) -> str | None:
        spec = parse_spec(
            f"apiVersion: rookery/v1\nstorage:\n  ceph: {text}\n",
            file="demo.yaml",
            settings=SETTINGS,
            read_pattern=lambda name: read_pattern(name, relative_to=Path()),
        )
        return spec.storage.ceph

    assert parse('"18"') == "18"
    assert parse('"20"') == "20"
    for wrong in ("20", '"19"', '"20.2"'):
        with pytest.raises(UnreadableError) as caught:
            parse(wrong)
        value = wrong.replace('"', "'")
        assert [str(problem) for problem in caught.value.problems] == [
            f"demo.yaml:3: storage.ceph: is {value}; it must be '20' or '18'"
        ]


def test_a_new_lab_runs_the_default_and_a_running_one_what_it_has() -> None:
    assert designed().ceph == DEFAULT_RELEASE
    for name in BOTH:
        assert designed(name).ceph == name
        assert designed(kept=keep(designed(name))).ceph == name


def test_a_lab_of_which_no_release_was_noted_runs_18() -> None:
    """Labs that were brought up before there was a choice have the hosts alone in their record."""
    noted: dict[str, Any] = json.loads(json.dumps(kept_data(keep(designed("20")))))
    assert parse_kept(noted).ceph == "20"
    old = parse_kept(noted["hosts"])
    assert old == Kept(kinds=old.kinds, numbers=old.numbers, ceph="18")
    assert old.numbers
    assert designed(kept=old).ceph == "18"


def test_a_running_lab_takes_the_next_release_and_none_before_its_own() -> None:
    forward = changes(designed("18"), designed("20", kept=keep(designed("18"))), OBSTACLES)
    back = changes(designed("20"), designed("18"), OBSTACLES)
    assert [(str(change), change.obstacle) for change in forward] == [("ceph: 18 becomes 20", "")]
    assert [(str(change), change.obstacle) for change in back] == [
        (
            "ceph: 20 becomes 18",
            "monitors and OSDs of an older release do not read what a newer one has written",
        )
    ]


@pytest.mark.parametrize("distribution", DISTRIBUTIONS)
def test_on_kubernetes_it_is_what_the_distribution_packages(distribution: str) -> None:
    row = DISTRIBUTIONS[distribution]
    found = designed(provider="hetzner", storage={"distribution": distribution})
    assert found.ceph == row.ceph
    assert row.ceph_image.partition(":v")[2].startswith(f"{row.ceph}.")
    assert found.ceph_title == f"Ceph {row.ceph_image.partition(':v')[2]}"
    assert "RK811" not in {finding.code for finding in check_design(found)}


def test_on_kubernetes_other_releases_are_refused_with_the_reason() -> None:
    def said(ceph: str, distribution: str) -> list[str]:
        found = designed(ceph, provider="hetzner", storage={"distribution": distribution})
        return [str(finding) for finding in check_design(found) if finding.code == "RK811"]

    assert said("20", "rook") == []
    (rook,) = said("18", "rook")
    assert rook == (
        "RK811 error: storage.ceph: Rook v1.20.6 comes with Ceph 20.2.4, and this is 18. It takes nothing"
        " below 19.2. Leave it out."
    )
    (ksd,) = said("20", "ksd")
    assert ksd == (
        "RK811 error: storage.ceph: Koor Storage Distribution v1.12.0 comes with Ceph 17.2.6, and this is 20."
        " Leave it out."
    )


def test_each_release_has_an_image_of_its_own_and_everything_names_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    names = {name: root.image_digest(name) for name in BOTH}
    assert len(set(names.values())) == len(BOTH)
    assert root.image_root("20").name == names["20"]
    for field, value in (("suite", "sid"), ("beside", "bookworm"), ("line", "20.3")):
        changed = {**RELEASES, "20": _with(field, value)}
        monkeypatch.setattr(root, "RELEASES", changed)
        assert root.image_digest("20") != names["20"], field
        assert root.image_digest("18") == names["18"], field


def _with(field: str, value: str) -> Release:
    changed: dict[str, Any] = {field: value}
    return replace(RELEASES["20"], **changed)


def test_the_image_of_20_is_forky_with_postgresql_and_qemu_of_trixie(tmp_path: Path) -> None:
    wanted = root.wanted_root(RELEASES["20"])
    assert "postgresql-17" in wanted.packages
    assert wanted.preferences == (
        "Package: *\nPin: release n=trixie\nPin-Priority: 100\n\n"
        "Package: src:qemu\nPin: release n=trixie\nPin-Priority: 990\n\n"
        "Package: src:ceph\nPin: version 20.2.*\nPin-Priority: 990\n\n"
        "Package: src:ceph\nPin: version *\nPin-Priority: -1\n"
    )
    mirror = "http://snapshot.debian.org/archive/debian/20261030T080801Z"
    argv = root_argv(wanted, tmp_path / "root", mirror=mirror, preferences=tmp_path / "preferences")
    assert argv[0] == "mmdebstrap"
    assert argv[-5:] == (
        f"--setup-hook=upload {tmp_path}/preferences /etc/apt/preferences.d/rookery",
        "forky",
        str(tmp_path / "root"),
        mirror,
        f"deb {mirror} trixie main",
    )


def test_the_image_of_18_is_trixie_alone(tmp_path: Path) -> None:
    wanted = root.wanted_root(RELEASES["18"])
    argv = root_argv(wanted, tmp_path / "root", mirror="http://mirror", preferences=tmp_path / "preferences")
    assert argv[-3:] == ("trixie", str(tmp_path / "root"), "http://mirror")
    assert "release n=" not in wanted.preferences


def test_a_variable_names_another_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOKERY_DEBIAN", "http://snapshot.debian.org/archive/debian/20261030T080801Z/")
    assert find_mirror() == "http://snapshot.debian.org/archive/debian/20261030T080801Z"


@pytest.mark.parametrize(
    "line",
    [
        "E: Package 'ceph-mon' has no installation candidate",
        "E: Unable to locate package ceph-mon",
    ],
)
def test_a_suite_that_has_moved_on_is_said_with_the_day_on_which_it_had_the_release(
    line: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RootError(
            "it could not be built", hint="", details=(), output=f"Reading lists...\n{line}\nE: no"
        )

    monkeypatch.setattr(root, "make_root", fail)
    monkeypatch.setattr(root, "image_folder", lambda: tmp_path)
    monkeypatch.setenv("ROOKERY_DEBIAN", "http://mirror/debian")
    with pytest.raises(NotPossibleError) as caught:
        root.ensure_image("20", lambda _: None)
    assert caught.value.what == "http://mirror/debian has no Ceph 20.2 in Debian forky any more"
    assert caught.value.hint == (
        "It had on 2026-10-30, and snapshot.debian.org keeps that day: run again with"
        " ROOKERY_DEBIAN=http://snapshot.debian.org/archive/debian/20261030T080801Z."
    )
    assert not list(tmp_path.glob("*[!.lock]"))


def test_another_failure_of_the_build_stays_what_it_is(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RootError(
            "it could not be built", hint="", details=(), output="E: Unable to fetch some archives"
        )

    monkeypatch.setattr(root, "make_root", fail)
    monkeypatch.setattr(root, "image_folder", lambda: tmp_path)
    with pytest.raises(NotPossibleError, match="it could not be built"):
        root.ensure_image("20", lambda _: None)


@pytest.mark.parametrize(("kind", "number", "length"), [("aes", 1, 40), ("aes256k", 2, 60)])
def test_a_key_says_its_type_when_it_was_made_and_its_secret(kind: KeyType, number: int, length: int) -> None:
    secret = bytes(range(key_bytes(kind)))
    key = build_cephx_key(secret, kind=kind, created=1_700_000_000)
    assert len(key) == length
    raw = base64.b64decode(key)
    assert raw[:2] == number.to_bytes(2, "little")
    assert raw[2:10] == (1_700_000_000).to_bytes(4, "little") + bytes(4)
    assert raw[10:12] == len(secret).to_bytes(2, "little")
    assert raw[12:] == secret
    with pytest.raises(ValueError, match=f"a key of type {kind} has {len(secret)} bytes, not 5"):
        build_cephx_key(b"short", kind=kind, created=0)


@pytest.mark.parametrize("release", BOTH)
def test_a_lab_has_keys_that_its_monitors_take(release: str, tmp_path: Path) -> None:
    identity = ensure_identity(tmp_path / "secrets.json", designed(release))
    keys = [value for name, value in identity.table.items() if name.startswith("cephx.")]
    begin = {"18": "AQ", "20": "Ag"}[release]
    assert keys
    assert all(key.startswith(begin) for key in keys)
    assert ensure_identity(tmp_path / "secrets.json", designed(release)) == identity


@pytest.mark.parametrize("release", BOTH)
def test_ceph_reads_our_keys_and_makes_such_itself(release: str, tmp_path: Path) -> None:
    inside = entering(tmp_path, release)
    if not inside:
        pytest.skip(NO_IMAGE.format(release))
    kind = RELEASES[release].key_type
    key = build_cephx_key(bytes(range(key_bytes(kind))), kind=kind, created=int(time.time()))
    (tmp_path / "keyring").write_text(render_keyring([("client.ours", key, (("mon", "allow r"),))]))

    def authtool(*words: str) -> str:
        argv = (*inside, "ceph-authtool", "/srv/keyring", *words)
        return subprocess.run(argv, capture_output=True, text=True, check=True, encoding="utf-8").stdout

    assert authtool("--print-key", "--name", "client.ours").strip() == key
    authtool("--gen-key", "--name", "client.theirs")
    theirs = authtool("--print-key", "--name", "client.theirs").strip()
    assert len(theirs) == len(key)
    assert base64.b64decode(theirs)[:2] == base64.b64decode(key)[:2]


@pytest.mark.parametrize("release", BOTH)
def test_an_image_has_the_line_that_its_name_says(release: str) -> None:
    if not root.image_root(release).is_dir():
        pytest.skip(NO_IMAGE.format(release))
    assert root.built_version(release).startswith(f"{RELEASES[release].line}.")
    servers = sorted((root.image_root(release) / "usr/lib/postgresql").iterdir())
    assert [path.name for path in servers] == ["17"]


def test_no_image_has_no_version(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(root, "image_folder", lambda: tmp_path)
    assert root.built_version("20") == ""


@pytest.mark.parametrize("release", BOTH)
def test_files_of_a_server_follow_from_the_release(release: str) -> None:
    found = designed(release)
    row = RELEASES[release]
    host = found.with_daemon(DaemonKind.MGR)[0][0]
    files = {file.path: file.content.decode() for file in render_server(found, host, fsid="f")}
    assert files["etc/rookery/ceph-release"] == f"{row.code_name}\n"
    assert "dashboard-tls" in {program.name for program in server_programs(found, host)}
    disabled = re.search(r"mgr_disabled_modules = (.*)", render_ceph_conf(found, fsid="f"))
    assert disabled is not None
    assert disabled[1].split() == sorted(disabled[1].split())
    assert ("restful" in disabled[1].split()) is (release == "18")


def test_versions_that_run_are_told_oldest_first() -> None:
    said = {
        "mon": {"ceph version 20.2.4 (abc) tentacle (stable)": 3},
        "overall": {
            "ceph version 20.2.4 (abc) tentacle (stable)": 3,
            "ceph version 18.2.7 (abc) reef (stable)": 20,
        },
    }
    assert versions_of(said) == ("18.2.7", "20.2.4")


def test_users_of_the_next_image_have_the_numbers_of_the_first(tmp_path: Path) -> None:
    wanted = root.wanted_root(RELEASES["20"])
    argv = root_argv(wanted, tmp_path / "root", mirror="http://mirror", preferences=tmp_path / "preferences")
    hooks = [word.removeprefix("--essential-hook=") for word in argv if word.startswith("--essential-hook=")]
    folder = tmp_path / "made"
    (folder / "etc").mkdir(parents=True)
    for hook in hooks:
        subprocess.run(("sh", "-euc", hook, "sh", str(folder)), check=True, timeout=10)
    lines = (folder / "etc/passwd").read_text().splitlines()
    assert [tuple(line.split(":")[:6]) for line in lines] == [
        ("etcd", "x", "101", "104", "", "/var/lib/etcd"),
        ("haproxy", "x", "102", "105", "", "/var/lib/haproxy"),
        ("postgres", "x", "103", "106", "", "/var/lib/postgresql"),
    ]
    assert "postgres:x:106:" in (folder / "etc/group").read_text()
    assert root.wanted_root(RELEASES["18"]).users == ()
