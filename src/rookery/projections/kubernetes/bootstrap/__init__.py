"""From bare Ubuntu servers to a Kubernetes cluster: inventory, playbooks, kubeadm's configuration."""

from rookery.projections.kubernetes.bootstrap.render import render_bootstrap

__all__ = ["render_bootstrap"]
