"""`cost` and `prices` as a user meets them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest
from click.testing import CliRunner, Result

from rookery.cli import cost as command
from rookery.cli.main import cli
from rookery.errors import ExitCode, InputError
from rookery.prices.bill import cents
from rookery.prices.book import CLOUDS

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(command, "_now", lambda: NOW)


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words), standalone_mode=False)


def shown(*words: str) -> str:
    result = run(*words)
    assert result.exception is None, result.exception
    return result.output


def test_cost_fits_eighty_columns() -> None:
    for words in (
        ("cost",),
        ("cost", "--compare", "--stale-ok"),
        ("prices",),
        ("prices", "show"),
        ("cost", "compact", "--traffic", "30TB", "--for", "1month"),
    ):
        assert max(len(line) for line in shown(*words).splitlines()) <= 80


def test_cost_shows_the_bill_the_rule_and_what_is_sold_out() -> None:
    text = " ".join(shown("cost", "production-minimum").split())
    assert "production-minimum on Hetzner, hel1 EUR, net of VAT" in text
    assert "servers 7 x cpx22 0.218 136.43 1.75" in text
    assert "all 0.249 156.57 1.99" in text
    assert "Hetzner bills started hours, at most the monthly cap" in text
    assert "cx23 would do for 2 CPU and 4 GiB but was sold out on 2026-07-24" in text
    assert "older than 90 days, the oldest 122: cpx22, lb11, volume 20 GB" in text
    assert "8 h from 2026-11-23 09:30 UTC" in text


def test_cost_of_an_experiment_and_of_a_lease() -> None:
    data = cost_json("cost", "--for", "90min", "--start", "2026-12-01T12:00", "--provider", "aws")
    bill = bill_of(data, "aws")
    assert (bill["seconds"], bill["start"]) == (5400, "2026-12-01T12:00:00+00:00")
    assert cents(Decimal(bill["amounts"]["total"])) == Decimal("0.63")


def test_cost_as_json_is_complete() -> None:
    data = cost_json("cost", "--compare", "--stale-ok", "--currency", "USD", "--machine", "t3.medium")
    assert [bill["provider"] for bill in data["bills"]] == list(CLOUDS)
    aws = bill_of(data, "aws")
    assert (aws["currency"], aws["net_of_vat"], aws["region"]) == ("USD", True, "eu-central-1")
    assert sum(Decimal(line["amounts"]["month"]) for line in aws["lines"]) == pytest.approx(
        Decimal(aws["amounts"]["month"])
    )
    assert aws["machines"][0]["machine"] == "t3.medium"
    assert len(aws["machines"][0]["hosts"]) == 7
    assert {price["unit"] for price in aws["prices"]} == {"hour", "GB-month"}
    assert all(price["source"] and price["date"] and price["age_days"] > 0 for price in aws["prices"])
    assert data["break_even"][0]["if_a_whole_month_were_charged_hours"] == 395
    assert data["unpriced"] == []


def cost_json(*words: str) -> dict[str, Any]:
    data: dict[str, Any] = json.loads(shown(*words, "--output", "json"))
    return data


def bill_of(data: dict[str, Any], provider: str) -> dict[str, Any]:
    found: dict[str, Any] = next(bill for bill in data["bills"] if bill["provider"] == provider)
    return found


def test_a_comparison_that_leaves_one_out_says_why() -> None:
    result = run("cost", "--compare")
    assert result.return_value == ExitCode.DONE
    assert "GCP: prices of GCP, europe-west3, are older than 365 days" in " ".join(result.output.split())
    assert run("cost", "--compare", "--stale-ok").return_value == ExitCode.DONE
    assert run("cost").return_value == ExitCode.DONE


def test_the_provider_follows_from_the_design_or_from_what_is_named(tmp_path: Path) -> None:
    spec = tmp_path / "demo.yaml"
    spec.write_text("apiVersion: rookery/v1\npattern: production-minimum\nprovider: aws\nname: ours\n")
    assert "ours on AWS, eu-central-1  USD" in shown("cost", str(spec))
    assert "on AWS, us-east-1" in shown("cost", "--region", "us-east-1")
    assert "on AWS, eu-central-1" in shown("cost", "--machine", "t3.medium")
    assert "on Hetzner, hel1" in shown("cost", "--machine", "cpx22", "--machine", "t3.medium")


def test_the_rate_is_a_parameter() -> None:
    data = cost_json("cost", "--currency", "USD", "--rate", "2", "--machine", "cpx22")
    bill = bill_of(data, "hetzner")
    assert bill["rate"] == {"usd_per_eur": "2", "date": "2026-11-23", "source": "--rate"}
    assert Decimal(bill["amounts"]["month"]) == 2 * Decimal("156.572")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--provider", "gcp"), "prices of GCP, europe-west3, are older than 365 days"),
        (("compact", "--provider", "aws"), "no x86 machine type in the price book of AWS"),
        (("--for", "soon"), "'soon' is no duration"),
        (("--start", "tomorrow"), "--start tomorrow is no date of a bill"),
        (("--start", "9999-12-31"), "--start 9999-12-31 is no date of a bill"),
        (("--machine", "m99"), "has no machine type m99"),
        (("--machine", "cpx22", "--provider", "aws"), "AWS has no machine type cpx22"),
        (("--region", "mars"), "has no region mars"),
        (("--rate", "NaN"), "--rate NaN is no exchange rate"),
        (("--rate", "0"), "--rate 0 is no exchange rate"),
        (("--traffic", "much"), "--traffic much is no size"),
        (("--traffic", "-5GB"), "--traffic -5GB is no size"),
        (("--chart", "cost.pdf"), "cost.pdf is neither .svg nor .png"),
        (("--chart", "/proc/none/cost.svg"), "/proc/none/cost.svg cannot be written"),
    ],
)
def test_wrong_input_is_named(words: tuple[str, ...], said: str) -> None:
    error = run("cost", *words).exception
    assert isinstance(error, InputError)
    assert error.what.startswith(said) or said in error.what
    assert error.exit_code == ExitCode.INPUT_WRONG


def test_the_chart_is_written(tmp_path: Path) -> None:
    path = tmp_path / "charts" / "cost.svg"
    result = run("cost", "--chart", str(path), "--output", "json")
    assert json.loads(result.stdout)["provider"] == "hetzner"
    assert result.stderr == f"{path} is written\n"
    assert ET.parse(path).getroot().tag.endswith("svg")


def test_a_png_has_two_pixels_for_each_of_the_drawing(tmp_path: Path) -> None:
    path = tmp_path / "cost.png"
    assert run("cost", "--chart", str(path)).exception is None
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG")
    assert int.from_bytes(content[16:20], "big") == 2 * 880


def test_prices_show_age_source_and_stock() -> None:
    text = shown("prices")
    assert "GCP       europe-west3  8      2026-07-30  1327 days  shipped" in text
    assert "Hetzner Cloud API, GET /v1/pricing, hel1" in text
    listed = shown("prices", "show", "hetzner")
    assert "cx23               0.0088  EUR a hour      2026-07-24  sold out" in listed
    book = json.loads(shown("prices", "show", "aws", "--output", "json"))
    assert [prices["provider"] for prices in book["providers"]] == ["aws"]
