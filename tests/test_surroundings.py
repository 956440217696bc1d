"""What rookery lays for others is theirs to read, wherever it runs and whatever its user closes to them."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rookery.design.model import Design
from rookery.drivers.containers.runc import Container, build_config
from rookery.drivers.machine.files import write_files
from rookery.files import File
from rookery.projections.native.server import render_server
from tests.kit.designs import design
from tests.kit.postgres import running_postgres

CLI = """
import os, sys
from rookery.cli.main import cli
os.umask(0o077)
try:
    cli(sys.argv[1:], standalone_mode=False)
except BaseException:
    pass
print(f"{os.umask(0):o}")
"""


@contextmanager
def umask(mask: int) -> Iterator[None]:
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def laid(of: Design, folder: Path, mask: int) -> dict[str, int]:
    """Return the mode of each file and folder of all servers of a design, laid under a umask."""
    folder.mkdir()
    with umask(mask):
        for host in of.hosts:
            files = render_server(of, host, fsid="00000000-0000-4000-8000-000000000000")
            write_files(folder / host.name, files, users={file.owner: (0, 0) for file in files})
    found = sorted(folder.rglob("*"))
    return {str(path.relative_to(folder)): stat.S_IMODE(path.stat().st_mode) for path in found}


def test_files_of_servers_have_the_same_modes_under_any_umask(tmp_path: Path) -> None:
    of = design({"pattern": "production-minimum"})
    usual, strict = laid(of, tmp_path / "usual", 0o022), laid(of, tmp_path / "strict", 0o077)
    assert strict == usual
    assert len(usual) > 100
    assert strict["worker-a/etc"] == 0o755
    files = {f"{h.name}/{f.path}": f for h in of.hosts for f in render_server(of, h, fsid="x")}
    assert {path: strict[path] for path in files} == {path: file.mode for path, file in files.items()}


def test_a_secret_stays_closed_under_any_umask(tmp_path: Path) -> None:
    with umask(0):
        write_files(tmp_path, [File.text("a/key", "secret", mode=0o600)], users={"root": (0, 0)})
    modes = [stat.S_IMODE((tmp_path / name).stat().st_mode) for name in ("a", "a/key")]
    assert modes == [0o755, 0o600]


def test_a_servers_programs_have_a_umask_of_their_own() -> None:
    container = Container(
        id="lab.a",
        hostname="a",
        root=Path("/root"),
        namespace="lab.a",
        argv=("/init",),
        cgroup="/rookery/lab/a",
        memory=2**30,
        cpus=1,
        binds=(),
        fuse=False,
    )
    assert build_config(container)["process"]["user"] == {"uid": 0, "gid": 0, "umask": 0o022}


@pytest.mark.parametrize(
    ("words", "umask"),
    [
        # They end early, for there is no such system, spec or option; looked at is what they begin with.
        (("up", "/nowhere.yaml"), "22"),
        (("status", "no-such-system"), "22"),
        (("load", "start", "--system", "no-such-system"), "22"),
        (("image", "--no-such-option"), "22"),
        # What these write is their user's own.
        (("render", "/nowhere.yaml"), "77"),
        (("init", "--no-such-option"), "77"),
    ],
)
def test_the_users_umask_is_for_the_users_files(words: tuple[str, ...], umask: str) -> None:
    done = subprocess.run(
        (sys.executable, "-c", CLI, *words),
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parent.parent / "src")},
        capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.stdout.splitlines()[-1:] == [umask], done.stderr


def test_postgres_runs_though_nobody_else_may_enter_where_the_tests_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its user says so on standard error otherwise, which is compared with nothing (`Postgres.run`)."""
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    monkeypatch.chdir(closed)
    monkeypatch.setenv("TMPDIR", str(closed))
    with running_postgres() as postgres:
        assert postgres.rows("SELECT count(*) FROM catalogue.titles") == [(3,)]
