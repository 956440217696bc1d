"""One format on both platforms: what a lab's database archives CloudNativePG's plugin reads, and vice versa.
The operator is not here; the very commands that its plugin runs are."""

from __future__ import annotations

import datetime as dt
import gzip
import json
import shlex
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from rookery.apps.backup.places import BUCKET, DATABASE, SERVER, WRITER
from rookery.apps.database.patroni import SOCKETS, VERSION
from rookery.drivers.clients.postgres import query
from rookery.systems.native.objects import gateway_url
from rookery.systems.native.system import NativeSystem
from tests.kit.barman_plugin import Store, environment
from tests.kit.lab_backups import backups, beside, client_of, take_set
from tests.kit.labs import Lab

pytestmark = pytest.mark.on("backup")
_FOLDER = "/var/lib/rookery/plugin"
_DATA = f"{_FOLDER}/pgdata"
_PORT = 5499


@dataclass(frozen=True, kw_only=True)
class Sidecar:
    """The primary's server, where commands run as the plugin runs them beside an instance."""

    system: NativeSystem
    host: str

    def run(self, argv: tuple[str, ...], **more: str) -> str:
        keys = self.system.s3_credentials(WRITER)
        authority = "/etc/rookery/tls/ca.crt"
        told = {
            **environment(keys.user, keys.password, authority),
            "HOME": _FOLDER,
            "TMPDIR": _FOLDER,
            **more,
        }
        words = [f"{name}={value}" for name, value in told.items()]
        user = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
        return self.system.execute(self.host, (*user, "env", "-C", _FOLDER, *words, *argv), timeout=300)


@pytest.fixture
def sidecar(system: NativeSystem) -> Iterator[Sidecar]:
    host = next(member.name for member in system.members() if member.is_primary)
    made = f"rm -rf {_FOLDER}; install -d -o postgres -g postgres -m 700 {_FOLDER}"
    system.execute(host, ("sh", "-c", made))
    yield Sidecar(system=system, host=host)
    end = f"/usr/lib/postgresql/{VERSION}/bin/pg_ctl stop -m immediate -D {_DATA} || true"
    system.execute(host, ("sh", "-c", f"setpriv --reuid=postgres --clear-groups {end}; rm -rf {_FOLDER}"))


@pytest.fixture
def store(system: NativeSystem) -> Store:
    return Store(url=gateway_url(system.design), path=f"s3://{BUCKET}/{DATABASE}", server=SERVER)


def test_what_a_lab_archived_begins_a_cluster_of_the_plugins(
    lab: Lab, system: NativeSystem, sidecar: Sidecar, store: Store
) -> None:
    door = system.database_door("load")
    query(door, "DROP TABLE IF EXISTS crossing")
    query(door, "CREATE TABLE crossing AS SELECT generate_series(1, 100) AS n")
    label = take_set(lab)
    query(door, "INSERT INTO crossing SELECT generate_series(101, 200)")
    base = part_of(backups(lab, "backup", "show", label))["base"]
    listed = {one["backup_id"]: one for one in json.loads(sidecar.run(store.list()))["backups_list"]}
    assert listed[base]["status"] == "DONE"
    # The first file of the log that it needs is asked for before anything is fetched.
    sidecar.run(store.wal(listed[base]["begin_wal"], f"{_FOLDER}/test.wal"))
    sidecar.run(store.restore(base, _DATA))
    assert replayed(sidecar, store, label) == "100|5050"


def part_of(made: Any) -> Any:
    return next(part["detail"] for part in made["parts"] if part["kind"] == "database")


def replayed(sidecar: Sidecar, store: Store, label: str) -> str:
    """Start PostgreSQL on what was fetched, with the log through the plugin's command, up to a restore point;
    return count and sum of the numbers."""
    wal = shlex.join(store.wal("%f", "%p"))
    settings = f"""\
hba_file = '{_FOLDER}/hba'
ident_file = '{_FOLDER}/ident'
listen_addresses = ''
port = {_PORT}
unix_socket_directories = '{_FOLDER}'
restore_command = '{wal}'
recovery_target_name = '{label}'
recovery_target_action = promote
archive_mode = off
hot_standby = off
"""
    programs = f"/usr/lib/postgresql/{VERSION}/bin"
    words = (
        f"printf %s {shlex.quote(settings)} > conf; echo local all all trust > hba; : > ident;"
        f" touch {_DATA}/recovery.signal; chmod 700 {_DATA};"
        f" {programs}/pg_ctl start -w -t 120 -D {_DATA} -l {_FOLDER}/log -o '-c config_file={_FOLDER}/conf'"
        f" > /dev/null || {{ tail -20 {_FOLDER}/log; exit 1; }}"
    )
    sidecar.run(("sh", "-c", words))
    select = f"psql -XAt --host={_FOLDER} --port={_PORT} --username=postgres --dbname=load"
    counted = f"{select} --command='SELECT count(*), sum(n) FROM crossing'"
    # It takes nobody before it has replayed all, and is a primary.
    waited = f"for _ in $(seq 100); do {counted} 2>> log && exit; sleep 0.3; done; tail -20 log"
    return sidecar.run(("sh", "-c", waited)).strip()


def test_what_the_plugin_backed_up_is_restored_by_rookery(
    lab: Lab, system: NativeSystem, sidecar: Sidecar, store: Store
) -> None:
    door = system.database_door("load")
    query(door, "DROP TABLE IF EXISTS crossing")
    query(door, "CREATE TABLE crossing AS SELECT generate_series(1, 100) AS n")
    name = f"backup-{time.strftime('%Y%m%d%H%M%S', time.gmtime())}"
    sidecar.run(store.backup(name), PGHOST=SOCKETS)
    theirs = json.loads(sidecar.run(store.show(name)))["cloud"]["backup_id"]
    query(door, "INSERT INTO crossing SELECT generate_series(101, 200)")
    time.sleep(1)
    moment = f"{dt.datetime.fromtimestamp(time.time(), tz=dt.UTC):%Y-%m-%dT%H:%M:%S}"
    time.sleep(1)
    query(door, "DROP TABLE crossing")
    restored = backups(lab, "restore", "database", "--at", moment)
    assert restored["base"] == theirs
    assert beside(system, restored, "crossing") == "200|20100"
    assert backups(lab, "backup", "check", take_set(lab), "--deep")["database"] == []
    assert "removed" in backups(lab, "restore", "database:drop")["says"]


def test_a_segment_that_the_plugin_archives_lies_where_ours_lie(
    system: NativeSystem, sidecar: Sidecar, store: Store
) -> None:
    client = client_of(system, WRITER)
    prefix = f"{DATABASE}/{SERVER}/wals/"
    ours = [
        item["Key"]
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        for item in page["Contents"]
        if len(item["Key"].rpartition("/")[2]) == len("000000010000000000000001.gz")
    ][-1]
    segment = ours.rpartition("/")[2].removesuffix(".gz")
    sidecar.run(store.wal(segment, f"{_FOLDER}/{segment}"))
    theirs = Store(url=store.url, path=store.path, server="crossing")
    sidecar.run(theirs.archive(f"{_FOLDER}/{segment}"))
    contents = [
        gzip.decompress(client.get_object(Bucket=BUCKET, Key=key)["Body"].read())
        for key in (ours, ours.replace(prefix, f"{DATABASE}/crossing/wals/"))
    ]
    assert contents[0] == contents[1]
    assert len(contents[0]) == 16 << 20
