"""The mirror: everything that a system on Kubernetes fetches, pulled into one folder."""
