"""AWS's prices, read from a server on this machine that answers as its pricing service does."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from rookery.clouds.aws.prices import fetch_aws_prices
from rookery.errors import NotPossibleError, RookeryError
from rookery.prices.book import Cpu, ProviderPrices
from tests.kit.price_server import SECRET, TODAY, Asked, Provider, Says, price_server
from tests.kit.prices import BOOK


@pytest.fixture(name="provider")
def _provider() -> Iterator[Provider]:
    with price_server() as provider:
        yield provider


def aws_product(attributes: dict[str, str], *rates: tuple[str, str, str], unit: str = "Hrs") -> str:
    dimensions = {
        f"D{number}": {"unit": unit, "beginRange": begin, "endRange": end, "pricePerUnit": {"USD": amount}}
        for number, (begin, end, amount) in enumerate(rates)
    }
    terms = {"OnDemand": {"T": {"priceDimensions": dimensions}}} if rates else {}
    return json.dumps({"product": {"attributes": attributes}, "terms": terms})


def aws_server(name: str, vcpu: str, memory: str, amount: str, cpu: str = "Intel Xeon") -> str:
    attributes = {"instanceType": name, "vcpu": vcpu, "memory": memory, "physicalProcessor": cpu}
    return aws_product(attributes, ("0", "Inf", amount))


AWS_PAGES: dict[str, list[list[str]]] = {
    "AmazonEC2/Compute Instance": [
        [
            aws_server("t3.medium", "2", "4 GiB", "0.0500000000"),
            aws_server("t4g.medium", "2", "4 GiB", "0.04", "AWS Graviton2 Processor"),
            aws_server("u-6tb1.112xlarge", "448", "6,144 GiB", "60.1"),
        ],
        [
            aws_server("m7i-flex.large", "2", "8 GiB", "0.12"),
            aws_server("m7i.metal-24xl", "96", "384 GiB", "6.0"),
            aws_server("c9x.free", "2", "4 GiB", "0.0000000000"),
            aws_product({"instanceType": "reserved.only", "vcpu": "2", "memory": "4 GiB"}),
        ],
    ],
    "AmazonEC2/Storage": [
        [aws_product({"usagetype": "EUC1-EBS:VolumeUsage.gp3"}, ("0", "Inf", "0.1"), unit="GB-Mo")]
    ],
    "AWSELB/Load Balancer-Network": [
        [
            aws_product({"usagetype": "EUC1-LCUUsage"}, ("0", "Inf", "0.006")),
            aws_product({"usagetype": "EUC1-LoadBalancerUsage"}, ("0", "Inf", "0.028")),
        ]
    ],
    "AmazonVPC/VPCPublicIPv4Address": [
        [
            aws_product({"usagetype": "EUC1-PublicIPv4:IdleAddress"}, ("0", "Inf", "0.007")),
            aws_product({"usagetype": "EUC1-PublicIPv4:InUseAddress"}, ("0", "Inf", "0.006")),
        ]
    ],
    "AWSDataTransfer/AWS Outbound": [
        [
            aws_product(
                {"usagetype": "EUC1-DataTransfer-Out-Bytes"},
                ("10240", "Inf", "0.085"),
                ("0", "10240", "0.09"),
                unit="GB",
            )
        ]
    ],
}


def aws(pages: dict[str, list[list[str]]]) -> Callable[[Asked], Says]:
    """Return what answers as AWS's pricing service: JSON 1.1, a page for each token."""

    def answer(asked: Asked) -> Says:
        assert asked.headers["x-amz-target"] == "AWSPriceListService.GetProducts"
        wanted = json.loads(asked.body)
        filters = {item["Field"]: item["Value"] for item in wanted["Filters"]}
        assert filters.get("regionCode", filters.get("fromRegionCode")) == "eu-central-1"
        kind = filters.get("productFamily") or filters.get("group") or filters["transferType"]
        found = pages.get(f"{wanted['ServiceCode']}/{kind}", [[]])
        number = int(wanted.get("NextToken", "0"))
        more = {"NextToken": str(number + 1)} if number + 1 < len(found) else {}
        return Says(body={"FormatVersion": "aws_v1", "PriceList": found[number], **more})

    return answer


@pytest.fixture
def _aws_keys(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAEXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET)
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")


def frankfurt() -> ProviderPrices:
    known = BOOK.of("aws")
    return replace(known, regions=known.regions[:1])


