"""How the tests are run: what is skipped is said once, and workers get what belongs together."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import defaultdict
from pathlib import Path

from tests.kit.cluster_schemas import VARIABLE
from tests.kit.lab_table import worker_of

ROOT = Path(__file__).parent.parent


def pytest_says(*arguments: str, **environment: str) -> list[str]:
    """Return the lines of a run of pytest on this checkout, which has to succeed."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    done = subprocess.run(
        (sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *arguments),
        cwd=ROOT, env=inherited | environment, capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.splitlines()


def test_a_reason_to_skip_is_said_once_with_what_to_do() -> None:
    lines = pytest_says(
        *("-q", "tests/test_kubernetes_tree.py", "tests/test_bridge_network.py"),
        *("-k", "charts_know or field_that_does_not_exist or custom_resources"),
        **{VARIABLE: "/nowhere"},
    )
    at = next(number for number, line in enumerate(lines) if "not run on this machine" in line)
    count = lines[-1].partition(" ")[0]
    assert int(count) > 20
    said = (
        f"{count} tests: ROOKERY_SCHEMAS names no folder with the definitions of Rook's and the charts'"
        " custom resources; HACKING.md, 'The Kubernetes tree', says what it holds and where that comes from"
    )
    assert lines[at + 1 : -1] == [said]


def test_each_module_stays_with_one_worker_and_what_it_takes_is_written(tmp_path: Path) -> None:
    modules = ["tests/test_jobs.py", "tests/test_pools.py", "tests/test_primary.py"]
    page = tmp_path / "page.md"
    lines = pytest_says("-v", "-n", "2", f"--slowest-to={page}", *modules)
    workers: dict[str, set[str]] = defaultdict(set)
    for line in lines:
        worker, _, rest = line.partition(" ")
        if worker in ("[gw0]", "[gw1]") and "::" in rest:
            workers[rest.split("PASSED ")[1].partition("::")[0]].add(worker)
    assert sorted(workers) == modules
    assert {name: len(found) for name, found in workers.items()} == dict.fromkeys(workers, 1)
    assert set.union(*workers.values()) == {"[gw0]", "[gw1]"}
    assert f"{page} is written" in lines
    text = page.read_text(encoding="utf-8")
    assert " tests in 2 workers, " in text
    assert "| call | `test_pools.py::" in text


def test_one_worker_has_most_labs_and_another_the_rest() -> None:
    found: dict[str, set[str]] = defaultdict(set)
    for line in pytest_says("--collect-only", "-q", "tests/lab"):
        if "::" in line:
            found[Path(line.partition("::")[0]).stem].add(worker_of(line))
    assert {name: len(workers) for name, workers in found.items()} == dict.fromkeys(found, 1)
    named = {name: workers.pop() for name, workers in found.items()}
    # These start servers without Ceph, and are no more in the way of a lab than other tests.
    assert {name for name, worker in named.items() if not worker} == {
        *("test_bootstrap", "test_cloud_servers", "test_cluster_servers", "test_image")
    }
    others = {name for name, worker in named.items() if worker == "other labs"}
    assert {name for name in others if not name.startswith("test_backup")} == {
        *("test_kill", "test_other_designs", "test_releases", "test_upgrade")
    }
    assert {name for name in named if name.startswith("test_backup")} < others
    assert {"test_default", "test_database"} < {name for name, worker in named.items() if worker == "labs"}
