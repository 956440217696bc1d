"""The Kubernetes tree of a design: everything that is applied, in the order in which it is applied."""

from rookery.projections.kubernetes.tree import build_stages, render_kubernetes

__all__ = ["build_stages", "render_kubernetes"]
