"""Checks of backups: whether the database's log reaches the store, and who could take what is there away."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from rookery.apps.database.patroni import SOCKETS
from rookery.drivers.clients import s3
from rookery.run.backup_age import read_age
from rookery.run.verify.result import Evidence, Subject, failed, judged, not_observed, passed
from rookery.units import format_period, format_size

if TYPE_CHECKING:
    from rookery.design.stored import Bucket

_KEY = "verify/locked"
_LONGEST = 120  # seconds that a finished segment may wait: a gateway that restarts takes less
_PROBLEMS = 3  # that are shown
_AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
_ARCHIVER = """
SELECT coalesce(last_archived_wal, ''),
       coalesce(last_failed_time > coalesce(last_archived_time, '-infinity'), false),
       coalesce(last_failed_wal, ''),
       count(modification),
       coalesce(extract(epoch FROM clock_timestamp() - min(modification)), 0)::bigint,
       count(modification) * whole + mod(pg_wal_lsn_diff(pg_current_wal_lsn(), '0/0')::bigint, whole)
FROM pg_stat_archiver
CROSS JOIN (SELECT setting::bigint AS whole FROM pg_settings WHERE name = 'wal_segment_size') AS segment
LEFT JOIN pg_ls_archive_statusdir() ON name LIKE '%.ready'
GROUP BY last_archived_wal, last_failed_time, last_archived_time, last_failed_wal, whole
"""


def archiving(subject: Subject) -> Evidence:
    """Every finished segment of the database's log is in the store, or will be soon; how far it is behind is
    what would be lost with everything but the store."""
    primaries = [member.name for member in subject.system.members() if member.is_primary]
    if not primaries:
        return not_observed("no instance is the primary")
    argv = ("psql", "--no-psqlrc", "--tuples-only", "--no-align", f"--host={SOCKETS}", "--dbname=postgres")
    said = subject.system.execute(primaries[0], (*_AS_POSTGRES, *argv, f"--command={_ARCHIVER}"))
    last, fails, failing, waiting, age, behind = said.strip().split("|")
    seen = f"{age} s and {format_size(int(behind))} behind, {last or 'nothing'} is there"
    if fails == "t":
        return failed(f"{failing} does not go to the store; {seen}")
    if int(age) > _LONGEST:
        return failed(f"{waiting} segments wait; {seen}")
    return passed(seen)


def sets_in_time(subject: Subject) -> Evidence:
    """The last whole set is not much older than the schedule says; a system that just came up has none."""
    age = read_age(subject.system)
    trouble = f"; {age.trouble}" if age.trouble else ""
    if age.age is None:
        seen = "no set is whole" if age.trouble else "none yet; the first follows minutes after the start"
        return judged(not age.is_overdue, f"{seen}{trouble}")
    every = format_period(age.every)
    return judged(not age.is_overdue, f"{age.label}, {format_period(age.age)} ago, due each {every}{trouble}")


def checked(subject: Subject) -> Evidence:
    """The last look at all that is stored found nothing wrong, and is not older than it may be."""
    check = read_age(subject.system).check
    if check is None:
        return not_observed("nobody tells of it")
    every = format_period(check.every)
    when = "none yet" if check.age is None else f"{format_period(check.age)} ago"
    seen = f"{when}, due each {every}"
    if check.problems:
        return failed(f"{'; '.join(check.problems[:_PROBLEMS])}; {seen}")
    return judged(not check.is_overdue, seen)


def locked(subject: Subject) -> Evidence:
    """Whoever writes backups in the running system can neither remove what is locked nor change for how long
    it is; and a version cannot be removed by the bucket's owner either.

    What it tries would change nothing if it were let: settings are put as they are.
    """
    bucket = next(bucket for bucket in subject.design.buckets if bucket.lock)
    writer, owner = _client(subject, bucket.writers[0]), _client(subject, bucket.owner)
    put = writer.put_object(Bucket=bucket.name, Key=_KEY, Body=subject.mark.encode())
    if "VersionId" not in put:
        return failed(f"bucket {bucket.name} keeps no versions")
    answers = {what: _status(act) for what, act in _attempts(bucket, writer, owner, put["VersionId"])}
    allowed = [what for what, status in answers.items() if status < 300]
    if allowed:
        return failed(f"allowed: {', '.join(allowed)}")
    unclear = [f"{what} answered {status}" for what, status in answers.items() if status != 403]
    if unclear:
        return not_observed("; ".join(unclear))
    return judged(bool(answers), f"{len(answers)} ways refused with 403: {', '.join(answers)}")


def _attempts(
    bucket: Bucket, writer: Any, owner: Any, version: str
) -> Iterator[tuple[str, Callable[[], object]]]:
    """Yield what must be refused: as what is said of it, and how it is tried."""
    here: dict[str, Any] = {"Bucket": bucket.name}
    it: dict[str, Any] = {**here, "Key": _KEY, "VersionId": version}
    soon = dt.datetime.fromtimestamp(time.time() + 60, tz=dt.UTC)
    retention = {"Mode": "COMPLIANCE", "RetainUntilDate": soon}
    lock = owner.get_object_lock_configuration(**here)["ObjectLockConfiguration"]
    rules = {"Rules": owner.get_bucket_lifecycle_configuration(**here)["Rules"]}
    policy = owner.get_bucket_policy(**here)["Policy"]
    versions = {"Status": "Enabled"}
    yield "removing a version", lambda: writer.delete_object(**it)
    yield "with a bypass", lambda: writer.delete_object(**it, BypassGovernanceRetention=True)
    yield "as its owner", lambda: owner.delete_object(**it)
    yield "shortening its retention", lambda: writer.put_object_retention(**it, Retention=retention)
    yield (
        "changing the lock",
        lambda: writer.put_object_lock_configuration(**here, ObjectLockConfiguration=lock),
    )
    yield (
        "the lifecycle",
        lambda: writer.put_bucket_lifecycle_configuration(**here, LifecycleConfiguration=rules),
    )
    yield "the policy", lambda: writer.put_bucket_policy(**here, Policy=policy)
    yield "the versioning", lambda: writer.put_bucket_versioning(**here, VersioningConfiguration=versions)


def _status(act: Callable[[], object]) -> int:
    """Return the HTTP status that an attempt is answered with."""
    from botocore.exceptions import ClientError

    try:
        act()
    except ClientError as error:
        return error.response["ResponseMetadata"]["HTTPStatusCode"]
    return 200


def _client(subject: Subject, user: str) -> Any:
    keys = subject.system.s3_credentials(user)
    return s3.connect(
        subject.url("s3"),
        access_key=keys.user,
        secret_key=keys.password,
        ca_file=str(subject.system.ca_file),
    )
