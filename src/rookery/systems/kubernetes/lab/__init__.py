"""The lab's own servers for Kubernetes: what a provider would hand out, made on this machine."""
