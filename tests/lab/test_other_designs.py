"""Designs that differ from the default wherever the lab has a choice, beside another lab."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from rookery.drivers.clients.http import Browser
from tests.kit.labs import Lab, bring_up, rookery

pytestmark = pytest.mark.on("coded")


@pytest.fixture(scope="module")
def compact(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Three servers that do everything."""
    yield from bring_up(tmp_path_factory.mktemp("compact"), "compact")


def ceph(lab: Lab, *words: str) -> str:
    return rookery("shell", "cp-1", "--system", lab.name, "--", "ceph", *words).out


def test_everything_passes_there_too(lab: Lab) -> None:
    checks = lab.arrival["verify"]["checks"]
    assert {check["name"]: check["seen"] for check in checks if check["outcome"] != "pass"} == {}
    assert "encryption" in {check["name"] for check in checks}


def test_the_users_own_site_is_served(lab: Lab) -> None:
    browser = Browser(lab.ca)
    assert b"our own page" in browser.get(lab.url).body
    assert browser.get(f"{lab.url}ein%20Brief.txt").body == b"names may have spaces"
    hidden = browser.get(f"{lab.url}.hidden")
    assert (hidden.status, hidden.body) == (404, b"There is no such page.\n")
    browser.close()


def test_drives_have_the_designs_classes(lab: Lab) -> None:
    tree = json.loads(ceph(lab, "osd", "tree", "--format", "json"))["nodes"]
    classes = [node["device_class"] for node in tree if node["type"] == "osd"]
    assert sorted(classes) == ["hdd"] * 4 + ["ssd"] * 4


def test_data_is_coded_and_replication_has_a_network_of_its_own(lab: Lab) -> None:
    assert "erasure profile k2-m2" in ceph(lab, "osd", "pool", "ls", "detail")
    assert '"back_addr": "v2:10.127.8.' in ceph(lab, "osd", "metadata", "0")


def test_files_land_in_the_coded_pool(lab: Lab) -> None:
    layout = ceph(lab, "fs", "ls", "--format", "json")
    assert "cephfs-data-ec" in layout


def test_two_labs_run_side_by_side_and_do_not_touch_each_other(lab: Lab, compact: Lab) -> None:
    checks = compact.arrival["verify"]["checks"]
    assert {check["name"]: check["seen"] for check in checks if check["outcome"] != "pass"} == {}
    for one in (lab, compact):
        assert rookery("status", one.name).code == 0
    several = rookery("status")
    assert several.code == 2
    assert "there are several" in several.err


def test_a_load_runs_on_while_the_lab_is_taken_down(lab: Lab) -> None:
    """Last: what takes the lab down after it (`bring_up`) sees that nothing is left, of the load either."""
    started = rookery("load", "start", "--system", lab.name, "--viewers", "4", "--space", "20MB")
    assert started.code == 0, started.err