def ask_aws(provider: Provider) -> ProviderPrices:
    return fetch_aws_prices(frankfurt(), today=TODAY, endpoint_url=provider.url, timeout=0.5)


@pytest.mark.usefixtures("_aws_keys")
def test_awss_prices(provider: Provider) -> None:
    provider.answer = aws(AWS_PAGES)
    (region,) = ask_aws(provider).regions
    assert [(m.name, m.cpus, int(m.memory_gib), str(m.architecture), m.cpu) for m in region.machines] == [
        ("m7i-flex.large", 2, 8, "x86", Cpu.SHARED),
        ("t3.medium", 2, 4, "x86", Cpu.BURSTABLE),
        ("t4g.medium", 2, 4, "arm", Cpu.BURSTABLE),
        ("u-6tb1.112xlarge", 448, 6144, "x86", Cpu.DEDICATED),
    ]
    assert region.drives[0].price.amount == Decimal("0.1")
    assert region.load_balancer.hourly.amount == Decimal("0.028")
    assert region.address.hourly.amount == Decimal("0.006")
    assert [(tier.up_to, tier.price.amount) for tier in region.egress.tiers] == [
        (Decimal(10240), Decimal("0.09")),
        (None, Decimal("0.085")),
    ]
    assert {price.date for _, price in region.prices} == {TODAY}
    assert SECRET not in str([asked.headers for asked in provider.asked])


@pytest.mark.usefixtures("_aws_keys")
@pytest.mark.parametrize(
    ("missing", "said"),
    [
        ("AmazonEC2/Compute Instance", "AWS names no price for servers in eu-central-1"),
        ("AmazonEC2/Storage", "AWS names no price for gp3 in eu-central-1"),
        ("AWSELB/Load Balancer-Network", "AWS names no price for network load balancers in eu-central-1"),
        ("AmazonVPC/VPCPublicIPv4Address", "AWS names no price for public IPv4 addresses in eu-central-1"),
        ("AWSDataTransfer/AWS Outbound", "AWS names no price for traffic to the internet from eu-central-1"),
    ],
)
def test_what_aws_does_not_tell_is_said(provider: Provider, missing: str, said: str) -> None:
    provider.answer = aws({kind: pages for kind, pages in AWS_PAGES.items() if kind != missing})
    with pytest.raises(RookeryError) as caught:
        ask_aws(provider)
    assert caught.value.what == said


@pytest.mark.usefixtures("_aws_keys")
@pytest.mark.parametrize(
    ("says", "kind", "said"),
    [
        (
            Says(status=400, body={"__type": "AccessDeniedException", "message": SECRET}),
            NotPossibleError,
            "AWS refuses the credentials (AccessDeniedException)",
        ),
        (
            Says(status=400, body={"__type": "UnrecognizedClientException"}),
            NotPossibleError,
            "AWS refuses the credentials (UnrecognizedClientException)",
        ),
        (
            Says(status=400, body={"__type": "ThrottlingException"}),
            RookeryError,
            "AWS had too many requests (ThrottlingException)",
        ),
        (
            Says(status=400, body={"__type": "InvalidParameterException"}),
            RookeryError,
            "AWS answered Invalid",
        ),
        (Says(late=1.0, body={}), RookeryError, "AWS cannot be asked for prices: ReadTimeoutError"),
        (
            Says(body={"PriceList": ["{}"]}),
            RookeryError,
            "the answer of AWS is not what this version underst",
        ),
        (
            Says(body={"PriceList": [aws_server("t9", "2", "lots", "1")]}),
            RookeryError,
            "AWS tells the memory",
        ),
    ],
)
def test_each_failure_of_aws_has_its_error(
    provider: Provider, says: Says, kind: type[RookeryError], said: str
) -> None:
    provider.answer = lambda _: says
    with pytest.raises(RookeryError) as caught:
        ask_aws(provider)
    assert type(caught.value) is kind
    assert caught.value.what.startswith(said)
    assert SECRET not in str(caught.value)


@pytest.mark.usefixtures("_aws_keys")
def test_aws_without_credentials(provider: Provider, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")
    monkeypatch.delenv("AWS_SECRET_ACCESS_KEY")
    with pytest.raises(NotPossibleError, match="AWS needs credentials to tell its prices"):
        ask_aws(provider)
    assert provider.asked == []
