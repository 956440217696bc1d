"""Sizes that belong together: a log and its volume, volumes and what the cluster may store."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rookery.apps.database.patroni import build_config
from rookery.apps.database.sizes import log_settings
from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.checks import check_design
from rookery.design.model import Design
from rookery.spec.load import read_pattern
from rookery.spec.parse import parse_spec
from rookery.units import GB


def design_with(text: str, pattern: str = "production-minimum") -> Design:
    spec = parse_spec(
        f"apiVersion: rookery/v1\nname: case\npattern: {pattern}\n{text}",
        file="x",
        settings=SETTINGS,
        read_pattern=lambda name: read_pattern(name, relative_to=Path()),
    )
    return build_design(spec, placers=PLACERS)


def said(design: Design) -> list[str]:
    return [str(found) for found in check_design(design) if found.code in ("RK402", "RK403")]


@pytest.mark.parametrize(
    ("volume", "settings"),
    [
        (GB, {"max_wal_size": "238MB", "max_slot_wal_keep_size": "238MB"}),
        (3 * GB, {"max_wal_size": "715MB", "max_slot_wal_keep_size": "715MB"}),
        (10 * GB, {"max_wal_size": "1024MB", "max_slot_wal_keep_size": "2384MB"}),
        (4000 * GB, {"max_wal_size": "1024MB", "max_slot_wal_keep_size": "953674MB"}),
    ],
)
def test_a_log_takes_a_quarter_of_its_volume_at_most(volume: int, settings: dict[str, str]) -> None:
    assert log_settings(volume) == settings


def test_the_lab_s_instances_have_the_limits_in_their_own_file_so_that_they_grow_with_the_volume() -> None:
    design = design_with("apps: {database: {volume: 1GB}}\nbackup: null")
    app = next(app for app in design.apps if app.name == "database")
    config: Any = build_config(design, app, design.host("worker-a"))
    assert config["postgresql"]["parameters"] == {
        "unix_socket_directories": "/run/postgresql",
        "max_wal_size": "238MB",
        "max_slot_wal_keep_size": "238MB",
        "wal_retrieve_retry_interval": "500ms",
        # Without backups its log is archived to nowhere: whether it is changes with a restart only.
        "archive_mode": "on",
        "archive_command": "/bin/true",
    }
    shared = config["bootstrap"]["dcs"]["postgresql"]["parameters"]
    assert (shared["wal_keep_size"], "max_wal_size" in shared) == ("128MB", False)


def test_volumes_that_fit_are_not_spoken_of() -> None:
    assert said(design_with("")) == []
    assert said(design_with("apps: {database: {volume: 4GB}}")) == []


def test_a_small_volume_is_a_warning() -> None:
    small = (
        "RK403 warning: apps.database.volume: Of a volume of 1 GB some 0.4 GB are left for data: the file"
        " system and the first files take a third of a gigabyte, the write-ahead log up to a quarter."
        " Where it is full, the database stops. Give it 4 GB or more; it can grow while in use."
    )
    assert said(design_with("apps: {database: {volume: 1GB}}")) == [small]


def test_volumes_beyond_what_may_be_stored_are_a_warning_and_one_alone_an_error() -> None:
    together = (
        "RK402 warning: apps.database.volume: Volumes and claims add up to 60.0 GB, and the cluster may"
        " hold 45.3 GB of them (under nearfull, 85 %), if nothing else is stored. Space is taken when it is"
        " written, so this works until then; after that every write of everybody stops. Ask for less, or"
        " add drives or storage nodes."
    )
    assert said(design_with("apps: {database: {volume: 30GB}}")) == [together]
    alone = (
        "RK402 error: apps.database.volume: The volume of database on worker-a is 4 TB, and pool block may"
        " hold 45.3 GB at most, if nothing else is stored (under nearfull, 85 %). Ask for less, or add"
        " drives or storage nodes."
    )
    assert said(design_with("apps: {database: {volume: 4TB}}")) == [alone]


def test_on_kubernetes_monitoring_and_a_user_s_films_count_too() -> None:
    def sums(text: str) -> list[str]:
        found = said(design_with(f"provider: hetzner\n{text}"))
        return [line.partition(", and the cluster")[0] for line in found]

    databases = "apps: {database: {volume: 17GB}}\n"
    assert sums(f"{databases}kubernetes: {{monitoring: false}}\n") == []
    assert sums(databases) == ["RK402 warning: apps.database.volume: Volumes and claims add up to 46.9 GB"]
    # Films, their renditions while they are made, the channel's window, two databases of 10 GB, monitoring.
    assert sums("apps: {streaming: {media: films}}\n") == [
        "RK402 warning: apps.streaming.media: Volumes and claims add up to 140.3 GB"
    ]
