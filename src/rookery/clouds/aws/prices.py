"""AWS's prices from its Price List Query API (`pricing:GetProducts`), with the usual credentials of boto3.

Products are found by attributes, never by number. The API answers each product as a JSON document in a
string, with one on-demand term whose dimensions are the price's tiers. All amounts are net, in US dollars.
What is in stock AWS does not tell.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from rookery.clouds.api import missing_price, shortest
from rookery.errors import NotPossibleError, RookeryError
from rookery.prices.book import Cpu, MachineType, Price, ProviderPrices, Region, Tier, Unit

_API_REGION = "us-east-1"  # the API itself is served from a few regions only, for the prices of all
_REFUSED = (
    "AccessDeniedException",
    "UnrecognizedClientException",
    "InvalidSignatureException",
    "ExpiredTokenException",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
)
_REGION_PREFIX = re.compile(r"^[A-Z]{2,4}[0-9]?-")
_THROTTLED = ("ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded")


_MakePrice = Callable[[Decimal, Unit], Price]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Rate:
    """One tier of a product's on-demand price; `end` is None without an end."""

    amount: Decimal
    begin: Decimal
    end: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class _Product:
    attributes: Mapping[str, str]
    rates: tuple[_Rate, ...]


def fetch_aws_prices(
    known: ProviderPrices, *, today: date, endpoint_url: str = "", timeout: float = 20
) -> ProviderPrices:
    """Return today's prices of the regions that `known` has.

    NotPossibleError where there are no credentials or they may not ask; RookeryError where the API cannot be
    asked or answers otherwise than it did.
    """
    from botocore.exceptions import BotoCoreError, ClientError, NoCredentialsError, PartialCredentialsError

    try:
        client = _client(endpoint_url, timeout)
        return replace(known, regions=tuple(_region(client, region, today) for region in known.regions))
    except (NoCredentialsError, PartialCredentialsError):
        raise NotPossibleError(
            "AWS needs credentials to tell its prices",
            hint="`aws configure`, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, with pricing:GetProducts.",
        ) from None
    except ClientError as error:
        raise _refusal(str(error.response.get("Error", {}).get("Code", "unknown"))) from None
    except BotoCoreError as error:
        raise RookeryError(
            f"AWS cannot be asked for prices: {type(error).__name__}",
            hint="Is the internet reachable from here? Nothing was changed.",
        ) from None


def _client(endpoint_url: str, timeout: float) -> Any:
    import boto3
    from botocore.config import Config

    config = Config(
        connect_timeout=timeout,
        read_timeout=timeout,
        retries={"total_max_attempts": 3, "mode": "standard"},
    )
    session: Any = boto3.session.Session()
    return session.client(
        "pricing", region_name=_API_REGION, endpoint_url=endpoint_url or None, config=config
    )


def _refusal(code: str) -> RookeryError:
    if code in _REFUSED:
        return NotPossibleError(
            f"AWS refuses the credentials ({code})",
            hint="They may be expired, or lack pricing:GetProducts. Nothing was changed.",
        )
    if code in _THROTTLED:
        return RookeryError(
            f"AWS had too many requests ({code})", hint="Try again later; nothing was changed."
        )
    return RookeryError(f"AWS answered {code}", hint="Try again later; nothing was changed.")


def _region(client: Any, known: Region, today: date) -> Region:
    name = known.name

    def price(amount: Decimal, unit: Unit) -> Price:
        source = f"AWS Price List API, {name}"
        return Price(amount=amount, currency="USD", net=True, unit=unit, date=today, source=source)

    def hourly(service: str, what: str, wanted: Mapping[str, str], usage: str) -> Price:
        return price(_one(client, service, what, {"regionCode": name, **wanted}, usage)[0].amount, Unit.HOUR)

    machines = tuple(sorted(_machines(client, name, price), key=lambda machine: machine.name))
    if not machines:
        raise missing_price("AWS", f"servers in {name}")
    storage = {"regionCode": name, "productFamily": "Storage", "volumeApiName": "gp3"}
    gp3 = _one(client, "AmazonEC2", f"gp3 in {name}", storage, "EBS:VolumeUsage.gp3")[0]
    balancer = hourly(
        "AWSELB",
        f"network load balancers in {name}",
        {"productFamily": "Load Balancer-Network"},
        "LoadBalancerUsage",
    )
    address = hourly(
        "AmazonVPC",
        f"public IPv4 addresses in {name}",
        {"group": "VPCPublicIPv4Address"},
        "PublicIPv4:InUseAddress",
    )
    return replace(
        known,
        machines=machines,
        drives=(replace(known.drives[0], price=price(gp3.amount, Unit.GB_MONTH)),),
        load_balancer=replace(known.load_balancer, hourly=balancer),
        address=replace(known.address, hourly=address),
        egress=replace(known.egress, tiers=_egress(client, name, price)),
    )


