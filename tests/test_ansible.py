"""The rendered playbooks, read by the programs that judge and run them."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from rookery.projections.kubernetes.bootstrap import render_bootstrap
from tests.test_design import design

PEERS = "control_plane:!control_plane[0]"
BIN = Path(sys.executable).parent

DESIGNS: dict[str, dict[str, Any]] = {
    "kubeadm": {"pattern": "ha-control-plane", "provider": "hetzner"},
    "kubeone": {"provider": "aws", "kubernetes": {"bootstrap": "kubeone"}},
    "bridge": {"provider": "existing", "kubernetes": {"network": "bridge"}},
}
PLAYBOOKS = [
    ("kubeadm", "site.yaml"),
    ("kubeone", "prepare.yaml"),
    ("kubeone", "finish.yaml"),
    ("bridge", "site.yaml"),
]


def write(folder: Path, data: dict[str, Any]) -> Path:
    """Write the bootstrap of a design and return its folder."""
    for file in render_bootstrap(design(data)):
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    return folder / "00-bootstrap"


def run(folder: Path, *argv: str) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's programs in a folder, as somebody does who has the tree alone."""
    return subprocess.run(
        (str(BIN / argv[0]), *argv[1:]),
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env={
            **os.environ,
            "PATH": f"{BIN}:{os.environ['PATH']}",
            "NO_COLOR": "1",
            "HOME": str(folder.parent),
        },
    )


@pytest.mark.parametrize("name", list(DESIGNS))
def test_ansible_lint_finds_nothing(name: str, tmp_path: Path) -> None:
    done = run(write(tmp_path, DESIGNS[name]), "ansible-lint", "--offline", "-q", "--format=pep8", "--strict")
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


@pytest.mark.parametrize(("name", "playbook"), PLAYBOOKS)
def test_ansible_reads_each_playbook(name: str, playbook: str, tmp_path: Path) -> None:
    done = run(write(tmp_path, DESIGNS[name]), "ansible-playbook", "--syntax-check", playbook)
    assert (done.returncode, done.stdout.split()) == (0, ["playbook:", playbook]), done.stderr


def test_the_inventory_has_every_server_in_its_groups(tmp_path: Path) -> None:
    done = run(
        write(tmp_path, DESIGNS["kubeadm"]), "ansible", "--list-hosts", "control_plane:!control_plane[0]"
    )
    assert done.stdout == "  hosts (2):\n    cp-2\n    cp-3\n", done.stderr


def test_a_single_control_plane_has_no_peers(tmp_path: Path) -> None:
    folder = write(tmp_path, {"provider": "hetzner"})
    done = run(folder, "ansible", "--list-hosts", PEERS)
    assert "hosts (0)" in done.stdout, done.stderr
