"""Accounts at the stand-in for Hetzner, over the real SDK: patient without pauses, and mortal at any call."""

from __future__ import annotations

import threading
from typing import Any

from rookery.clouds.hetzner.access import Access
from rookery.clouds.hetzner.account import Account
from rookery.clouds.hetzner.cloud import HetznerCloud
from rookery.clouds.hetzner.fake.serve import Served
from tests.kit.fake_hetzner import TOKEN
from tests.kit.memory_cloud import Killed


class MortalAccount(Account):
    """An account whose process is killed at one of its calls: before it is sent, or once it took effect."""

    def __init__(self, access: Access, *, dies_at: int = -1, after: bool = False) -> None:
        super().__init__(access, poll=0.005)
        self._dies_at = dies_at
        self._after = after
        self._dead = threading.Event()
        self._count = threading.Lock()
        self.calls = 0

    def call(self, method: str, path: str, what: str, **more: Any) -> dict[str, Any]:
        with self._count:
            number = self.calls
            self.calls += 1
        if self._dead.is_set() or (number == self._dies_at and not self._after):
            self._dead.set()
            raise Killed
        answer = super().call(method, path, what, **more)
        if number == self._dies_at:
            self._dead.set()
        if self._dead.is_set():
            raise Killed
        return answer


def account_at(
    served: Served, *, token: str = TOKEN, dies_at: int = -1, after: bool = False
) -> MortalAccount:
    access = Access(token=token, endpoint=served.endpoint, source="test")
    return MortalAccount(access, dies_at=dies_at, after=after)


def cloud_at(served: Served, **more: Any) -> HetznerCloud:
    return HetznerCloud(account_at(served, **more), place="hel1")
