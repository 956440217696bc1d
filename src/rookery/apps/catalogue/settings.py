"""What a spec can say about the catalogue."""

from __future__ import annotations

from pydantic import Field

from rookery.spec.model import AppSettings


class CatalogueSettings(AppSettings):
    """A catalogue of the site's titles, their viewers and plays: an HTTP API over PostgreSQL."""

    instances: int | None = Field(None, ge=1, le=999, description="Instances, one on each worker by default.")
    viewers: int = Field(20_000, ge=0, le=10_000_000, description="Invented viewers to begin with.")
    plays: int = Field(
        300_000,
        ge=0,
        le=50_000_000,
        description="Invented plays to begin with, spread over the last 90 days.",
    )
