"""What the service is told: one JSON file, read once at its start."""

from __future__ import annotations

import socket
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid", alias_generator=to_camel)


class DatabaseConfig(_Part):
    """Where PostgreSQL is: `write_port` leads to the primary, `read_port` to replicas.

    Replicas have the same `host`, unless there is a `read_host`.

    `password_file` is read at every connect, so a new password needs no restart.
    """

    host: str
    read_host: str = ""
    write_port: int
    read_port: int
    name: str
    user: str
    password_file: Path


class Config(_Part):
    """The service's name and address, its certificate and key, and the authority of the database's.

    A pod's name is that of its host, and no configuration that pods share can have it.
    """

    name: str = Field(default_factory=socket.gethostname)
    address: str
    port: int
    certificate: Path
    key: Path
    ca: Path
    database: DatabaseConfig


def load_config(path: Path) -> Config:
    """Return what the file says; raise OSError or pydantic.ValidationError where it cannot be used."""
    return Config.model_validate_json(path.read_bytes())
