"""What all tests share: surroundings that are the same everywhere, workers, a word on what was skipped."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

LAB = Path(__file__).parent / "lab"
# Of the tests that start servers, those that are small enough to run beside a lab, and those that bring up
# labs of their own, one after the other: a machine of 8 GB has memory for two at once.
_WITHOUT_CEPH = ("test_bootstrap", "test_cluster_servers", "test_image")
_OTHER_LABS = ("test_kill", "test_other_designs")


def pytest_configure() -> None:
    """Take what differs from user to user out of the tests' way; tests that are about it set it themselves.

    Files that tests lay out for others have to be readable by them, and what programs say is compared.
    """
    os.umask(0o022)
    os.environ["LC_ALL"] = "C.UTF-8"
    os.environ.pop("LANGUAGE", None)
    # Beside a lab nothing has a speed: an example that takes long is none that is wrong.
    slow = hypothesis.HealthCheck.too_slow
    hypothesis.settings.register_profile("rookery", deadline=None, suppress_health_check=[slow])
    hypothesis.settings.load_profile("rookery")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Where several workers run the tests, the labs' come first, which take longest; last comes what a worker
    that is done with the others can do beside them."""
    if hasattr(config, "workerinput"):
        items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    if LAB not in item.path.parents:
        return 1
    return 2 if item.path.stem in (*_WITHOUT_CEPH, *_OTHER_LABS) else 0


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Give one worker most tests of labs, one the other labs, and all of them a module at a time of the rest.

    More labs at once would take more memory than a machine may have, and what a module's fixtures start is
    started once. Marks (`xdist_group`) cannot say it: xdist 3.8 does not see them under pytest 9.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Modules(LoadScopeScheduling):  # type: ignore[misc] # it ships no types
        def _split_scope(self, nodeid: str) -> str:
            module = Path(nodeid.partition("::")[0])
            if module.parent.name != LAB.name or module.stem in _WITHOUT_CEPH:
                return str(module)
            return "other labs" if module.stem in _OTHER_LABS else "labs"

    config.option.loadscopereorder = False  # the order is ours
    return Modules(config, log)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line for each reason how many tests were skipped; each reason says what to do about it."""
    counts = Counter(_reasons(terminalreporter.stats.get("skipped", [])))
    if counts:
        terminalreporter.section("not run on this machine")
    for reason, count in sorted(counts.items()):
        terminalreporter.line(f"{count} {'test' if count == 1 else 'tests'}: {reason}")


def _reasons(reports: list[pytest.TestReport]) -> Iterator[str]:
    for report in reports:
        found = report.longrepr
        text = found[2] if isinstance(found, tuple) else str(found)
        yield text.removeprefix("Skipped: ")
