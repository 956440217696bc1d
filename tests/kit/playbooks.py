"""The rendered playbooks in a folder, and Ansible's programs on them, for tests."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from rookery.projections.kubernetes.bootstrap import render_bootstrap
from tests.kit.designs import design

BIN = Path(sys.executable).parent


def write(folder: Path, data: dict[str, Any]) -> Path:
    """Write the bootstrap of a design and return its folder."""
    for file in render_bootstrap(design(data)):
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
    return folder / "00-bootstrap"


def run(folder: Path, *argv: str, more: Mapping[str, str] | None = None) -> subprocess.CompletedProcess[str]:
    """Run one of Ansible's programs in a folder, as somebody does who has the tree alone; `more` is added to
    its environment."""
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
            **(more or {}),
        },
    )


def fill(folder: Path, template: str, told: dict[str, Any], host: str = "worker-a") -> str:
    """Return a template of a role as Ansible fills it for a host, which is told a few variables more."""
    here = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    (folder / "told.yaml").write_text(yaml.safe_dump({**here, **told}))
    to = folder.parent / "filled"
    module = ("-m", "ansible.builtin.template", "-a", f"src={template} dest={to}")
    done = run(folder, "ansible", host, *module, "-e", "@told.yaml")
    assert done.returncode == 0, done.stdout + done.stderr
    return to.read_text()
