"""What a spec can say about streaming."""

from __future__ import annotations

from pydantic import Field

from rookery.spec.model import AppSettings, Folder


class StreamingSettings(AppSettings):
    """Films and music that stream from an RGW bucket, and a live channel whose window is on CephFS."""

    media: Folder | None = Field(
        None,
        description="Folder of films and music to publish, relative to the spec; by default some that are "
        "generated.",
    )
    channel: bool = Field(default=True, description="A live channel that never stops, its window on CephFS.")
    origins: int | None = Field(
        None, ge=1, le=999, description="Origins of the live channel, two by default, each on a worker."
    )
