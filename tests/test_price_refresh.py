"""Prices read anew, from servers on this machine that answer as the providers do."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from click.testing import CliRunner, Result

from rookery.cli.main import cli
from rookery.clouds.aws.prices import fetch_aws_prices
from rookery.clouds.gcp.prices import fetch_gcp_prices
from rookery.clouds.hetzner.prices import fetch_hetzner_prices
from rookery.errors import InputError, NotPossibleError, RookeryError
from rookery.prices.book import Cpu, Price, ProviderPrices, Tier, Unit, parse_book, render_book
from rookery.run.prices import load_prices, own_book_path, refresh_prices, shipped_book

TODAY = date(2026, 11, 23)
NOW = datetime(2026, 11, 23, 9, 30, tzinfo=UTC)
SECRET = "s3cr3t-t0k3n"
BOOK = shipped_book()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request as the server saw it."""

    method: str
    path: str
    query: dict[str, str]
    headers: dict[str, str]
    body: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Says:
    """What the server answers; `late` is how many seconds it waits before it does."""

    status: int = 200
    body: Any = None
    headers: tuple[tuple[str, str], ...] = ()
    late: float = 0.0


@dataclass(slots=True)
class Provider:
    """A server whose answers the test decides."""

    url: str
    answer: Callable[[Asked], Says]
    asked: list[Asked] = field(default_factory=list)


@pytest.fixture
def provider(monkeypatch: pytest.MonkeyPatch) -> Iterator[Provider]:
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)

    class Handler(BaseHTTPRequestHandler):
        def _serve(self) -> None:
            parts = urlsplit(self.path)
            asked = Asked(
                method=self.command,
                path=parts.path,
                query={name: values[0] for name, values in parse_qs(parts.query).items()},
                headers={name.lower(): value for name, value in self.headers.items()},
                body=self.rfile.read(int(self.headers.get("Content-Length", "0"))),
            )
            served.asked.append(asked)
            says = served.answer(asked)
            time.sleep(says.late)
            content = says.body if isinstance(says.body, bytes) else json.dumps(says.body).encode()
            self.send_response(says.status)
            for name, value in (*says.headers, ("Content-Length", str(len(content)))):
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        do_GET = _serve  # noqa: N815 - the names that http.server looks for
        do_POST = _serve  # noqa: N815

        def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name there
            """Say nothing on standard error."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    served = Provider(url=f"http://127.0.0.1:{server.server_port}", answer=lambda _: Says(status=404))
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield served
    server.shutdown()
    server.server_close()
    thread.join()


# --- Hetzner


def hetzner_amount(net: str) -> dict[str, str]:
    return {"net": net, "gross": f"{Decimal(net) * Decimal('1.19')}"}


def hetzner_price(hour: str, month: str, location: str = "hel1") -> dict[str, Any]:
    return {
        "location": location,
        "price_hourly": hetzner_amount(hour),
        "price_monthly": hetzner_amount(month),
        "included_traffic": 20 * 2**40,
        "price_per_tb_traffic": hetzner_amount("1.5000"),
    }


def hetzner_type(name: str, *, available: bool | None = True, location: str = "hel1") -> dict[str, Any]:
    place = {"name": location} | ({} if available is None else {"available": available})
    return {
        "name": name,
        "cores": 2,
        "memory": 4.0,
        "disk": 40,
        "architecture": "x86",
        "cpu_type": "shared",
        "locations": [{"name": "ash", "available": True}, place],
    }


def hetzner(pages: list[list[dict[str, Any]]]) -> Callable[[Asked], Says]:
    """Return what answers as Hetzner's API, with server types in pages."""
    names = [kind["name"] for page in pages for kind in page]
    pricing = {
        "currency": "EUR",
        "vat_rate": "19.00",
        "server_types": [
            {"name": name, "prices": [hetzner_price("9", "99", "ash"), hetzner_price("0.0400", "24.9900")]}
            for name in names
        ],
        "load_balancer_types": [{"name": "lb11", "prices": [hetzner_price("0.0130", "7.9900")]}],
        "primary_ips": [
            {"type": "ipv4", "prices": [hetzner_price("0.0009", "0.5500")]},
            {"type": "ipv6", "prices": [hetzner_price("0.0000", "0.0000")]},
        ],
        "volume": {"price_per_gb_month": hetzner_amount("0.0600")},
    }

    def answer(asked: Asked) -> Says:
        if asked.headers.get("authorization") != f"Bearer {SECRET}":
            return Says(status=401, body={"error": {"code": "unauthorized", "message": SECRET}})
        if asked.path == "/v1/pricing":
            return Says(body={"pricing": pricing})
        page = int(asked.query["page"])
        following = page + 1 if page < len(pages) else None
        meta = {"pagination": {"page": page, "next_page": following}}
        return Says(body={"server_types": pages[page - 1], "meta": meta})

    return answer


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
        ask_hetzner(provider, timeout=0.2)
    assert type(caught.value) is kind
    assert str(caught.value).startswith(said)
    assert SECRET not in str(caught.value)


def test_no_server_at_all(provider: Provider) -> None:
    gone = replace(provider, url="http://127.0.0.1:1")
    with pytest.raises(RookeryError, match="Hetzner cannot be reached: ConnectError"):
        ask_hetzner(gone)


# --- AWS


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


# --- GCP


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


# --- The user's own book


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
