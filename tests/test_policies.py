"""The rendered manifests against checkov's policies for Kubernetes; what is not met is waived with a reason.

checkov is installed from a lock of its own into an environment of its own, on the first run.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Container
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import yaml

from rookery.design.model import Design
from rookery.projections.kubernetes import render_kubernetes
from rookery.run.workspace import open_spec
from tests.kit.cluster_designs import design

ROOT = Path(__file__).parent.parent
LOCK = ROOT / "requirements-policies.lock"
ENVIRONMENT = ROOT / ".venv-policies"
WAIVERS: dict[str, dict[str, Any]] = yaml.safe_load((ROOT / "tests" / "policies.yaml").read_text())


@pytest.fixture(scope="session")
def checkov() -> Path:
    """Return the program; where it cannot be installed, tests are skipped with pip's words, but not in CI."""
    noted = ENVIRONMENT / LOCK.name
    if not noted.exists() or noted.read_bytes() != LOCK.read_bytes():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(ENVIRONMENT)], check=True)
        pip = [str(ENVIRONMENT / "bin" / "python"), "-m", "pip", "install", "--quiet", "--require-hashes"]
        done = subprocess.run([*pip, "-r", str(LOCK)], capture_output=True, text=True, check=False)
        if done.returncode:
            why = " ".join(done.stderr.split())[-200:]
            said = f"checkov cannot be installed, which asks for PyPI: {why}"
            assert not os.environ.get("CI"), said
            pytest.skip(said)
        noted.write_bytes(LOCK.read_bytes())
    return ENVIRONMENT / "bin" / "checkov"


CASES = (
    ("production-minimum", "cilium"),
    ("hyperconverged", "cilium"),
    ("production-minimum", "bridge"),
    ("ha-control-plane", "bridge"),
    # The default with backups of all kinds.
    ("backed-up", "bridge"),
)
BACKUP = {
    "copies": [{"name": "away", "endpoint": "https://s3.example.org", "bucket": "rookery-away"}],
    "encryption": {"recipients": ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]},
}


@dataclass(frozen=True, kw_only=True)
class Told:
    """What checkov says of one tree: how many checks passed, and which failed on which object."""

    passed: int
    failed: tuple[tuple[str, str], ...]


@pytest.fixture(scope="session")
def told(checkov: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, str], Told]:
    """All trees by pattern and network, looked at in one run: to start takes as long as to look. So does
    what is the same in several of them, which is looked at once."""
    root = tmp_path_factory.mktemp("policies")
    cases = {case: _manifests(*case) for case in CASES}
    for name, content in {item for files in cases.values() for item in files.items()}:
        (root / name).write_bytes(content)
    argv = [str(checkov), "--directory", str(root), "--framework", "kubernetes", "--output", "json"]
    argv += ["--skip-download"]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    data = json.loads(done.stdout)
    assert data["summary"]["parsing_errors"] == 0, done.stderr[-500:]
    return {
        case: Told(
            passed=len(_within(data["results"]["passed_checks"], files)),
            failed=_within(data["results"]["failed_checks"], files),
        )
        for case, files in cases.items()
    }


def _manifests(pattern: str, network: str) -> dict[str, bytes]:
    """Return what a tree sends to the cluster, by names that tell the content: playbooks are ansible-lint's,
    values of charts are no manifests."""
    of = _design(pattern)
    assert of.kubernetes is not None
    tree = render_kubernetes(replace(of, kubernetes=replace(of.kubernetes, network=network)))
    sent = [file for file in tree if not file.path.startswith(("00-bootstrap/", "flux/"))]
    return {f"{sha256(file.content).hexdigest()[:16]}-{Path(file.path).name}": file.content for file in sent}


def _design(pattern: str) -> Design:
    if pattern == "backed-up":
        return design(backup=BACKUP)
    return open_spec(pattern, as_new=True, provider="hetzner").design


def _within(checks: list[dict[str, Any]], files: Container[str]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (one["check_id"], one["resource"]) for one in checks if one["file_path"].removeprefix("/") in files
    )


@pytest.mark.parametrize("case", CASES, ids="-".join)
def test_every_finding_is_fixed_or_waived(case: tuple[str, str], told: dict[tuple[str, str], Told]) -> None:
    found = told[case].failed
    assert told[case].passed > 300
    assert [one for one in found if not _is_waived(*one)] == []


def test_every_waiver_is_needed(told: dict[tuple[str, str], Told]) -> None:
    found = {check for one in told.values() for check, _ in one.failed}
    assert WAIVERS.keys() - found == set()


def _is_waived(check: str, resource: str) -> bool:
    waiver = WAIVERS.get(check)
    return waiver is not None and any(fnmatchcase(resource, one) for one in waiver.get("resources", ["*"]))


def test_every_waiver_has_a_reason() -> None:
    assert all(waiver["what"] and len(waiver["why"]) > 40 for waiver in WAIVERS.values())
