"""What the programs of backup are told, but for keys: one JSON, the same on a server and in a pod."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from typing import Any

from rookery.apps.backup.places import (
    BLOCK,
    BUCKET,
    DATABASE,
    FILES,
    LOCK_OBJECT,
    NAMESPACE,
    OBJECTS,
    SERVER,
    SYSTEM,
    USER,
    WAY_OUT_PORT,
    copy_authority,
    lock_pool,
)
from rookery.apps.backup.settings import BackupSettings, days, seconds
from rookery.apps.database.patroni import API_PORT, DATA, SOCKETS, VERSION
from rookery.design.model import AppDesign, Design
from rookery.errors import RookeryError


@dataclass(frozen=True, slots=True, kw_only=True)
class Cluster:
    """Where the lock lies that lets one host work at a time."""

    user: str
    pool: str
    namespace: str
    object: str


def kinds_of(design: Design) -> tuple[str, ...]:
    """Return the kinds of backup that a design has something for, in the order of their moments."""
    there = {
        DATABASE: design.database is not None,
        OBJECTS: bool(kept_buckets(design)),
        FILES: design.file_system is not None,
        BLOCK: bool(design.volumes),
        SYSTEM: True,
    }
    return tuple(kind for kind, is_there in there.items() if is_there)


def settings_of(design: Design) -> BackupSettings:
    """Return what the spec says of backups; raises RookeryError where the system takes none."""
    found = None if design.backup is None else design.backup.settings
    if not isinstance(found, BackupSettings):
        raise RookeryError(f"{design.name} takes no backups")
    return found


def taken_kinds(design: Design) -> tuple[str, ...]:
    """Return the kinds that are backed up on a design's platform: on Kubernetes volumes are the database's
    operator's matter, and etcd is kept for who can decrypt it."""
    kinds = kinds_of(design)
    if design.platform == "native" or design.backup is None:
        return kinds
    left_out = {BLOCK, *(() if settings_of(design).encryption.recipients else (SYSTEM,))}
    return tuple(kind for kind in kinds if kind not in left_out)


def kept_buckets(design: Design) -> tuple[str, ...]:
    """Return the buckets that are backed up: those whose versions are kept for it."""
    return tuple(bucket.name for bucket in design.buckets if bucket.copied_by)


def way_out(design: Design) -> str:
    """Return the proxy by which a design's servers reach the places of copies; empty where they do without.

    On the lab no server has a route to anywhere but its network.
    """
    return f"http://{design.network.gateway}:{WAY_OUT_PORT}" if design.platform == "native" else ""


def render_config(design: Design, app: AppDesign, host: str) -> str:
    """Return the configuration of the agent on a host."""
    return json.dumps(build_config(design, app, host), indent=1) + "\n"


def build_config(design: Design, app: AppDesign, host: str) -> dict[str, Any]:
    settings = app.settings
    assert isinstance(settings, BackupSettings)
    store = design.object_store
    balancer = design.load_balancer
    assert store is not None
    assert balancer is not None
    return {
        "system": design.name,
        "host": host,
        "hosts": [name for name, _ in app.placements],
        "kinds": kinds_of(design),
        "store": {
            "endpoint": f"https://{balancer.address}:{store.port}",
            "authority": "/etc/rookery/tls/ca.crt",
            "bucket": BUCKET,
        },
        "schedules": {
            "sets": seconds(settings.schedules.sets),
            "base": seconds(settings.schedules.base),
            "check": seconds(settings.schedules.check),
        },
        "retention": {
            "seconds": seconds(settings.retention.sets),
            "least": settings.retention.least,
        },
        "lock": 0 if settings.lock is None else days(settings.lock),
        "cluster": asdict(_cluster(design)) if _lock_pool(design) else None,
        "database": _database(design, host),
        "objects": {"buckets": kept_buckets(design), "pool": store.data_pool},
        "files": {"fileSystem": design.file_system.name} if design.file_system is not None else None,
        "block": _block(design),
        "copies": [
            {
                "name": copy.name,
                "endpoint": copy.endpoint,
                "bucket": copy.bucket,
                "region": copy.region,
                "authority": f"/{copy_authority(copy.name)}" if copy.authority else "",
                "way": way_out(design),
            }
            for copy in settings.copies
        ],
        # What only the machine has that brings a lab up is part of the system's backup.
        "identity": design.platform == "native",
        "coordinators": [f"{address}:2379" for _, address in design.database.coordinators]
        if design.database is not None
        else [],
    }


def _cluster(design: Design) -> Cluster:
    return Cluster(user=USER, pool=_lock_pool(design), namespace=NAMESPACE, object=LOCK_OBJECT)


def _lock_pool(design: Design) -> str:
    block = tuple(pool.name for pool in design.pools if pool.application == "rbd")
    return lock_pool(block, design.file_system)


def _database(design: Design, host: str) -> dict[str, Any] | None:
    service = design.database
    if service is None:
        return None
    own = dict(service.instances).get(host)
    return {
        "server": SERVER,
        "prefix": DATABASE,
        "data": DATA,
        "sockets": SOCKETS,
        "programs": f"/usr/lib/postgresql/{VERSION}/bin",
        "owner": "postgres",
        # What tells whether this host's instance is the primary; none where it has no instance.
        "primary": f"https://{own}:{API_PORT}/primary" if own else "",
    }


def _block(design: Design) -> dict[str, Any] | None:
    if not design.volumes:
        return None
    return {
        "pool": design.volumes[0].pool,
        "dataPool": design.volumes[0].data_pool,
        "images": [volume.name for volume in design.volumes],
    }
