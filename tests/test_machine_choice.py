"""The machine types that a design's servers get."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest

from rookery.errors import InputError
from rookery.prices.machines import Choice, choose_machines
from tests.kit.prices import BOOK, design


def chosen(provider: str, body: str = "", only: tuple[str, ...] = ()) -> tuple[Choice, ...]:
    prices = next(prices for prices in BOOK.providers if prices.provider == provider)
    return choose_machines(prices.provider, prices.region(), design(body).servers, only=only)


@pytest.mark.parametrize(
    ("provider", "name"), [("hetzner", "cpx22"), ("aws", "t3a.medium"), ("gcp", "e2-medium")]
)
def test_the_drawings_servers_get_the_cheapest_that_fits(provider: str, name: str) -> None:
    (choice,) = chosen(provider)
    assert (choice.machine.name, len(choice.hosts)) == (name, 7)


def test_what_is_sold_out_is_said_with_its_saving() -> None:
    (choice,) = chosen("hetzner")
    assert [machine.name for machine in choice.sold_out] == ["cx23", "cx33", "cx43"]
    assert choice.saving == Decimal("19.49") - Decimal("5.49")
    (arm_is_not_taken,) = chosen("aws")
    assert arm_is_not_taken.sold_out == ()


def test_cpus_memory_and_disk_all_count() -> None:
    assert chosen("hetzner", "hosts: {workers: {cpus: 3}}")[1].machine.name == "cpx32"
    assert chosen("hetzner", "hosts: {workers: {memory: 5GiB}}")[1].machine.name == "cpx32"
    assert chosen("hetzner", "hosts: {workers: {disk: 100GB}}")[1].machine.name == "cpx32"
    assert chosen("aws", "hosts: {workers: {disk: 100GB}}")[1].machine.name == "t3a.medium"


def test_a_named_type_is_taken_even_when_it_is_sold_out() -> None:
    (choice,) = chosen("hetzner", only=("cx23",))
    assert (choice.machine.name, choice.sold_out) == ("cx23", ())
    choices = chosen("hetzner", "hosts: {workers: {cpus: 4}}", only=("cx23", "ccx23"))
    assert [choice.machine.name for choice in choices] == ["cx23", "ccx23"]


def test_hosts_without_a_type_are_named() -> None:
    with pytest.raises(InputError) as caught:
        chosen("aws", "hosts: {storage: {cpus: 64}, workers: {memory: 1TiB}}")
    assert str(caught.value) == (
        "no x86 machine type in the price book of AWS, eu-central-1, is enough for some hosts\n"
        "    worker-a and 1 more: 2 CPU, 1 TiB and a disk of 20 GB\n"
        "    storage-k and 3 more: 64 CPU, 4 GiB and a disk of 20 GB\n"
        "  `rookery prices refresh --provider aws` reads all types and what is in stock."
    )
    with pytest.raises(InputError) as caught:
        chosen("hetzner", only=("cpx12",))
    assert str(caught.value) == (
        "no cpx12 of Hetzner, hel1, is enough for some hosts\n"
        "    cp-1 and 6 more: 2 CPU, 4 GiB and a disk of 20 GB\n"
        "  Name larger types, or none."
    )


def test_all_types_sold_out_is_said() -> None:
    region = BOOK.of("hetzner").region()
    none = replace(
        region, machines=tuple(replace(m, available=False) for m in region.machines if m.name < "cq")
    )
    with pytest.raises(InputError, match=r"cp-1 and 6 more: .* \(sold out: cpx22, cpx32"):
        choose_machines("hetzner", none, design().servers)


def test_prices_convert_by_the_rate() -> None:
    rate = BOOK.rate
    assert rate.convert(Decimal(10), have="EUR", want="USD") == Decimal("11.133")
    assert rate.convert(Decimal("11.133"), have="USD", want="EUR") == 10
    assert rate.convert(Decimal(7), have="USD", want="USD") == 7
