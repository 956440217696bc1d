"""What labs' tests share: where they can run, in which order, and the lab that each is marked for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from rookery.errors import NotPossibleError
from rookery.run.workspace import open_running
from rookery.systems.native.preflight import require_native_lab
from rookery.systems.native.system import NativeSystem
from tests.kit.lab_table import LABS
from tests.kit.labs import Lab, bring_up

HERE = Path(__file__).parent
_ORDER = list(LABS)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Give a test the lab that it is marked for; pytest keeps those of one lab together.

    The lab's name becomes the first in the brackets of the test's: xdist tells by it who gets the test.
    """
    mark = metafunc.definition.get_closest_marker("on")
    if mark is not None:
        (name,) = mark.args
        assert name in LABS, f"{metafunc.definition.nodeid}: no lab {name!r} in tests/kit/lab_table.py"
        metafunc.parametrize("on", [name], indirect=True, scope="session")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Everything here starts servers; where that cannot be, it is skipped by name and with the reason.

    Labs come in the order of their table; on one, those tests come last that make another lab of it.
    """
    items.sort(key=_turn)
    reason = ""
    try:
        require_native_lab()
    except NotPossibleError as error:
        reason = f"no lab on this machine: {error.what}. {error.hint}".rstrip()
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.lab)
            if reason:
                item.add_marker(pytest.mark.skip(reason=reason))


def _turn(item: pytest.Item) -> tuple[int, bool]:
    mark = item.get_closest_marker("on")
    if mark is None:
        return -1, False
    return _ORDER.index(mark.args[0]), bool(mark.kwargs.get("alters"))


@pytest.fixture(scope="session", autouse=True)
def on(request: pytest.FixtureRequest) -> str:
    """The name of the lab that the test is marked for; empty for those that need none."""
    return str(getattr(request, "param", ""))


@pytest.fixture(scope="session")
def lab(on: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab that the test is marked for, verified."""
    assert on, 'say on which lab it is: `pytestmark = pytest.mark.on("default")`'
    yield from bring_up(tmp_path_factory.mktemp(on), on)


@pytest.fixture
def system(lab: Lab) -> Iterator[NativeSystem]:
    """The lab that the test is on, as the program has it."""
    system = NativeSystem(open_running(lab.name).design)
    yield system
    system.close()
