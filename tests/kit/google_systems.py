"""Systems on the stand-in for Google, for tests."""

from __future__ import annotations

from pathlib import Path

from rookery.clouds.gcp.access import Access
from rookery.clouds.gcp.account import Account
from rookery.clouds.gcp.cloud import GoogleCloud
from rookery.clouds.patience import Patience
from rookery.design.model import Design
from rookery.systems.cloud.servers import CloudServers
from tests.kit.cloud_systems import cloud_design
from tests.kit.google_cloud.serving import Direct
from tests.kit.google_cloud.state import PROJECT, REGION, Project
from tests.kit.memory_cloud import Killed


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
    made: Design, project: Project, folder: Path, *, until: str = "", cloud: GoogleCloud | None = None
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
