"""What an instance of the catalogue's service is told, wherever it stands."""

from __future__ import annotations

import json
from dataclasses import dataclass
from importlib.resources import files

from rookery.design.model import Database
from rookery.files import File, packaged

API_PORT = 8445
DATABASE = Database(name="catalogue", user="catalogue")
# Where the service's package is, relative to the root.
PROGRAMS = "usr/lib/rookery/apps"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiPlace:
    """Where an instance stands: its name, the address it listens on, its files, its ways to the database.

    Without a name it has that of its host. `writes` and `reads` are the host and the port of the primary and
    of the replicas.
    """

    name: str = ""
    address: str
    certificate: str
    key: str
    authority: str
    password: str
    writes: tuple[str, int]
    reads: tuple[str, int]


def render_config(place: ApiPlace) -> str:
    """Return the service's configuration."""
    config = {
        **({"name": place.name} if place.name else {}),
        "address": place.address,
        "port": API_PORT,
        "certificate": place.certificate,
        "key": place.key,
        "ca": place.authority,
        "database": {
            "host": place.writes[0],
            **({"readHost": place.reads[0]} if place.reads[0] != place.writes[0] else {}),
            "writePort": place.writes[1],
            "readPort": place.reads[1],
            "name": DATABASE.name,
            "user": DATABASE.user,
            "passwordFile": place.password,
        },
    }
    return json.dumps(config, indent=1) + "\n"


def programs() -> tuple[File, ...]:
    """Return the service itself, the same on a server and in the image of pods."""
    return packaged(files("rookery.apps.catalogue") / "service" / "catalogue", f"{PROGRAMS}/catalogue")
