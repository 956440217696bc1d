"""What labs' tests share: where they can run, in which order, and the default lab."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rookery.errors import NotPossibleError
from rookery.systems.native.preflight import require_native_lab
from tests.kit.labs import Lab, bring_up


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here starts servers; where that cannot be, it is skipped by name and with the reason.

    Modules that share the default lab run last and one after the other, so that it runs no longer than they;
    the very last is the one that makes another lab of it.
    """
    items.sort(key=_turn)
    reason = ""
    try:
        require_native_lab()
    except NotPossibleError as error:
        reason = f"no lab on this machine: {error.what}. {error.hint}".rstrip()
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.lab)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


def _turn(item: pytest.Item) -> int:
    if Path(__file__).parent not in item.path.parents or not _shares_the_lab(item):
        return 0
    return 2 if item.path.stem == "test_change" else 1


def _shares_the_lab(item: pytest.Item) -> bool:
    return "lab" in getattr(item, "fixturenames", ()) and not hasattr(getattr(item, "module", None), "lab")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The default design, verified."""
    yield from bring_up(tmp_path_factory.mktemp("lab"), "test-default", "pattern: production-minimum\n")
