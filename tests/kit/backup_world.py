"""A system of buckets in memory whose objects are backed up, on a clock that moves when it is told to."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest

from rookery.apps.backup.guest.backups import objects_restore
from rookery.apps.backup.guest.backups.kind import Part, Work
from rookery.apps.backup.guest.backups.objects import Objects
from rookery.apps.backup.guest.backups.store import Store
from rookery.apps.backup.guest.backups.told import Place, Told
from tests.kit.buckets import FakeGateway

BEGAN = 1796058000.0  # 2026-11-30T17:00:00Z
PLACE = Place(name="here", endpoint="https://s3.test", bucket="backups", authority="", access="a", secret="s")


class World:
    """A system with two buckets and a store."""

    def __init__(self) -> None:
        self.time = BEGAN
        self.gateway = FakeGateway(lambda: self.time)
        for bucket in ("media", "site", "backups"):
            self.gateway.create_bucket(Bucket=bucket, ObjectLockEnabledForBucket=bucket == "backups")
        self.version("Enabled")
        self.said: list[str] = []
        told = Told(config={"objects": {"buckets": ["media", "site"]}}, keys={})
        client: Any = self.gateway
        self.work = Work(told=told, store=Store(PLACE, client), report=self.said.append)
        self.kind = Objects(clock=lambda: self.time, wait=self.pass_time)
        self.kept: dict[str, Part] = {}

    def version(self, status: str) -> None:
        for bucket in ("media", "site"):
            self.gateway.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": status})

    def pass_time(self, seconds: float) -> None:
        self.time += seconds

    def put(self, key: str, content: bytes, *, bucket: str = "media", **headers: Any) -> None:
        self.gateway.put_object(Bucket=bucket, Key=key, Body=content, **headers)

    def hide(self, key: str, *, bucket: str = "media") -> None:
        self.gateway.delete_object(Bucket=bucket, Key=key)

    def take(self, meanwhile: Callable[[], None] = lambda: None) -> str:
        """Take a set, with nothing going on just before; something may happen between its beginning and the
        list."""
        self.time = math.ceil(self.time + 2.0)
        label = self.label()
        meanwhile()
        mark = self.kind.mark(self.work, label)
        last = self.kept[max(self.kept)] if self.kept else None
        self.kept[label] = self.kind.keep(self.work, label, mark, last)
        return label

    def label(self) -> str:
        return time.strftime("%Y%m%dt%H%M%Sz", time.gmtime(self.time))

    def restore(self, label: str = "", *, path: str = "media", at: str = "", to: str = "in-place") -> Any:
        wish = {"path": path, "at": at, "to": to, "credentials": {"media": KEYS, "site": KEYS}}
        return self.kind.restore(self.work, self.kept[label or max(self.kept)], wish)

    def check(self, *, deep: bool = False) -> list[str]:
        return self.kind.check(self.work, self.kept, deep=deep)

    def asked(self, operation: str = "CopyObject") -> int:
        """Return how often something was asked for."""
        return sum(one == operation for one, _ in self.gateway.asked)


KEYS = {"access": "owner", "secret": "owner"}


@contextmanager
def kept_world() -> Iterator[World]:
    """Let restores work on buckets in memory, by their clock."""
    world = World()

    def as_owner(place: Place) -> Any:
        assert place == replace(PLACE, access="owner", secret="owner")
        return world.gateway

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objects_restore, "connect", as_owner)
        patch.setattr(time, "time", lambda: world.time)
        yield world


def md5(content: bytes) -> str:
    """Return what S3 gives content as its ETag."""
    return hashlib.md5(content, usedforsecurity=False).hexdigest()


def copies(world: World) -> list[str]:
    """Return the keys of the copies of one bucket's objects."""
    return [key for key in world.gateway.current("backups") if key.startswith("objects/media/")]
