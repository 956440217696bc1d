"""What servers elsewhere are told: where our own image is, and of a mirror that is served to them."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from rookery.mirror.folder import Mirror
from rookery.projections.kubernetes.sources import node_repositories, repository_path
from rookery.systems.pod_image import archive_path


def remote_variables(*, mirror: Mirror | None, url: str, version: str) -> dict[str, Any]:
    """Return the playbooks' variables for servers that share no folder with this machine.

    Our own image is sent to them once it is built. The rest they fetch from a mirror where one is served at
    `url`, else from the internet. `version` is Kubernetes' minor one.
    """
    archive = archive_path()
    variables: dict[str, Any] = {"apps_image_archive": str(archive)} if archive.exists() else {}
    if mirror is not None and url:
        variables |= mirror_variables(url, mirror, version)
    return variables


def mirror_variables(url: str, mirror: Mirror, version: str) -> dict[str, Any]:
    """Return the playbooks' variables for servers that fetch everything from a mirror at `url`.

    `version` is Kubernetes' minor one. Each registry of an image in the mirror gets its place there.
    """
    kubernetes, crio = (f"{url}/{repository_path(one)}/" for one in node_repositories(version))
    parts = urlsplit(url)
    registries = sorted({name.partition("/")[0] for name in mirror.image_names()})
    return {
        "kubernetes_packages": kubernetes,
        "crio_packages": crio,
        "registry_mirrors": [
            {
                "registry": registry,
                "mirror": f"{parts.netloc}/{registry}",
                "insecure": parts.scheme == "http",
            }
            for registry in registries
        ],
    }
