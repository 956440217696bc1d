"""What Hetzner sells, and where: locations, server types with their prices and stock, images.

Prices come from the price book. It has one location's; those in Europe ask the same, so all three sell by it,
and those elsewhere are listed and sell nothing here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from rookery.clouds.hetzner.fake.things import Image
from rookery.prices.book import MachineType, Metered, ProviderPrices, Region

_VAT = Decimal("0.19")
_TIB = 1024**4
EUROPE = "eu-central"


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """A place with servers; `zone` is the part of the world that a subnet spans."""

    id: int
    name: str
    city: str
    country: str
    zone: str
    latitude: float
    longitude: float

    @property
    def datacenter(self) -> str:
        """The name of the one datacenter that it has here."""
        return f"{self.name}-dc{self.id + 1}"

    def view(self) -> dict[str, Any]:
        """Return it in the API's words."""
        return {
            "id": self.id,
            "name": self.name,
            "description": f"{self.city} DC Park 1",
            "city": self.city,
            "country": self.country,
            "network_zone": self.zone,
            "latitude": self.latitude,
            "longitude": self.longitude,
        }


LOCATIONS = (
    Location(
        id=1,
        name="fsn1",
        city="Falkenstein",
        country="DE",
        zone=EUROPE,
        latitude=50.47612,
        longitude=12.370071,
    ),
    Location(
        id=2,
        name="nbg1",
        city="Nuremberg",
        country="DE",
        zone=EUROPE,
        latitude=49.452102,
        longitude=11.076665,
    ),
    Location(
        id=3,
        name="hel1",
        city="Helsinki",
        country="FI",
        zone=EUROPE,
        latitude=60.169855,
        longitude=24.938379,
    ),
    Location(
        id=4,
        name="ash",
        city="Ashburn, VA",
        country="US",
        zone="us-east",
        latitude=39.045821,
        longitude=-77.487073,
    ),
    Location(
        id=5,
        name="hil",
        city="Hillsboro, OR",
        country="US",
        zone="us-west",
        latitude=45.54222,
        longitude=-122.951924,
    ),
    Location(
        id=6,
        name="sin",
        city="Singapore",
        country="SG",
        zone="ap-southeast",
        latitude=1.283333,
        longitude=103.833333,
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class BalancerType:
    """A size of load balancers."""

    id: int
    name: str
    services: int
    targets: int
    connections: int
    certificates: int


BALANCER_TYPES = (
    BalancerType(id=1, name="lb11", services=5, targets=25, connections=10_000, certificates=10),
    BalancerType(id=2, name="lb21", services=15, targets=75, connections=20_000, certificates=25),
    BalancerType(id=3, name="lb31", services=30, targets=150, connections=40_000, certificates=50),
)
_SYSTEMS = (
    ("ubuntu-22.04", "ubuntu", "22.04"),
    ("ubuntu-24.04", "ubuntu", "24.04"),
    ("ubuntu-26.04", "ubuntu", "26.04"),
    ("debian-12", "debian", "12"),
    ("debian-13", "debian", "13"),
    ("rocky-9", "rocky", "9"),
)
_IMAGES_SINCE = 1_777_000_000.0


class Catalogue:
    """All that can be ordered, by the prices of a book."""

    def __init__(self, prices: ProviderPrices) -> None:
        self._region: Region = prices.regions[0]
        self.currency = prices.currency
        self.types: Mapping[str, MachineType] = {kind.name: kind for kind in self._region.machines}
        self._ids = {kind.name: 100 + number for number, kind in enumerate(self._region.machines)}
        self.images: dict[int, Image] = {image.id: image for image in _system_images()}

    def type_id(self, name: str) -> int:
        """Return the id of a server type."""
        return self._ids[name]

    def type_named(self, wanted: object) -> MachineType | None:
        """Return the server type of that name or id."""
        for kind in self.types.values():
            if wanted == kind.name or str(wanted) == str(self._ids[kind.name]):
                return kind
        return None

    def sells(self, location: Location) -> bool:
        """Whether anything can be ordered at a location."""
        return location.zone == EUROPE

    def server_type(self, kind: MachineType, stock: Mapping[str, bool]) -> dict[str, Any]:
        """Return a server type in the API's words; `stock` says of each location whether it has one."""
        return {
            "id": self._ids[kind.name],
            "name": kind.name,
            "description": kind.name.upper(),
            "category": f"{kind.cpu.value}_{kind.architecture}",
            "cores": kind.cpus,
            "memory": float(kind.memory_gib),
            "disk": kind.disk_gb,
            "architecture": kind.architecture,
            "cpu_type": "dedicated" if kind.cpu.value == "dedicated" else "shared",
            "storage_type": "local",
            "deprecated": False,
            "deprecation": None,
            "prices": self._prices(kind),
            "locations": [
                {
                    "id": place.id,
                    "name": place.name,
                    "deprecation": None,
                    "available": stock.get(place.name, False),
                    "recommended": stock.get(place.name, False),
                }
                for place in self._selling()
            ],
        }

    def balancer_type(self, kind: BalancerType) -> dict[str, Any]:
        """Return a size of load balancers in the API's words."""
        return {
            "id": kind.id,
            "name": kind.name,
            "description": kind.name.upper(),
            "max_connections": kind.connections,
            "max_services": kind.services,
            "max_targets": kind.targets,
            "max_assigned_certificates": kind.certificates,
            "deprecated": None,
            "prices": self._prices(self._region.load_balancer, times=kind.services // 5),
        }

    def pricing(self) -> dict[str, Any]:
        """Return all prices, as GET /pricing has them."""
        volume = self._region.drives[0].price.amount
        address = self._region.address
        monthly = address.cap.amount if address.cap else Decimal(0)
        return {
            "currency": self.currency,
            "vat_rate": f"{_VAT * 100:f}",
            "image": {"price_per_gb_month": _amount(Decimal("0.0110"))},
            "volume": {"price_per_gb_month": _amount(volume)},
            "server_backup": {"percentage": "20.00"},
            "floating_ip": {"price_monthly": _amount(monthly)},
            "floating_ips": [
                {
                    "type": "ipv4",
                    "prices": [
                        {"location": place.name, "price_monthly": _amount(monthly)}
                        for place in self._selling()
                    ],
                }
            ],
            "primary_ips": [
                {"type": "ipv4", "prices": self._prices(address, traffic=False)},
                {"type": "ipv6", "prices": self._prices(None, traffic=False)},
            ],
            "server_types": [
                {"id": self._ids[kind.name], "name": kind.name, "prices": self._prices(kind)}
                for kind in self.types.values()
            ],
            "load_balancer_types": [
                {"id": kind.id, "name": kind.name, "prices": self.balancer_type(kind)["prices"]}
                for kind in BALANCER_TYPES
            ],
        }

    def hourly(self, kind: str, what: str) -> Decimal:
        """Return what a thing costs in an hour, net: its type's price; a volume's by its size."""
        if kind == "servers":
            return self.types[what].hourly.amount
        if kind == "volumes":
            return self._region.drives[0].price.amount * int(what) / 730
        if kind == "load_balancers":
            named = next(size for size in BALANCER_TYPES if size.name == what)
            return self._region.load_balancer.hourly.amount * (named.services // 5)
        return self._region.address.hourly.amount if what == "ipv4" else Decimal(0)

    def cap(self, kind: str, what: str) -> Decimal | None:
        """Return what a thing costs in a month at most, net; None where there is no such price."""
        if kind == "servers":
            sold: Metered | MachineType | Any = self.types[what]
        elif kind == "load_balancers":
            sold = self._region.load_balancer
        elif kind == "primary_ips" and what == "ipv4":
            sold = self._region.address
        else:
            return None
        times = next((one.services // 5 for one in BALANCER_TYPES if one.name == what), 1)
        return sold.cap.amount * times if sold.cap else None

    def _prices(
        self, sold: MachineType | Metered | Any | None, *, times: int = 1, traffic: bool = True
    ) -> list[dict[str, Any]]:
        hourly = sold.hourly.amount * times if sold else Decimal(0)
        monthly = sold.cap.amount * times if sold and sold.cap else hourly * 730
        egress = self._region.egress
        more = {
            "included_traffic": int(egress.free) * _TIB,
            "price_per_tb_traffic": _amount(egress.tiers[0].price.amount),
        }
        return [
            {"location": place.name, "price_hourly": _amount(hourly), "price_monthly": _amount(monthly)}
            | (more if traffic else {})
            for place in self._selling()
        ]

    def _selling(self) -> list[Location]:
        return [place for place in LOCATIONS if self.sells(place)]


def location_named(wanted: object) -> Location | None:
    """Return the location of that name or id, or the one that a datacenter of that name or id is in."""
    for place in LOCATIONS:
        if str(wanted) in (place.name, str(place.id), place.datacenter):
            return place
    return None


def _system_images() -> list[Image]:
    found = []
    for number, (name, flavor, version) in enumerate(_SYSTEMS):
        for offset, architecture in enumerate(("x86", "arm")):
            image = Image(
                id=500 + 2 * number + offset,
                name=name,
                created=_IMAGES_SINCE,
                type="system",
                description=f"{flavor.capitalize()} {version}",
                os_flavor=flavor,
                os_version=version,
                architecture=architecture,
                disk=5,
            )
            found.append(image)
    return found


def _amount(net: Decimal) -> dict[str, str]:
    return {"net": f"{net:.10f}", "gross": f"{net * (1 + _VAT):.10f}"}
