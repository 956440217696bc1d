"""What a killed postmaster left is ended before another starts, held against a real PostgreSQL."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

import pytest

from tests.kit.namespaces import APART

SCRIPT = files("rookery.apps.database") / "guest" / "start-postgres"
SERVERS = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
# A backend that is stopped does not notice that its postmaster is gone, as one that waits for input does not.
TEXT = """
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
cd {folder}
as() {{ setpriv --reuid=postgres --regid=postgres --init-groups "$@"; }}
psql() {{ as {bin}/psql --no-psqlrc -h {folder} -p 54329 -Atc "$1" postgres; }}
start() {{
    as "$1" -D {folder}/data -k {folder} -p 54329 -c listen_addresses= > {folder}/$2 2>&1 < /dev/null &
}}
ready() {{
    for _ in $(seq 100); do psql 'SELECT 1' > /dev/null 2>&1 && return; sleep 0.1; done
    echo "not ready"
}}
as {bin}/initdb -D {folder}/data --no-sync > /dev/null 2>&1
start {script} first
ready
psql 'SELECT pg_backend_pid(), pg_sleep(1000)' > /dev/null 2>&1 &
sleep 1
backend=$(psql "SELECT pid FROM pg_stat_activity WHERE query LIKE '%(1000)%' AND pid <> pg_backend_pid()")
kill -STOP $backend
kill -KILL $(head -n 1 {folder}/data/postmaster.pid)
sleep 0.5
start {bin}/postgres without
sleep 2
grep -o 'pre-existing shared memory block' {folder}/without
start {script} with
ready
grep -c "ending $backend, which the killed postmaster" {folder}/with
start {script} beside
sleep 1
grep -o 'lock file "postmaster.pid" already exists' {folder}/beside
psql 'SELECT 2'
"""


@pytest.fixture
def folder() -> Iterator[Path]:
    # Where PostgreSQL's user may enter.
    made = Path("/var/tmp") / f"start-postgres-{os.getpid()}"
    made.mkdir(mode=0o755)
    shutil.chown(made, "postgres", "postgres")
    script = made / "start-postgres"
    # With one version installed only, whichever others there are.
    script.write_text(
        SCRIPT.read_text().replace("$(echo /usr/lib/postgresql/*/bin/postgres)", str(SERVERS[-1]))
    )
    script.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.mark.skipif(os.geteuid() != 0 or not SERVERS, reason="it needs root and Debian's postgresql")
def test_a_backend_that_outlived_its_postmaster_keeps_no_other_from_starting(folder: Path) -> None:
    text = TEXT.format(folder=folder, bin=SERVERS[-1].parent, script=folder / "start-postgres")
    done = subprocess.run(
        (*APART, "--ipc", "sh", "-c", text), capture_output=True, text=True, timeout=90, check=False
    )
    assert done.stdout.splitlines() == [
        "pre-existing shared memory block",
        "1",
        'lock file "postmaster.pid" already exists',
        "2",
    ], done.stderr
