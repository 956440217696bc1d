"""Clients of Hetzner's API that others wrote: Debian's `hcloud` command, Hetzner's collection for Ansible.

Both are fetched on the first run into a folder of their own and kept there. Where they cannot be, tests are
skipped and say why, but not in CI.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from rookery.clouds.hetzner.fake.serve import Served
from tests.kit.fake_hetzner import TOKEN

ROOT = Path(__file__).parent.parent.parent
LOCK = ROOT / "requirements-clients.lock"
KEPT = ROOT / ".venv-clients"
BIN = Path(sys.executable).parent
_COLLECTION = "ansible_collections/hetzner/"


def environment(served: Served, **more: str) -> Mapping[str, str]:
    """Return what tells any of these clients where the stand-in is."""
    kept = {name: os.environ[name] for name in ("PATH", "TMPDIR") if name in os.environ}
    told = {"HCLOUD_ENDPOINT": served.endpoint, "HCLOUD_TOKEN": TOKEN, "HOME": "/nonexistent"}
    return kept | told | {"LANG": "C.UTF-8", "NO_COLOR": "1", **more}


def hcloud_command() -> Path:
    """Return the `hcloud` command: the machine's, or that of Debian's package, unpacked and not installed."""
    installed = shutil.which("hcloud")
    if installed:
        return Path(installed)
    program = KEPT / "hcloud-cli" / "usr" / "bin" / "hcloud"
    if not program.exists():
        with tempfile.TemporaryDirectory() as folder:
            fetched = _run(("apt-get", "-q", "download", "hcloud-cli"), folder)
            if fetched is not None and os.geteuid() == 0:  # the lists of a new machine are empty
                _run(("apt-get", "-q", "update"), folder)
                fetched = _run(("apt-get", "-q", "download", "hcloud-cli"), folder)
            _require(fetched, "Debian's package hcloud-cli cannot be fetched")
            (package,) = Path(folder).glob("hcloud-cli_*.deb")
            KEPT.mkdir(exist_ok=True)
            unpacked = _run(("dpkg-deb", "--extract", str(package), str(KEPT / "hcloud-cli")), folder)
            _require(unpacked, "Debian's package hcloud-cli cannot be unpacked")
    return program


def hetzner_collection() -> Path:
    """Return the folder of collections that has Hetzner's."""
    noted = KEPT / "collections" / LOCK.name
    if not noted.exists() or noted.read_bytes() != LOCK.read_bytes():
        with tempfile.TemporaryDirectory() as folder:
            pip = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--require-hashes")
            _require(_run((*pip, "-r", str(LOCK)), folder), "Ansible's package cannot be fetched from PyPI")
            (wheel,) = Path(folder).glob("ansible-*.whl")
            with zipfile.ZipFile(wheel) as archive:
                wanted = [name for name in archive.namelist() if name.startswith(_COLLECTION)]
                archive.extractall(noted.parent, wanted)
        noted.write_bytes(LOCK.read_bytes())
    return noted.parent


def _run(argv: tuple[str, ...], folder: str) -> str | None:
    """Run a command; return the end of what it said where it failed."""
    try:
        done = subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False, timeout=300)
    except (OSError, subprocess.TimeoutExpired) as error:
        return str(error)
    return " ".join(done.stderr.split())[-300:] if done.returncode else None


def _require(failed: str | None, said: str) -> None:
    if failed is not None:
        assert not os.environ.get("CI"), f"{said}: {failed}"
        pytest.skip(f"{said}: {failed}")
