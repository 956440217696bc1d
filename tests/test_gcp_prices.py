"""GCP's prices, read from a server on this machine that answers as its catalogue does."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from rookery.clouds.gcp.prices import fetch_gcp_prices
from rookery.errors import NotPossibleError, RookeryError
from rookery.prices.book import Cpu, ProviderPrices
from tests.kit.price_server import SECRET, TODAY, Asked, Provider, Says, price_server
from tests.kit.prices import BOOK


@pytest.fixture(name="provider")
def _provider() -> Iterator[Provider]:
    with price_server() as provider:
        yield provider


def gcp_sku(
    description: str,
    amount: str,
    unit: str = "h",
    *,
    usage: str = "OnDemand",
    regions: tuple[str, ...] = ("europe-west3",),
) -> dict[str, Any]:
    nanos = int(Decimal(amount) * 10**9)
    price = {"currencyCode": "USD", "units": str(nanos // 10**9), "nanos": nanos % 10**9}
    expression = {"usageUnit": unit, "tieredRates": [{"startUsageAmount": 0, "unitPrice": price}]}
    return {
        "description": description,
        "category": {"usageType": usage, "resourceGroup": "any"},
        "serviceRegions": list(regions),
        "pricingInfo": [{"pricingExpression": expression}],
    }


GCP_SKUS = [
    gcp_sku("E2 Instance Core running in Frankfurt", "0.03"),
    gcp_sku("E2 Instance Ram running in Frankfurt", "0.004", "GiBy.h"),
    gcp_sku("Spot Preemptible E2 Instance Core running in Frankfurt", "0.001", usage="Preemptible"),
    gcp_sku("E2 Instance Core running in Frankfurt", "0.0001", usage="Preemptible"),
    gcp_sku("E2 Instance Core running in Iowa", "9", regions=("us-central1",)),
    gcp_sku("N2 Instance Core running in Frankfurt", "0.04"),
    gcp_sku("N2 Instance Ram running in Frankfurt", "0.005", "GiBy.h"),
    gcp_sku("Balanced PD Capacity in Frankfurt", "0.13", "GiBy.mo"),
    gcp_sku("SSD backed PD Capacity in Frankfurt", "0.21", "GiBy.mo"),
    gcp_sku("Storage PD Capacity in Frankfurt", "0.05", "GiBy.mo"),
    gcp_sku("External IP Charge on a Standard VM", "0.006", regions=("global",)),
    gcp_sku("Network Load Balancing: Forwarding Rule Minimum Service Charge in Frankfurt", "0.031"),
    gcp_sku("Network Load Balancing: Data Processing Charge in Frankfurt", "0.012", "GiBy"),
]


def gcp(skus: list[dict[str, Any]], *, per_page: int = 5) -> Callable[[Asked], Says]:
    def answer(asked: Asked) -> Says:
        if asked.headers.get("x-goog-api-key") != SECRET:
            error = {"code": 400, "message": f"API key not valid: {SECRET}", "status": "INVALID_ARGUMENT"}
            return Says(status=400, body={"error": error})
        assert asked.path == "/v1/services/6F81-5844-456A/skus"
        assert SECRET not in str(asked.query)
        begin = int(asked.query.get("pageToken", "0"))
        end = begin + per_page
        return Says(body={"skus": skus[begin:end], "nextPageToken": str(end) if end < len(skus) else ""})

    return answer


def ask_gcp(provider: Provider, api_key: str = SECRET) -> ProviderPrices:
    known = BOOK.of("gcp")
    return fetch_gcp_prices(
        replace(known, regions=known.regions[:1]), api_key=api_key, today=TODAY, base_url=f"{provider.url}/v1"
    )


def test_gcps_prices_are_made_of_their_parts(provider: Provider) -> None:
    provider.answer = gcp(GCP_SKUS)
    (region,) = ask_gcp(provider).regions
    prices = {machine.name: machine.hourly.amount for machine in region.machines}
    assert prices["e2-medium"] == Decimal("0.03") + 4 * Decimal("0.004")
    assert prices["e2-small"] == Decimal("0.015") + 2 * Decimal("0.004")
    assert prices["e2-standard-8"] == 8 * Decimal("0.03") + 32 * Decimal("0.004")
    assert prices["n2-standard-2"] == 2 * Decimal("0.04") + 8 * Decimal("0.005")
    assert {machine.name: machine.cpu for machine in region.machines}["e2-medium"] is Cpu.BURSTABLE
    assert [(drive.name, drive.price.amount) for drive in region.drives] == [
        ("pd-balanced", Decimal("0.13")),
        ("pd-ssd", Decimal("0.21")),
        ("pd-standard", Decimal("0.05")),
    ]
    assert region.address.hourly.amount == Decimal("0.006")
    assert region.load_balancer.hourly.amount == Decimal("0.031")
    assert region.load_balancer.traffic is not None
    assert region.load_balancer.traffic.amount == Decimal("0.012")
    assert region.egress == BOOK.of("gcp").region().egress
    assert [asked.query.get("pageToken") for asked in provider.asked] == [None, "5", "10"]


def test_the_shipped_prices_of_gcp_are_those_of_the_same_parts() -> None:
    """The collected prices of E2 machines agree with how the driver makes them."""
    region = BOOK.of("gcp").region()
    e2 = {machine.name: machine.hourly.amount for machine in region.machines}
    assert e2["e2-standard-2"] == 2 * e2["e2-medium"]
    assert e2["e2-medium"] == 2 * e2["e2-small"]
    assert e2["e2-standard-8"] == 4 * e2["e2-standard-2"]


def test_a_forwarding_rule_that_is_not_told_keeps_its_price_and_date(provider: Provider) -> None:
    provider.answer = gcp(GCP_SKUS[:-2])
    (region,) = ask_gcp(provider).regions
    assert region.load_balancer == BOOK.of("gcp").region().load_balancer


@pytest.mark.parametrize(
    ("gone", "said"),
    [
        ("E2 Instance Core", "Google Cloud names no price for E2 CPUs in europe-west3"),
        ("N2 Instance Ram", "Google Cloud names no price for N2 memory in europe-west3"),
        ("Balanced PD", "Google Cloud names no price for pd-balanced in europe-west3"),
        ("External IP", "Google Cloud names no price for external IPv4 addresses in europe-west3"),
    ],
)
def test_what_gcp_does_not_tell_is_said(provider: Provider, gone: str, said: str) -> None:
    provider.answer = gcp([sku for sku in GCP_SKUS if not sku["description"].startswith(gone)])
    with pytest.raises(RookeryError) as caught:
        ask_gcp(provider)
    assert caught.value.what == said


def test_a_wrong_key_of_gcp_is_refused(provider: Provider) -> None:
    provider.answer = gcp(GCP_SKUS)
    with pytest.raises(NotPossibleError) as caught:
        ask_gcp(provider, api_key="other")
    assert caught.value.what == "Google Cloud refuses GCP_API_KEY (400)"
    assert SECRET not in str(caught.value)
    provider.answer = lambda _: Says(status=400, body={"error": {"message": "bad page size"}})
    with pytest.raises(RookeryError, match="Google Cloud answered 400 at"):
        ask_gcp(provider)
