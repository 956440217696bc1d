"""Hetzner's prices, read from a server on this machine that answers as its API does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal

import pytest

from rookery.clouds.hetzner.prices import fetch_hetzner_prices
from rookery.errors import NotPossibleError, RookeryError
from rookery.prices.book import Price, ProviderPrices, Unit
from tests.kit.hetzner_prices import hetzner, hetzner_type
from tests.kit.price_server import SECRET, TODAY, Asked, Provider, Says, price_server
from tests.kit.prices import BOOK


@pytest.fixture(name="provider")
def _provider() -> Iterator[Provider]:
    with price_server() as provider:
        yield provider


def ask_hetzner(provider: Provider, *, token: str = SECRET, timeout: float = 5) -> ProviderPrices:
    return fetch_hetzner_prices(
        BOOK.of("hetzner"), token=token, today=TODAY, base_url=f"{provider.url}/v1", timeout=timeout
    )


def test_hetzners_prices_and_stock(provider: Provider) -> None:
    provider.answer = hetzner(
        [
            [hetzner_type("cx23", available=False), hetzner_type("cpx22")],
            [hetzner_type("cx24", available=None), hetzner_type("cax11", location="fsn1")],
        ]
    )
    (region,) = ask_hetzner(provider).regions
    assert [(machine.name, machine.available) for machine in region.machines] == [
        ("cx23", False),
        ("cpx22", True),
        ("cx24", None),
        ("cax11", False),
    ]
    machine = region.machines[0]
    assert machine.hourly == Price(
        amount=Decimal("0.0400"),
        currency="EUR",
        net=True,
        unit=Unit.HOUR,
        date=TODAY,
        source="Hetzner Cloud API, GET /v1/pricing, hel1",
    )
    assert machine.cap is not None
    assert (machine.cap.amount, machine.cpus, machine.disk_gb) == (Decimal("24.99"), 2, 40)
    assert (region.load_balancer.hourly.amount, region.address.hourly.amount) == (
        Decimal("0.013"),
        Decimal("0.0009"),
    )
    assert region.drives[0].price.amount == Decimal("0.06")
    assert (region.egress.free, region.egress.tiers[0].price.amount) == (Decimal(20), Decimal("1.5"))
    assert {price.date for _, price in region.prices} == {TODAY}
    assert [asked.query.get("page") for asked in provider.asked] == [None, "1", "2"]


def without(answer: Callable[[Asked], Says], *path: str | int) -> Callable[[Asked], Says]:
    """Return the answers with one part of /pricing taken away."""

    def changed(asked: Asked) -> Says:
        says = answer(asked)
        if asked.path != "/v1/pricing":
            return says
        body = json.loads(json.dumps(says.body))
        part = body
        for key in path[:-1]:
            part = part[key]
        del part[path[-1]]
        return replace(says, body=body)

    return changed


@pytest.mark.parametrize(
    ("path", "said"),
    [
        (
            ("pricing", "volume"),
            (
                "the answer of Hetzner at /pricing is not what this version understands\n"
                "    pricing.volume: Field required\n"
            ),
        ),
        (("pricing", "load_balancer_types", 0), "Hetzner names no price for lb11 in hel1\n"),
        (("pricing", "primary_ips", 0), "Hetzner names no price for primary IPv4 addresses in hel1\n"),
        (("pricing", "server_types", 0), "Hetzner names no price for servers in hel1\n"),
    ],
)
def test_a_changed_answer_is_said(provider: Provider, path: tuple[str | int, ...], said: str) -> None:
    provider.answer = without(hetzner([[hetzner_type("cpx22")]]), *path)
    with pytest.raises(RookeryError) as caught:
        ask_hetzner(provider)
    assert str(caught.value).startswith(said)
    assert "The known prices stay." in str(caught.value)


@pytest.mark.parametrize(
    ("says", "kind", "said"),
    [
        (Says(status=401), NotPossibleError, "Hetzner refuses HCLOUD_TOKEN (401)"),
        (Says(status=403), NotPossibleError, "Hetzner refuses HCLOUD_TOKEN (403)"),
        (
            Says(status=429, headers=(("Retry-After", "17"),)),
            RookeryError,
            "Hetzner had too many requests from HCLOUD_TOKEN (429)\n  Try again in 17 s",
        ),
        (Says(status=503), RookeryError, "Hetzner answered 503 at /pricing"),
        (Says(body=b"<html>"), RookeryError, "the answer of Hetzner at /pricing is not what this version"),
        (Says(late=1.0, body={}), RookeryError, "Hetzner did not answer /pricing in time"),
    ],
)
def test_each_failure_has_its_error(
    provider: Provider, says: Says, kind: type[RookeryError], said: str
) -> None:
    provider.answer = lambda _: says
    with pytest.raises(RookeryError) as caught:
        ask_hetzner(provider, timeout=0.2 if says.late else 5)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(said)
    assert SECRET not in str(caught.value)


def test_no_server_at_all(provider: Provider) -> None:
    gone = replace(provider, url="http://127.0.0.1:1")
    with pytest.raises(RookeryError, match="Hetzner cannot be reached: ConnectError"):
        ask_hetzner(gone)
