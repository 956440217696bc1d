"""This machine: its processes, files, mounts, networks and block devices."""
