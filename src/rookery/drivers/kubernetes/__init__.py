"""What drives Kubernetes: kubectl, helm, KubeOne, Ansible's playbooks."""
