"""What counts as a server that runs, held against runc itself."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from rookery.drivers.containers.runc import NO_NETWORK, Container, Runc, build_config


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("runc") is None,
    reason="runc makes containers: run the tests as root, with runc installed",
)
def test_a_container_whose_start_was_killed_half_way_is_no_server(tmp_path: Path) -> None:
    """`runc run` creates, then starts: killed in between, its first process waits for ever."""
    runc = Runc(tmp_path / "state")
    container = Container(
        id="half", hostname="half", root=tmp_path / "root", namespace=NO_NETWORK, argv=("/bin/true",),
        cgroup="rookery-tests/half", memory=64 << 20, cpus=1, binds=(), fuse=False,
    )  # fmt: skip
    for folder in ("proc", "dev", "sys", "run", "tmp", "bin"):
        (tmp_path / "root" / folder).mkdir(parents=True)
    shutil.copy("/bin/true", tmp_path / "root/bin/true")
    (tmp_path / "config.json").write_text(json.dumps(build_config(container)))
    with (tmp_path / "said").open("wb") as said:
        create = runc.command("create", "--bundle", str(tmp_path), "half")
        done = subprocess.run(
            create, stdin=subprocess.DEVNULL, stdout=said, stderr=said, timeout=30, check=False
        )
    try:
        assert done.returncode == 0, (tmp_path / "said").read_text(encoding="utf-8")
        state = json.loads(subprocess.check_output(runc.command("state", "half"), timeout=30))
        assert state["status"] == "created"
        assert Path(f"/proc/{state['pid']}").exists()
        assert runc.running() == {}
        assert runc.began("half") is None
    finally:
        runc.delete("half")
    assert not (runc.state / "half").exists()
