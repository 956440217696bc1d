"""What all tests share: surroundings that are the same everywhere, workers, a word on what was skipped."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hypothesis
import pytest

from tests.kit import slowest
from tests.kit.lab_table import worker_of

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

    from tests.kit.postgres import Postgres

LAB = Path(__file__).parent / "lab"
_BEGAN = pytest.StashKey[float]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--slowest-to", metavar="PAGE", help="write the slowest tests of this run into a page")


def pytest_sessionstart(session: pytest.Session) -> None:
    session.config.stash[_BEGAN] = time.monotonic()


def pytest_configure() -> None:
    """Take what differs from user to user out of the tests' way; tests that are about it set it themselves.

    Files that tests lay out for others have to be readable by them, and what programs say is compared.
    """
    os.umask(0o022)
    # A shell's jobs in the background do not hear an interrupt, and would hand that on to programs of tests.
    signal.signal(signal.SIGINT, signal.default_int_handler)
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
    return 0 if worker_of(item.nodeid) == "labs" else 2


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Give one worker most tests of labs, one the other labs, and all of them a module at a time of the rest.

    More labs at once would take more memory than a machine may have (8 GB are enough for two), and what a
    module's fixtures start is started once. xdist's own marks (`xdist_group`) cannot say it: 3.8 does not
    see them under pytest 9.
    """
    from xdist.scheduler import LoadScopeScheduling

    class Modules(LoadScopeScheduling):  # type: ignore[misc] # it ships no types
        def _split_scope(self, nodeid: str) -> str:
            return worker_of(nodeid) or nodeid.partition("::")[0]

    config.option.loadscopereorder = False  # the order is ours
    return Modules(config, log)


@pytest.fixture(scope="session")
def session_postgres() -> Iterator[Postgres]:
    """A PostgreSQL for all modules; each has it anew (`Postgres.renewed`)."""
    from tests.kit.postgres import running_postgres

    with running_postgres() as postgres:
        yield postgres


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line for each reason how many tests were skipped; each reason says what to do about it."""
    counts = Counter(_reasons(terminalreporter.stats.get("skipped", [])))
    if counts:
        terminalreporter.section("not run on this machine")
    for reason, count in sorted(counts.items()):
        terminalreporter.line(f"{count} {'test' if count == 1 else 'tests'}: {reason}")
    if page := terminalreporter.config.option.slowest_to:
        _write_slowest(terminalreporter, Path(page))


def _write_slowest(terminalreporter: pytest.TerminalReporter, page: Path) -> None:
    """Write what each part of each test took into a page that may have figures of other tests."""
    config = terminalreporter.config
    reports = [one for kind in terminalreporter.stats.values() for one in kind]
    run = slowest.Run(
        day=time.strftime("%Y-%m-%d"),
        machine=slowest.this_machine(),
        workers=len({one.node for one in reports if hasattr(one, "node")}) or 1,
        seconds=time.monotonic() - config.stash[_BEGAN],
    )
    paid = [
        slowest.Paid(test=one.nodeid, part=one.when or "", seconds=one.duration)
        for one in reports
        if isinstance(one, pytest.TestReport)
    ]
    before = page.read_text(encoding="utf-8") if page.exists() else ""
    page.write_text(slowest.render_slowest(run, paid, before=before), encoding="utf-8")
    terminalreporter.line(f"{page} is written")


def _reasons(reports: list[pytest.TestReport]) -> Iterator[str]:
    for report in reports:
        found = report.longrepr
        text = found[2] if isinstance(found, tuple) else str(found)
        yield text.removeprefix("Skipped: ")


@pytest.fixture(scope="session")
def _aws_server() -> Iterator[Any]:
    # What AWS is stood in for by takes seconds to load, which other tests need not wait for.
    from tests.kit.strict_aws import strict_aws

    with strict_aws() as world:
        yield world


@pytest.fixture
def aws(_aws_server: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An empty account at the stand-in for AWS, which was never wrong by itself."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "of-a-test")
    _aws_server.reset()
    yield _aws_server
    assert _aws_server.broken == []
