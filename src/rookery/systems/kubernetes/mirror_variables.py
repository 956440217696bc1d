"""What servers are told of a mirror that is served to them: where packages and images come from."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from rookery.mirror.folder import Mirror
from rookery.projections.kubernetes.sources import node_repositories, repository_path


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
