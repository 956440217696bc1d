"""`ceph` on a host that has no administrator's key says which host has it, in one line."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from rookery.projections.native.server import render_server
from rookery.run.workspace import open_spec


def signpost(folder: Path) -> Path:
    """Lay the program that stands before `ceph`, with one for Ceph's own that says what it is asked."""
    design = open_spec("production-minimum", as_new=True).design
    files = {host.name: render_server(design, host, fsid="f") for host in design.hosts}
    assert not [file for file in files[design.admin_host.name] if file.path == "usr/local/bin/ceph"]
    laid = next(file for file in files["storage-m"] if file.path == "usr/local/bin/ceph")
    own = folder / "own"
    own.write_text('#!/bin/sh\necho "ceph $*"\n')
    own.chmod(0o755)
    script = folder / "ceph"
    script.write_bytes(laid.content.replace(b"/usr/bin/ceph", str(own).encode()))
    script.chmod(laid.mode)
    return script


@pytest.mark.parametrize("words", ["-s", "osd tree", "health detail"])
def test_who_has_no_key_is_told_where_it_is(tmp_path: Path, words: str) -> None:
    done = subprocess.run(
        [signpost(tmp_path), *words.split()], capture_output=True, text=True, timeout=20, check=False
    )
    said = f"ceph: the administrator's key is on cp-1 only: `rookery shell cp-1 -- ceph {words}`\n"
    assert (done.returncode, done.stdout, done.stderr) == (1, "", said)


@pytest.mark.parametrize(
    "words",
    ["--version", "daemon osd.4 status", "-n osd.4 -k /k -s", "--id block df", "--admin-daemon x help"],
)
def test_who_brings_a_key_or_needs_none_is_let_through(tmp_path: Path, words: str) -> None:
    done = subprocess.run(
        [signpost(tmp_path), *words.split()], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"ceph {words}\n", "")
