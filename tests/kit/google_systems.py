"""Systems on the stand-in for Google, for tests."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from rookery.clouds.cloud import Cloud
from rookery.clouds.gcp.access import Access
from rookery.clouds.gcp.account import Account
from rookery.clouds.gcp.cloud import GoogleCloud
from rookery.clouds.patience import Patience
from rookery.design.model import Design
from rookery.systems.cloud.removal import CloudRemoval
from rookery.systems.cloud.servers import CloudServers
from tests.kit.cloud_systems import cloud_design
from tests.kit.cloud_systems import removal_of as cloud_removal
from tests.kit.google_cloud.serving import Direct
from tests.kit.google_cloud.state import PROJECT, REGION, Project
from tests.kit.memory_cloud import Killed

DISK = {"type": "diskTypes/pd-balanced", "sizeGb": "10", "users": []}
"""What is asked of a disk beside its name, as it is told."""

SMALL = {"controlPlane": {"count": 1}, "workers": {"count": 1}, "storage": {"count": 3}}
"""The hosts of a small design: five servers with six drives."""


def quiet(_text: str) -> None:
    """Hears what is reported, and forgets it."""


def counted(project: Project) -> Counter[str]:
    """Return how many things of each collection there are."""
    return Counter(one.collection for one in project.things.values())


def google_design(**more: object) -> Design:
    return cloud_design("gcp", **more)


def google_cloud(project: Project, *, zone: str = "") -> GoogleCloud:
    """Return one process' way into a project, without a network between."""
    from google.auth.credentials import AnonymousCredentials

    access = Access(credentials=AnonymousCredentials(), project=PROJECT, zone=zone)
    return GoogleCloud(Account(access, adapter=Direct(project)), place=REGION)


def patience(project: Project) -> Patience:
    """Try again without a pause; a process that was killed tries nothing again."""

    def sleep(_: float) -> None:
        if project.dead:
            raise Killed

    # The clock stands still, so that only an answer ends a wait.
    return Patience(limit=120.0, sleep=sleep, now=lambda: 0.0)


def google_servers(
    made: Design, project: Project, folder: Path, *, until: str = "", cloud: Cloud | None = None
) -> CloudServers:
    return CloudServers(
        made,
        lambda: cloud or google_cloud(project),
        machines=lambda: {host.name: "e2-medium" for host in made.servers},
        folder=folder,
        until=until,
        patience=patience(project),
        lets_in=lambda _: True,
    )


def removal_of(servers: CloudServers, design: Design, project: Project) -> CloudRemoval:
    """Return the removal of a system, in a process of its own."""
    return cloud_removal(servers, design, google_cloud(project), patience(project))
