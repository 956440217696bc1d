"""Namespaces for programs of tests: what they mount, start and leave is nobody else's."""

from __future__ import annotations

# Mounts and a process table of its own, as on a server; what is left in it ends with it.
APART = ("unshare", "--mount", "--pid", "--fork", "--mount-proc", "--kill-child=KILL")
