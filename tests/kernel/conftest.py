"""A guest for all tests of this folder, which run where they are asked for (`./rookery test --kernel`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kernel.guest import Guest, obstacle

_HERE = Path(__file__).parent


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave these out of a run that does not ask for them: they take a quarter of an hour."""
    if "kernel" in config.option.markexpr:
        return
    ours = [item for item in items if _HERE in item.path.parents and item.get_closest_marker("kernel")]
    if ours:
        config.hook.pytest_deselected(items=ours)
        items[:] = [item for item in items if item not in ours]


@pytest.fixture(scope="session")
def guest() -> Iterator[Guest]:
    if reason := obstacle():
        pytest.skip(f"no kernel of its own can be booted: {reason}")
    with Guest() as running:
        yield running
