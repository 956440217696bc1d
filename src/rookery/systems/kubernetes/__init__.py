"""A system on Kubernetes."""
