"""Systems on a cloud for tests: brought up by the engine that brings up everything, and taken down again."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from rookery.clouds.cloud import Cloud
from rookery.clouds.patience import Patience
from rookery.design.model import Design
from rookery.plan.step import Observation, plan_rest
from rookery.run.engine import apply_steps
from rookery.systems.cloud.removal import CloudRemoval
from rookery.systems.cloud.servers import CloudServers, account_names
from tests.kit.designs import design
from tests.kit.steps import Listener


class _Slept(threading.local):
    """What a thread has slept, without having slept."""

    seconds = 0.0

    def sleep(self, seconds: float) -> None:
        self.seconds += seconds


_SLEPT = _Slept()
AT_ONCE = Patience(limit=120.0, sleep=_SLEPT.sleep, now=lambda: _SLEPT.seconds)
"""Tries again without a pause, and gives up after what would have been two minutes."""


def cloud_design(provider: str = "hetzner", **more: object) -> Design:
    return design({"name": "demo", "provider": provider, "apps": {"cdn": {}}, **more})


def servers_of(
    made: Design,
    cloud: Cloud,
    folder: Path,
    *,
    until: str = "",
    patience: Patience = AT_ONCE,
    lets_in: Callable[[str], bool] = lambda _: True,
) -> CloudServers:
    return CloudServers(
        made,
        lambda: cloud,
        machines=lambda: {host.name: "cpx22" for host in made.servers},
        folder=folder,
        until=until,
        patience=patience,
        lets_in=lets_in,
    )


def bring_up(servers: CloudServers) -> list[str]:
    """Make what is not there; return the steps that were done, as they ended."""
    left = plan_rest(servers.steps(), Observation(facts=frozenset(servers.facts())))
    listener = Listener()
    apply_steps(left, servers.apply, listener)
    return [name for what, name in listener.heard if what == "finished"]


def removal_of(
    servers: CloudServers, made: Design, cloud: Cloud, patience: Patience = AT_ONCE
) -> CloudRemoval:
    names = account_names(made, servers.resources)
    return CloudRemoval(name=made.name, names=names, connect=lambda: cloud, noted=(), patience=patience)
