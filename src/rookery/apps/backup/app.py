"""Backup as an application: who takes backups where, the bucket they go to, and what it wants of others."""

from __future__ import annotations

from pathlib import PurePath

from rookery.apps.app import App
from rookery.apps.backup.kubernetes.items import IN_PODS
from rookery.apps.backup.kubernetes.pods import backup_pods
from rookery.apps.backup.native import ON_SERVERS
from rookery.apps.backup.places import (
    BUCKET,
    DRILL,
    NAMESPACE,
    OBJECTS,
    USER,
    VAULT,
    WRITER,
    WRITERS,
    lock_pool,
)
from rookery.apps.backup.settings import DAY, BackupSettings, days, seconds
from rookery.apps.sizes import BUCKETS, work
from rookery.design.app import Surroundings, storage_off
from rookery.design.model import AppDesign, Instance
from rookery.design.stored import Bucket, CephUser, Keeping
from rookery.spec.model import AppSettings
from rookery.units import MIB

_MOST_HOSTS = 3
# Restic and barman-cloud hold an index or a part of 20 MB for each thread in memory while they work.
_AGENT = Instance(app="backup", component="agent", memory=512 * MIB, resident=20 * MIB, ports=())


def place_backup(settings: AppSettings, surroundings: Surroundings) -> AppDesign:
    """Put an agent on the workers that an instance of the database may be on; one at a time works.

    On Kubernetes there is none: operators and CronJobs do there what it does.
    """
    assert isinstance(settings, BackupSettings)
    if surroundings.object_store is None:
        raise storage_off("backup", "backups go to a bucket", "object", otherwise="write `backup: null`")
    native = surroundings.platform == "native"
    found = surroundings.some_workers(None, _MOST_HOSTS, "backup") if native else ()
    hosts = tuple(name for name, _ in found)
    lock = 0 if settings.lock is None else days(settings.lock)
    writers = (WRITER,) if native else WRITERS
    keeping = _keeping(settings, native=native)
    return AppDesign(
        name="backup",
        settings=settings,
        placements=tuple((name, _AGENT) for name in hosts),
        buckets=(
            # Who has the writer's keys can hide all that is there: it stays for as long as a set is kept.
            Bucket(
                name=BUCKET, owner=VAULT, writers=writers, versions=max(keeping.versions, lock), lock=lock
            ),
            *((_drilled(keeping),) if native else ()),
        ),
        users=(_user(surroundings, hosts),) if native else (),
        keeping=keeping,
        pods=() if native else backup_pods(settings),
    )


def _keeping(settings: BackupSettings, *, native: bool) -> Keeping:
    kept = seconds(settings.retention.sets)
    return Keeping(
        user=WRITER,
        # A version is there for as long as the last set that may name it, and a day more to copy it.
        versions=-(-kept // DAY) + 1,
        folder=OBJECTS,
        bucket=BUCKET,
        base=seconds(settings.schedules.base),
        kept=kept,
        pods=() if native else (work("versions", BUCKETS),),
        lock=0 if settings.lock is None else days(settings.lock),
        copies=tuple(copy.endpoint for copy in settings.copies),
    )


def _drilled(keeping: Keeping) -> Bucket:
    """Return the bucket of what the drill writes and loses; it is kept as any other."""
    return Bucket(name=DRILL, owner=DRILL, copied_by=keeping.user, versions=keeping.versions)


def locate(settings: AppSettings, base: PurePath) -> AppSettings:
    """Return settings whose files are absolute: what the spec at `base` calls them by."""
    assert isinstance(settings, BackupSettings)

    def absolute(path: str | None) -> str | None:
        return None if path is None else str(base / path)

    copies = tuple(
        copy.model_copy(
            update={"authority": absolute(copy.authority), "credentials": absolute(copy.credentials)}
        )
        for copy in settings.copies
    )
    return settings.model_copy(update={"copies": copies}) if copies else settings


def _user(surroundings: Surroundings, hosts: tuple[str, ...]) -> CephUser:
    """Return who takes snapshots of volumes and of the file system, and holds the lock of who works."""
    mon, mgr, mds, osd = ["allow r"], [], [], []
    if surroundings.block_pools is not None:
        grants = ", ".join(f"profile rbd pool={name}" for name in surroundings.block_pools if name)
        # The system's own backup has these two maps beside those that the profile may read.
        mon, mgr = ["profile rbd", "allow service mds r", "allow service config r"], [grants]
        osd.append(grants)
    system = surroundings.file_system
    if system is not None:
        mds.append(f"allow rws fsname={system.name}")
        osd.append(f"allow rw tag cephfs data={system.name}")
    pool = lock_pool(surroundings.block_pools or (), system)
    if pool:
        osd.append(f"allow rwx pool={pool} namespace={NAMESPACE}")
    caps = (("mon", mon), ("mgr", mgr), ("mds", mds), ("osd", osd))
    return CephUser(name=USER, caps=tuple((kind, ", ".join(c)) for kind, c in caps if c), hosts=hosts)


BACKUP = App(
    name="backup",
    settings=BackupSettings,
    place=place_backup,
    about="Backups of database, objects, files and volumes as sets of one moment, to a locked bucket.",
    packages=("age", "barman-cli-cloud", "python3-boto3", "restic", "zstd"),
    on_servers=ON_SERVERS,
    locate=locate,
    in_pods=IN_PODS,
)
