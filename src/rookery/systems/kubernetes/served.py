"""What servers are told of a mirror that is served to them: where packages and images come from."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from rookery.drivers.files import write_whole
from rookery.drivers.mirror import Mirror
from rookery.projections.kubernetes.sources import node_repositories, repository_path
from rookery.systems.kubernetes.paths import ClusterPaths


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


def told_url(paths: ClusterPaths) -> str:
    """Return the URL that servers were told of by the last playbook that ended well; empty for none."""
    try:
        return paths.told.read_text().strip()
    except FileNotFoundError:
        return ""


def note_told(paths: ClusterPaths, url: str) -> None:
    """Note what servers know now: with another URL, the playbooks have to run again."""
    if url:
        write_whole(paths.told, f"{url}\n".encode())
    else:
        paths.told.unlink(missing_ok=True)
