"""Prices read anew become the user's own book, which `cost` goes by."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from rookery.cli.main import cli
from rookery.errors import InputError, NotPossibleError, RookeryError
from rookery.prices.book import ProviderPrices, Tier, parse_book, render_book
from rookery.run.prices import load_prices, own_book_path, refresh_prices
from tests.kit.hetzner_prices import hetzner, hetzner_type
from tests.kit.price_server import SECRET, TODAY, Provider, price_server
from tests.kit.prices import BOOK

NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)


@pytest.fixture(name="provider")
def _provider() -> Iterator[Provider]:
    with price_server() as provider:
        yield provider


@pytest.fixture
def own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr("rookery.cli.cost._now", lambda: NOW)
    return tmp_path / "config" / "rookery" / "prices.json"


def cheaper(known: ProviderPrices) -> ProviderPrices:
    """Return the prices with an IPv4 address for a tenth of a cent, read today."""
    region = known.regions[0]
    hourly = replace(region.address.hourly, amount=Decimal("0.001"), date=TODAY)
    changed = replace(region, address=replace(region.address, hourly=hourly))
    return replace(known, regions=(changed, *known.regions[1:]))


def test_what_was_read_is_kept_and_used(own: Path) -> None:
    assert own_book_path() == own
    assert load_prices().own == ()
    done = refresh_prices("aws", cheaper, today=TODAY)
    assert done.path == own
    assert load_prices().own == ("aws",)
    assert load_prices().book.of("aws").region().address.hourly.amount == Decimal("0.001")
    assert "eu-central-1 nlb" in done.kept
    assert "eu-central-1 public IPv4" not in done.kept


def test_each_provider_is_kept_by_itself(own: Path) -> None:
    refresh_prices("aws", cheaper, today=TODAY)
    refresh_prices("hetzner", cheaper, today=TODAY)
    known = load_prices()
    assert known.own == ("hetzner", "aws")
    assert known.book.of("gcp") == BOOK.of("gcp")
    kept = parse_book(own.read_bytes(), file=str(own))
    assert [prices.provider for prices in kept.providers] == ["hetzner", "aws"]


def test_nothing_is_lost_when_reading_fails(own: Path) -> None:
    refresh_prices("aws", cheaper, today=TODAY)
    before = own.read_bytes()

    def fails(_: ProviderPrices) -> ProviderPrices:
        raise RookeryError("AWS answered 503")

    def gross(known: ProviderPrices) -> ProviderPrices:
        region = known.regions[0]
        hourly = replace(region.address.hourly, net=False)
        return replace(known, regions=(replace(region, address=replace(region.address, hourly=hourly)),))

    with pytest.raises(RookeryError, match="AWS answered 503"):
        refresh_prices("aws", fails, today=TODAY)
    with pytest.raises(InputError, match="what aws answered mixes prices that cannot be added"):
        refresh_prices("aws", gross, today=TODAY)
    assert own.read_bytes() == before
    assert sorted(path.name for path in own.parent.iterdir()) == ["prices.json", "prices.lock"]


def test_a_broken_own_book_is_named_and_not_overwritten(own: Path) -> None:
    own.parent.mkdir(parents=True)
    own.write_text("{}")
    with pytest.raises(InputError) as caught:
        load_prices()
    assert caught.value.what == f"{own} is not a price book of this version"
    with pytest.raises(InputError):
        refresh_prices("aws", cheaper, today=TODAY)
    assert own.read_text() == "{}"


def test_older_own_prices_give_way_to_a_newer_release(own: Path) -> None:
    old = replace(BOOK, providers=(BOOK.of("gcp"),))
    region = old.providers[0].regions[0]
    early = replace(
        region,
        egress=replace(region.egress, tiers=(Tier(up_to=None, price=region.egress.tiers[-1].price),)),
    )
    own.parent.mkdir(parents=True)
    own.write_text(render_book(old.with_prices(replace(old.providers[0], regions=(early,)))))
    known = load_prices()
    assert known.own == ()
    assert known.book == BOOK


def run(*words: str) -> Result:
    return CliRunner().invoke(cli, list(words), standalone_mode=False)


def test_refresh_and_then_cost(own: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HCLOUD_TOKEN", SECRET)
    provider.answer = hetzner([[hetzner_type("cx23"), hetzner_type("cpx22")]])
    result = run(
        "prices", "refresh", "--no-journal", "--provider", "hetzner", "--base-url", f"{provider.url}/v1"
    )
    assert result.exception is None
    assert result.stdout.splitlines() == [
        "Hetzner, hel1: 2 machine types read",
        "10 known prices changed:",
        "  hel1 cx23: 0.0088 -> 0.04 EUR",
        "  hel1 cx23, cap: 5.49 -> 24.99 EUR",
        "  hel1 cpx22: 0.0312 -> 0.04 EUR",
        "  hel1 cpx22, cap: 19.49 -> 24.99 EUR",
        "  hel1 volume: 0.0572 -> 0.06 EUR",
        "  hel1 lb11: 0.012 -> 0.013 EUR",
        "  hel1 lb11, cap: 7.49 -> 7.99 EUR",
        "  hel1 primary IPv4: 0.0008 -> 0.0009 EUR",
        "  hel1 primary IPv4, cap: 0.5 -> 0.55 EUR",
        "  hel1 egress: 1 -> 1.5 EUR",
        f"kept in {own}",
    ]
    assert SECRET not in result.output + own.read_text()
    data = json.loads(run("cost", "--output", "json").stdout)
    bill = data["bills"][0]
    assert bill["machines"][0]["machine"] == "cpx22"
    assert not [note for note in bill["notes"] if note.startswith("older than")]
    assert Decimal(bill["amounts"]["month"]) == 7 * Decimal("25.54") + Decimal("7.99") + 160 * Decimal("0.06")


def test_the_file_may_be_another(own: Path, provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HCLOUD_TOKEN", SECRET)
    provider.answer = hetzner([[hetzner_type("cx23")]])
    other = own.parent.parent / "other.json"
    words = ("prices", "refresh", "--no-journal", "--provider", "hetzner", "--base-url", f"{provider.url}/v1")
    assert run(*words, "--output-file", str(other)).exception is None
    assert parse_book(other.read_bytes(), file="other").of("hetzner").newest == TODAY
    assert not own.exists()
    error = run(*words, "--output-file", "/proc/none/prices.json").exception
    assert isinstance(error, NotPossibleError)
    assert error.what.startswith("/proc/none/prices.json cannot be written")


@pytest.mark.usefixtures("own")
@pytest.mark.parametrize(("provider_name", "variable"), [("hetzner", "HCLOUD_TOKEN"), ("gcp", "GCP_API_KEY")])
def test_a_missing_key_is_named(provider_name: str, variable: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(variable, raising=False)
    error = run("prices", "refresh", "--no-journal", "--provider", provider_name).exception
    assert isinstance(error, NotPossibleError)
    assert error.what == f"{variable} is not set"
    monkeypatch.setenv(variable, "pass\nword")
    error = run("prices", "refresh", "--no-journal", "--provider", provider_name).exception
    assert isinstance(error, NotPossibleError)
    assert error.what == f"{variable} holds characters that no key has"
