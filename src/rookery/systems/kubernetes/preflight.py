"""What this machine must have to bring up a system on Kubernetes, and to look at one."""

from __future__ import annotations

import os
import shutil

from rookery.design.model import Design
from rookery.drivers.kubernetes import kubeone
from rookery.errors import NotPossibleError
from rookery.versions import KUBEONE

# What a system on Kubernetes is brought up with, and where each comes from.
_CLUSTER_TOOLS = (
    ("kubectl", "https://kubernetes.io/docs/tasks/tools/install-kubectl-linux/"),
    ("helm", "https://helm.sh/docs/intro/install/"),
)


def require_cluster_tools() -> None:
    """Raise NotPossibleError where kubectl or helm is missing."""
    missing = [(name, where) for name, where in _CLUSTER_TOOLS if shutil.which(name) is None]
    if missing:
        raise NotPossibleError(
            f"this machine lacks {' and '.join(name for name, _ in missing)}",
            hint=f"See {' and '.join(where for _, where in missing)}.",
        )


def require_installer(design: Design) -> None:
    """Raise NotPossibleError where what makes a cluster of the servers is not here."""
    if design.kubernetes is None or design.kubernetes.bootstrap != "kubeone":
        return
    if shutil.which(kubeone.PROGRAM) is None:
        raise NotPossibleError(
            f"this machine lacks {kubeone.PROGRAM}, which makes the cluster (kubernetes.bootstrap: kubeone)",
            hint=f"Version {KUBEONE} is at https://github.com/kubermatic/kubeone/releases/tag/v{KUBEONE}.",
        )
    if not os.environ.get("SSH_AUTH_SOCK"):
        raise NotPossibleError(
            "there is no SSH agent, by whose keys KubeOne logs in on the servers (SSH_AUTH_SOCK is not set)",
            hint='Start one, and add the key: `eval "$(ssh-agent)" && ssh-add`.',
        )
