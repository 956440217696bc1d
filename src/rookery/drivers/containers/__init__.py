"""Containers: runc, what supervises inside, Debian roots, OCI images."""
