"""Hetzner's API for prices, as a test wants it to answer."""

from __future__ import annotations

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from tests.kit.price_server import SECRET, Asked, Says


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
