"""Where the load's clients come to: the addresses that follow from a design, on each platform."""

from __future__ import annotations

from dataclasses import dataclass

from rookery.apps.database.clients import PORT, reads, writes
from rookery.design.model import Cluster, Design


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A host and its port."""

    host: str
    port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What there is to come to: `site` and `s3` are URLs, empty where there is none; `writes` leads to the
    database's primary, `reads` to its replicas."""

    site: str
    s3: str
    writes: Target | None
    reads: Target | None


def places_of(design: Design) -> Targets:
    """Return the places of a design."""
    cluster = design.kubernetes
    return _native(design) if cluster is None else _on_kubernetes(design, cluster)


def _native(design: Design) -> Targets:
    """Everything is behind the load balancer, each service at its port."""
    balancer, store, service = design.load_balancer, design.object_store, design.database
    address = balancer.address if balancer is not None else ""
    return Targets(
        site=f"https://{address}" if address and _has_site(design) else "",
        s3=f"https://{address}:{store.port}" if address and store is not None else "",
        writes=Target(host=service.address, port=service.port) if service is not None else None,
        reads=Target(host=service.address, port=service.read_port) if service is not None else None,
    )


def _on_kubernetes(design: Design, cluster: Cluster) -> Targets:
    """The site and S3 by their names outside, as their users come; the database is reached inside only."""
    has_database = design.database is not None
    return Targets(
        site=f"https://site.{cluster.domain}" if _has_site(design) else "",
        s3=f"https://s3.{cluster.domain}" if design.object_store is not None else "",
        writes=Target(host=writes(), port=PORT) if has_database else None,
        reads=Target(host=reads(design), port=PORT) if has_database else None,
    )


def _has_site(design: Design) -> bool:
    return any(app.name == "cdn" for app in design.apps)
