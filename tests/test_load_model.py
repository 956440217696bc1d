"""Load: what a user may ask for, what follows from it, and whether it fits."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from rookery.apps.table import PLACERS, SETTINGS
from rookery.cli.load import parse_duration, parse_space
from rookery.design.build import build_design
from rookery.design.model import Design
from rookery.design.stored import Pool
from rookery.errors import InputError, RookeryError
from rookery.load.fullness import OsdUse, parse_use, why_not
from rookery.load.guest.generator.meters import Meter
from rookery.load.model import Job, Wishes, build_job, parse_figures, render_job
from rookery.spec.parse import parse_spec
from rookery.systems.lab.paths import LabPaths
from rookery.systems.native.load import load_cable
from rookery.units import GB

BEGAN = "2026-01-02T03:04:05+00:00"
RUN = "00000000-0000-4000-8000-000000000001"


def no_pattern(name: str) -> tuple[str, str]:
    raise AssertionError(name)


def design(text: str) -> Design:
    spec = parse_spec(f"apiVersion: rookery/v1\n{text}", file="x", settings=SETTINGS, read_pattern=no_pattern)
    return build_design(spec, placers=PLACERS)


def job(text: str, **wishes: Any) -> Job:
    return build_job(design(text), Wishes(**wishes), run=RUN, began=BEGAN)


# ---- Wishes and the job ----


def test_all_that_the_design_has_is_on_by_default() -> None:
    made = job("apps: {cdn: {}, database: {}}")
    assert made.viewers is not None
    assert made.viewers.count == 200
    assert made.database is not None
    assert (made.database.rate, made.database.port, made.database.read_port) == (50.0, 5432, 5433)
    assert made.objects is not None
    assert (made.objects.rate, made.objects.budget) == (5.0, GB)
    assert made.record == "20260102T030405Z.json"


def test_what_the_design_lacks_is_off_with_its_reason() -> None:
    made = job("apps: {}")
    assert made.viewers is None
    assert made.database is None
    assert made.off == (
        ("viewers", "the design has no site (apps.cdn)"),
        ("transactions", "the design has no database (apps.database)"),
    )


@pytest.mark.parametrize(
    ("text", "wishes", "said"),
    [
        ("apps: {}", {"viewers": 1}, "--viewers: the design has no site (apps.cdn)"),
        ("apps: {}", {"transactions": 1}, "--transactions: the design has no database (apps.database)"),
        (
            "storage: {object: {enabled: false}}",
            {"churn": 1},
            "--churn: the design has no object storage (storage.object)",
        ),
        ("apps: {}", {"churn": 0}, "there is nothing to do: every kind of load is off"),
        ("apps: {}", {"churn": -1}, "--churn -1 is not between 0 and 5000"),
        ("apps: {}", {"space": 5}, "--space is not between 1 MB and 100 GB"),
        ("apps: {}", {"seconds": 0.5}, "--for is less than a second"),
    ],
)
def test_what_cannot_be_is_refused_with_the_reason(text: str, wishes: dict[str, Any], said: str) -> None:
    with pytest.raises(InputError) as error:
        job(text, **wishes)
    assert error.value.what == said


def test_a_kind_can_be_left_out() -> None:
    made = job("apps: {cdn: {}, database: {}}", transactions=0)
    assert made.database is None
    assert ("transactions", "not asked for") in made.off


def test_the_job_names_its_secrets_file_and_holds_none() -> None:
    made = job("apps: {cdn: {}, database: {}}", seconds=60)
    data = json.loads(render_job(made, cluster={"file": "/x"}))
    assert data["settings"] == {"viewers": 200, "transactions": 50, "churn": 5, "space": GB, "seconds": 60}
    assert data["secrets"] == "load-secrets.json"
    assert data["database"]["tls"] == {"sslmode": "verify-full", "sslrootcert": "/etc/rookery/ca.crt"}
    assert "password" not in json.dumps(data)


def test_the_generators_address_is_the_third_of_the_network() -> None:
    cable = load_cable(design("network: {public: 10.7.0.0/24}"), LabPaths(name="x"))
    assert cable.address == "10.7.0.3/24"
    assert cable.outside == LabPaths(name="x").cable(3, "public")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("90s", 90), ("10m", 600), ("1h30m", 5400), ("1 h 30 min", 5400), ("1.5m", 90), ("until stopped", None)],
)
def test_durations(text: str, seconds: float | None) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "10", "m", "10x", "1h x", "-5s"])
def test_no_durations(text: str) -> None:
    with pytest.raises(InputError, match="no duration"):
        parse_duration(text)


def test_sizes() -> None:
    assert parse_space("1GB") == GB
    assert parse_space("2MiB") == 2 << 20
    with pytest.raises(InputError, match="--space much: no size"):
        parse_space("much")


# ---- Room on the drives ----

POOL = Pool(
    name="objects", application="rgw", size=3, min_size=2, pg_num=8, device_class="ssd", share=1.0
)  # fmt: skip


def osds(used: float, *, count: int = 4) -> tuple[OsdUse, ...]:
    return tuple(
        OsdUse(name=f"osd.{n}", device_class="ssd", size=10 * GB, used=int(used * 10 * GB), weight=1.0)
        for n in range(count)
    )


def test_a_load_that_fits_may_begin() -> None:
    assert why_not(osds(0.1), nearfull=0.85, pool=POOL, budget=GB) == ""
    assert why_not(osds(0.84), nearfull=0.85, pool=None, budget=0) == ""


def test_a_load_that_would_reach_nearfull_may_not() -> None:
    said = why_not(osds(0.8), nearfull=0.85, pool=POOL, budget=GB)
    assert said == "1 GB of objects would bring an OSD to nearfull; there is room for 533 MB"
    # What it says there is room for, there is.
    assert why_not(osds(0.8), nearfull=0.85, pool=POOL, budget=533 * 10**6) == ""


def test_drives_that_are_nearly_full_take_no_load() -> None:
    said = why_not(osds(0.9), nearfull=0.85, pool=None, budget=0)
    assert said == "osd.0 is 90.0% full, and nearfull is 85.0%"
    assert why_not((), nearfull=0.85, pool=None, budget=0) == "no OSD takes data"


def test_osds_that_take_no_data_do_not_count() -> None:
    node = {"id": 0, "device_class": "ssd", "kb": 100, "kb_used": 50, "crush_weight": 0.5, "reweight": 1}
    use = parse_use({"nodes": [node, {**node, "reweight": 0}, {**node, "kb": 0}]})
    assert use == (OsdUse(name="osd.0", device_class="ssd", size=102400, used=51200, weight=0.5),)


# ---- Figures ----


def status() -> dict[str, Any]:
    return {
        "version": 1, "system": "x", "description": "", "began": BEGAN, "record": "r.json",
        "settings": {"viewers": 3},
        "off": {"live": "none"}, "ended": None, "why": None, "state": "running", "message": "",
        "seen": BEGAN, "seconds": 5.0, "kinds": {"reads": Meter().figures(5)},
        "space": {"used": 1, "budget": 2}, "fullness": {"fullest": 0.1, "osd": "osd.0", "nearfull": 0.85},
    }  # fmt: skip


def test_figures_are_read() -> None:
    figures = parse_figures(json.dumps(status()))
    assert figures.running
    assert figures.off == (("live", "none"),)
    assert (figures.kinds[0].name, figures.kinds[0].count) == ("reads", 0)
    assert (figures.space_used, figures.space_budget, figures.nearfull) == (1, 2, 0.85)
    assert not replace(figures, state="lost").running


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"version": 2}'])
def test_what_is_no_status_is_said_so(text: str) -> None:
    with pytest.raises(RookeryError, match="cannot be read"):
        parse_figures(text)
