"""The floor of backups: what a skilled person types with the same tools on the same server.

`python3 backup_floor.py VERB KIND NUMBER`: `prepare`, `backup`, `restore`, `forget`; each reads how Ceph, the
database and the bucket are reached from the files of the lab's own agent, and uses nothing else of it. What
is backed up goes to the same bucket, below `floor/`, by the same keys.

- database: `barman-cloud-backup --gzip --immediate-checkpoint`, as CloudNativePG's plugin types it, with two
  jobs on two cores; back by `barman-cloud-restore` and a PostgreSQL with the settings that ours has, which
  fetches the log by `barman-cloud-wal-restore` until it is consistent.
- objects: copied by the gateway, sixteen at a time, as `rclone copy` and `aws s3 sync` do.
- files: a snapshot of CephFS, mounted by ceph-fuse as the kernel here has no CephFS, and restic.
- block: a snapshot of each volume, `rbd export-diff | zstd -1 | S3`, and `S3 | zstd -d | rbd import-diff`:
  `rbd export` would send a volume's holes, too.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

CONFIG = json.loads(Path("/etc/rookery/backup.json").read_text(encoding="utf-8"))
KEYS = json.loads(Path("/etc/rookery/backup-keys.json").read_text(encoding="utf-8"))
STORE = CONFIG["store"]
BUCKET = STORE["bucket"]
USER = CONFIG["cluster"]["user"]
MOUNT, INSTANCE = Path("/run/floor"), Path("/var/lib/rookery/scratch/floor")
DRILL = "drill"
PART, AT_ONCE_PARTS = 8 << 20, 10  # as aws has it
AT_ONCE = 16
STARTS = 120.0
ENVIRONMENT = {
    **os.environ,
    "AWS_ACCESS_KEY_ID": KEYS["access"],
    "AWS_SECRET_ACCESS_KEY": KEYS["secret"],
    "AWS_DEFAULT_REGION": "default",
    "AWS_CA_BUNDLE": STORE["authority"],
    "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
    "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
    "RESTIC_CACERT": STORE["authority"],
    "RESTIC_PASSWORD": KEYS["restic"],
    "RESTIC_CACHE_DIR": "/var/cache/floor",
    "RESTIC_PROGRESS_FPS": "0.05",
    "HOME": "/root",
}
AS_OWNER = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--")


def run(*argv: str, cwd: Path | None = None, **environment: str) -> str:
    done = subprocess.run(
        argv,
        cwd=cwd,
        env={**ENVIRONMENT, **environment},
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
    )
    if done.returncode:
        sys.exit(f"{argv}: exit {done.returncode}: {done.stdout}")
    return done.stdout


def pipe(*commands: Sequence[str]) -> None:
    """Run commands, each into the next."""
    source: Any = subprocess.DEVNULL
    started = []
    for number, argv in enumerate(commands, 1):
        target = None if number == len(commands) else subprocess.PIPE
        one = subprocess.Popen(argv, stdin=source, stdout=target, env=ENVIRONMENT, pipesize=1 << 20)
        if source is not subprocess.DEVNULL:
            source.close()
        source = one.stdout
        started.append(one)
    codes = [one.wait() for one in started]
    if any(codes):
        sys.exit(f"one of {commands} failed")


def client(keys: Sequence[str] = ()) -> Any:
    import boto3
    from botocore.config import Config

    access, secret = keys or (KEYS["access"], KEYS["secret"])
    config = Config(
        s3={"addressing_style": "path"},
        max_pool_connections=AT_ONCE,
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
    )
    return boto3.session.Session().client(
        "s3",
        endpoint_url=STORE["endpoint"],
        region_name="default",
        aws_access_key_id=access,
        aws_secret_access_key=secret,
        verify=STORE["authority"],
        config=config,
    )


# The database


def backup_database(number: str) -> None:
    told = CONFIG["database"]
    argv = (
        *("barman-cloud-backup", f"--endpoint-url={STORE['endpoint']}", "--immediate-checkpoint", "--gzip"),
        *("--jobs=2", f"--name=floor-{number}", f"s3://{BUCKET}/floor-{number}", "database"),
    )
    run(*AS_OWNER, *argv, cwd=Path("/"), PGHOST=told["sockets"], HOME="/var/lib/postgresql")


def restore_database(number: str) -> None:
    told = CONFIG["database"]
    INSTANCE.mkdir(parents=True)
    shutil.chown(INSTANCE, "postgres", "postgres")
    data, endpoint = INSTANCE / "data", f"--endpoint-url={STORE['endpoint']}"
    base = ("barman-cloud-restore", endpoint, f"s3://{BUCKET}/floor-{number}", "database", f"floor-{number}")
    run(*AS_OWNER, *base, str(data), cwd=Path("/"), HOME="/var/lib/postgresql")
    for name, text in {"postgresql.conf": "", "ident.conf": "", "hba.conf": "local all all trust\n"}.items():
        (INSTANCE / name).write_text(text, encoding="utf-8")
        shutil.chown(INSTANCE / name, "postgres", "postgres")
    (data / "recovery.signal").touch()
    shutil.chown(data / "recovery.signal", "postgres", "postgres")
    log = (INSTANCE / "log").open("wb")
    options = [f"--{name}={value}" for name, value in _settings().items()]
    argv = (*AS_OWNER, f"{told['programs']}/postgres", "-D", str(data), *options)
    server = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=log,
        stderr=log,
        env=ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    )
    limit = time.monotonic() + STARTS
    while not _serves(data):
        if server.poll() is not None or time.monotonic() > limit:
            sys.exit((INSTANCE / "log").read_text(encoding="utf-8"))
        time.sleep(0.1)


def _settings() -> dict[str, str]:
    """Return the settings that ours restores with, for a target that is as near."""
    told = CONFIG["database"]
    archive = f"s3://{BUCKET}/{told['prefix']} {told['server']}"
    fetch = f"barman-cloud-wal-restore --endpoint-url={STORE['endpoint']} {archive} %f %p"
    return {
        "config_file": f"{INSTANCE}/postgresql.conf",
        "hba_file": f"{INSTANCE}/hba.conf",
        "ident_file": f"{INSTANCE}/ident.conf",
        "unix_socket_directories": str(INSTANCE),
        "restore_command": fetch,
        "recovery_target": "immediate",
        "recovery_target_action": "promote",
        "listen_addresses": "",
        "port": "5433",
        "shared_buffers": "64MB",
        "hot_standby": "off",
        "archive_mode": "off",
        "primary_conninfo": "",
        "primary_slot_name": "",
        "synchronous_standby_names": "",
        "logging_collector": "off",
        "log_destination": "stderr",
        "fsync": "off",
    }


def _serves(data: Path) -> bool:
    try:
        lines = (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()
    except OSError:
        return False
    return len(lines) > 7 and lines[7].strip() == "ready"


# Objects


def _copy_all(s3: Any, pairs: Iterable[tuple[str, str, str]], target: str) -> None:
    def copy(pair: tuple[str, str, str]) -> None:
        bucket, key, to = pair
        s3.copy_object(Bucket=target, Key=to, CopySource={"Bucket": bucket, "Key": key})

    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(copy, pairs))


def _keys(s3: Any, bucket: str, prefix: str) -> list[str]:
    pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
    return [item["Key"] for page in pages for item in page.get("Contents", ())]


def _top(number: str) -> str:
    """Return where copies lie: below what who owns the bucket may read of it."""
    return f"objects/{DRILL}/floor-{number}/"


def backup_objects(number: str) -> None:
    s3, top = client(), _top(number)
    _copy_all(s3, ((DRILL, key, top + key) for key in _keys(s3, DRILL, "")), BUCKET)


def restore_objects(number: str) -> None:
    owner, top, target = client(sys.argv[4:6]), _top(number), f"floor-{DRILL}-{number}"
    owner.create_bucket(Bucket=target)
    keys = _keys(client(), BUCKET, top)
    _copy_all(owner, ((BUCKET, key, key.removeprefix(top)) for key in keys), target)


# Files


class Mounted:
    """The root of CephFS at /run/floor. Its client is waited for: what was written is stored only then."""

    def __enter__(self) -> Path:
        MOUNT.mkdir(exist_ok=True)
        argv = ("ceph-fuse", "-f", "--id", USER, "--client_fs", CONFIG["files"]["fileSystem"], "-r", "/")
        self._client = subprocess.Popen(
            (*argv, str(MOUNT)), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        limit = time.monotonic() + STARTS
        while not os.path.ismount(MOUNT):
            if self._client.poll() is not None or time.monotonic() > limit:
                sys.exit("ceph-fuse does not mount")
            time.sleep(0.05)
        return MOUNT

    def __exit__(self, *_: object) -> None:
        run("umount", str(MOUNT))
        self._client.wait()


def restic(number: str, *argv: str, cwd: Path | None = None) -> None:
    repository = f"s3:{STORE['endpoint']}/{BUCKET}/floor/files-{number}"
    run("restic", "--json", "-o", "s3.connections=10", *argv, RESTIC_REPOSITORY=repository, cwd=cwd)


def prepare_files(number: str) -> None:
    restic(number, "init")


def backup_files(number: str) -> None:
    with Mounted() as root:
        snapshot = root / ".snap" / f"floor-{number}"
        snapshot.mkdir()
        restic(number, "backup", "--no-scan", "--host=floor", ".", cwd=snapshot)
        snapshot.rmdir()


def restore_files(number: str) -> None:
    with Mounted() as root:
        target = root / f"floor-{number}"
        target.mkdir()
        restic(number, "restore", "--no-lock", "latest:/", "--target", str(target))


# Block volumes


def _images() -> list[str]:
    pool = CONFIG["block"]["pool"]
    said = run("rbd", "--id", USER, "group", "image", "list", f"{pool}/backup", "--format=json")
    return [one["image"] for one in json.loads(said)]


def backup_block(number: str) -> None:
    pool, rbd = CONFIG["block"]["pool"], ("rbd", "--id", USER)
    images = _images()
    for image in images:
        run(*rbd, "snap", "create", "--no-progress", f"{pool}/{image}@floor-{number}")
    for image in images:
        put = (sys.executable, __file__, "put", f"floor/block-{number}/{image}")
        export = (*rbd, "export-diff", "--no-progress", f"{pool}/{image}@floor-{number}", "-")
        pipe(export, ("zstd", "-1", "-T0", "-q", "-c"), put)


def restore_block(number: str) -> None:
    pool, data, rbd = CONFIG["block"]["pool"], CONFIG["block"]["dataPool"], ("rbd", "--id", USER)
    for image in _images():
        size = json.loads(run(*rbd, "info", "--format=json", f"{pool}/{image}"))["size"]
        target = f"{pool}/floor-{image}"
        where = ("--data-pool", data) if data else ()
        run(*rbd, "create", "--size", f"{size}B", *where, target)
        get = (sys.executable, __file__, "get", f"floor/block-{number}/{image}")
        pipe(get, ("zstd", "-d", "-q", "-c"), (*rbd, "import-diff", "--no-progress", "-", target))


def forget_block(number: str) -> None:
    pool, rbd = CONFIG["block"]["pool"], ("rbd", "--id", USER)
    for image in _images():
        run(*rbd, "snap", "rm", "--no-progress", f"{pool}/{image}@floor-{number}")


# `aws s3 cp` of a pipe, which is boto3's transfer, too: this server has no aws


def _transfer() -> Any:
    from boto3.s3.transfer import TransferConfig

    return TransferConfig(multipart_threshold=PART, multipart_chunksize=PART, max_concurrency=AT_ONCE_PARTS)


def put(key: str) -> None:
    client().upload_fileobj(sys.stdin.buffer, BUCKET, key, Config=_transfer())


def get(key: str) -> None:
    client().download_fileobj(BUCKET, key, sys.stdout.buffer, Config=_transfer())


def main() -> None:
    verb = sys.argv[1]
    if verb in ("put", "get"):
        globals()[verb](sys.argv[2])
    else:
        act = globals().get(f"{verb}_{sys.argv[2]}")
        if act is not None:
            act(sys.argv[3])


if __name__ == "__main__":
    main()
