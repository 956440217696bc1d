"""What a spec can say about the CDN."""

from __future__ import annotations

from pydantic import ByteSize, Field

from rookery.spec.model import AppSettings


class CdnSettings(AppSettings):
    """A CDN that serves a static website from an RGW bucket through caching edges."""

    edges: int | None = Field(None, ge=1, le=999, description="Edges, one on each worker by default.")
    site: str | None = Field(
        None, description="Folder to publish, relative to the spec; by default a site about the demo itself."
    )
    cache: ByteSize = Field(ByteSize(256 * 1000**2), ge=10**6, description="Cache on each edge's disk.")
