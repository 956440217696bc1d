"""Designs that differ from the default wherever the lab has a choice, beside another lab."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from rookery.drivers.clients.http import Browser
from tests.kit.labs import Lab, bring_up, rookery

_CODED = """\
pattern: object-heavy
network:
  encryption: true
  cluster: 10.127.8.0/24
storage:
  block: {enabled: true, pool: {erasureCoding: {k: 2, m: 2}}}
  file: {enabled: true, pool: {erasureCoding: {k: 2, m: 1}}, mds: {active: 2, standby: 1}}
hosts:
  storage:
    drives:
      - {count: 1, size: 20GB, class: ssd}
      - {count: 1, size: 30GB, class: hdd}
apps:
  cdn: {site: ./site}
"""


@pytest.fixture(scope="module")
def coded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Erasure codes everywhere, encryption, a second network, two device classes, the user's own site."""
    folder = tmp_path_factory.mktemp("coded")
    (folder / "site").mkdir()
    (folder / "site" / "index.html").write_text("<html><title>ours</title>our own page</html>")
    (folder / "site" / "ein Brief.txt").write_text("names may have spaces")
    (folder / "site" / ".hidden").write_text("not for visitors")
    yield from bring_up(folder, "test-coded", _CODED)


@pytest.fixture(scope="module")
def compact(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Three servers that do everything."""
    yield from bring_up(tmp_path_factory.mktemp("compact"), "test-compact", "pattern: compact\n")


def ceph(lab: Lab, *words: str) -> str:
    return rookery("shell", "cp-1", "--system", lab.name, "--", "ceph", *words).out


def test_everything_passes_there_too(coded: Lab) -> None:
    checks = coded.arrival["verify"]["checks"]
    assert {check["name"]: check["seen"] for check in checks if check["outcome"] != "pass"} == {}
    assert "encryption" in {check["name"] for check in checks}


def test_the_users_own_site_is_served(coded: Lab) -> None:
    browser = Browser(coded.ca)
    assert b"our own page" in browser.get(coded.url).body
    assert browser.get(f"{coded.url}ein%20Brief.txt").body == b"names may have spaces"
    hidden = browser.get(f"{coded.url}.hidden")
    assert (hidden.status, hidden.body) == (404, b"There is no such page.\n")
    browser.close()


def test_drives_have_the_designs_classes(coded: Lab) -> None:
    tree = json.loads(ceph(coded, "osd", "tree", "--format", "json"))["nodes"]
    classes = [node["device_class"] for node in tree if node["type"] == "osd"]
    assert sorted(classes) == ["hdd"] * 4 + ["ssd"] * 4


def test_data_is_coded_and_replication_has_a_network_of_its_own(coded: Lab) -> None:
    assert "erasure profile k2-m2" in ceph(coded, "osd", "pool", "ls", "detail")
    assert '"back_addr": "v2:10.127.8.' in ceph(coded, "osd", "metadata", "0")


def test_files_land_in_the_coded_pool(coded: Lab) -> None:
    layout = ceph(coded, "fs", "ls", "--format", "json")
    assert "cephfs-data-ec" in layout


def test_two_labs_run_side_by_side_and_do_not_touch_each_other(coded: Lab, compact: Lab) -> None:
    checks = compact.arrival["verify"]["checks"]
    assert {check["name"]: check["seen"] for check in checks if check["outcome"] != "pass"} == {}
    for lab in (coded, compact):
        assert rookery("status", lab.name).code == 0
    several = rookery("status")
    assert several.code == 2
    assert "there are several" in several.err