def _machines(client: Any, region: str, price: _MakePrice) -> Iterator[MachineType]:
    """Yield every current server type with Linux, on shared hardware, in the price list."""
    wanted = {
        "regionCode": region,
        "productFamily": "Compute Instance",
        "operatingSystem": "Linux",
        "tenancy": "Shared",
        "preInstalledSw": "NA",
        "capacitystatus": "Used",
        "currentGeneration": "Yes",
    }
    seen = set()
    for product in _products(client, "AmazonEC2", wanted):
        told = product.attributes
        name, memory = told.get("instanceType", ""), told.get("memory", "").removesuffix(" GiB")
        vcpu = told.get("vcpu", "")
        usable = vcpu.isdigit() and product.rates and product.rates[0].amount > 0
        if not usable or name in seen or ".metal" in name:
            continue
        seen.add(name)
        yield MachineType(
            name=name,
            cpus=int(vcpu),
            memory_gib=_decimal(memory.replace(",", ""), f"the memory of {name}"),
            disk_gb=0,
            architecture="arm" if "Graviton" in told.get("physicalProcessor", "") else "x86",
            cpu=_cpu(name),
            hourly=price(product.rates[0].amount, Unit.HOUR),
        )


def _cpu(name: str) -> Cpu:
    family = name.partition(".")[0]
    if family.startswith("t") and family[1:2].isdigit():
        return Cpu.BURSTABLE
    return Cpu.SHARED if family.endswith("-flex") else Cpu.DEDICATED


def _egress(client: Any, region: str, price: _MakePrice) -> tuple[Tier, ...]:
    wanted = {"fromRegionCode": region, "transferType": "AWS Outbound", "toLocation": "External"}
    rates = _one(
        client, "AWSDataTransfer", f"traffic to the internet from {region}", wanted, "DataTransfer-Out-Bytes"
    )
    return tuple(Tier(up_to=rate.end, price=price(rate.amount, Unit.GB)) for rate in rates)


def _one(
    client: Any,
    service: str,
    what: str,
    wanted: Mapping[str, str],
    usage: str,
) -> tuple[_Rate, ...]:
    """Return the rates above zero of the product with that usage type, lowest tier first."""
    found = (product for product in _products(client, service, wanted) if _is_usage(product, usage))
    rates = tuple(rate for product in found for rate in product.rates if rate.amount > 0)
    if not rates:
        raise missing_price("AWS", what)
    return rates


def _is_usage(product: _Product, usage: str) -> bool:
    """Compare a usage type without the region that most have before it (`EUC1-LoadBalancerUsage`)."""
    return _REGION_PREFIX.sub("", product.attributes.get("usagetype", "")) == usage


def _products(client: Any, service: str, wanted: Mapping[str, str]) -> Iterator[_Product]:
    filters = [{"Type": "TERM_MATCH", "Field": field, "Value": value} for field, value in wanted.items()]
    for page in client.get_paginator("get_products").paginate(ServiceCode=service, Filters=filters):
        for document in page["PriceList"]:
            yield _product(document)


def _product(document: str) -> _Product:
    try:
        told = json.loads(document)
        terms = told["terms"].get("OnDemand", {})
        dimensions = [part for term in terms.values() for part in term["priceDimensions"].values()]
        rates = [
            _Rate(
                amount=_decimal(part["pricePerUnit"]["USD"], "a price"),
                begin=_decimal(part.get("beginRange", "0"), "a tier"),
                end=None if (end := part.get("endRange", "Inf")) == "Inf" else _decimal(end, "a tier"),
            )
            for part in dimensions
            if "USD" in part["pricePerUnit"]
        ]
        attributes = {str(key): str(value) for key, value in told["product"]["attributes"].items()}
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise RookeryError(
            f"the answer of AWS is not what this version understands: {type(error).__name__} {error}",
            hint="The known prices stay. A newer version of rookery may know the new form.",
        ) from None
    return _Product(attributes=attributes, rates=tuple(sorted(rates, key=lambda rate: rate.begin)))


def _decimal(text: str, what: str) -> Decimal:
    try:
        return shortest(Decimal(text))
    except InvalidOperation:
        raise RookeryError(
            f"AWS tells {what} as {text!r}, which is no number",
            hint="The known prices stay. A newer version of rookery may know the new form.",
        ) from None
