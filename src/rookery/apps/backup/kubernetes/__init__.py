"""Backup on Kubernetes: who writes to the bucket, what Velero keeps, snapshots of etcd, copies outside."""
