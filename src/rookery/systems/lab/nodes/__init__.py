"""Servers of a lab that become a cluster: systemd under runc, in the place of a cloud's machines."""
