"""Ceph's bindings for Python, which only servers have, as far as loading what uses them."""

from __future__ import annotations

import types


class Binding(types.ModuleType):
    """Stands for one of Ceph's bindings, which come with Debian's packages of a server: only loaded here."""

    def __getattr__(self, name: str) -> int:
        return 0
