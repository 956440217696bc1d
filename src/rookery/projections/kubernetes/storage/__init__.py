"""Rook and Ceph on Kubernetes: the operator, CSI's drivers, exactly the designed hosts, drives and pools."""

from rookery.projections.kubernetes.storage.stage import storage_stage

__all__ = ["storage_stage"]
