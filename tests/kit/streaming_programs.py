"""Programs that run on servers for streaming, for tests: as modules of this process, and as files."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from rookery.apps.streaming import media

_GUEST = Path(media.__file__).parent / "guest"
PACKING = _GUEST / "packing"
_FOLDERS = (PACKING, *(_GUEST / "channel" / part for part in ("", "servers", "pods")))


@contextlib.contextmanager
def _importable() -> Iterator[None]:
    before = list(sys.path)
    sys.path[:0] = [str(folder) for folder in _FOLDERS]
    try:
        yield
    finally:
        sys.path[:] = before


def guest(name: str) -> ModuleType:
    """Return a program of the servers as a module; there, they lie side by side in one folder."""
    with _importable():
        return importlib.import_module(name)
