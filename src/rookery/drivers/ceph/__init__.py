"""Ceph: a session through the agent that runs beside it, its tools, a monitor's store."""
