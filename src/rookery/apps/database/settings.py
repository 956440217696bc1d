"""What a spec can say about the database."""

from __future__ import annotations

from pydantic import ByteSize, Field

from rookery.spec.model import AppSettings, Size
from rookery.units import GB


class DatabaseSettings(AppSettings):
    """PostgreSQL with automatic failover, each instance on a block volume of its own."""

    instances: int | None = Field(
        None, ge=1, le=99, description="Instances, by default one on each worker up to three."
    )
    volume: Size = Field(
        ByteSize(10 * GB), ge=GB, description="Size of each instance's volume; it can grow while in use."
    )
    synchronous: bool = Field(
        default=True,
        description="Acknowledge a transaction only when a second instance has it: failover loses none.",
    )
