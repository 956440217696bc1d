"""Programs that run on servers for streaming, for tests: as modules of this process, and as files."""

from __future__ import annotations

import contextlib
import importlib
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from rookery.apps.streaming import media

GUEST = Path(media.__file__).parent / "guest"


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))


def guest(name: str) -> ModuleType:
    """Return a program of the servers as a module; there, they lie side by side in one folder."""
    with _importable(GUEST):
        return importlib.import_module(name)
