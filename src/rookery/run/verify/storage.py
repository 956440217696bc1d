"""Checks of what the storage is for: each kind is written to and read back, as its users do."""

from __future__ import annotations

import hashlib

from rookery.design.model import DaemonKind
from rookery.drivers.clients import s3
from rookery.run.verify.result import Evidence, Subject, failed, judged, not_observed, passed
from rookery.units import MIB, format_size

_USER = "verify"
_IMAGE_SIZE = 4 * MIB
_OBJECT_SIZE = 1 * MIB


def block_round_trip(subject: Subject) -> Evidence:
    """An RBD image is made, written, read back through a new handle and removed, by a worker's user."""
    user = next(user for user in subject.design.users if user.name == "block")
    coded = any(pool.name == "block-data" for pool in subject.design.pools)
    answer = subject.system.ceph(user.name, user.hosts[0]).operation(
        "rbd-round-trip",
        pool="block",
        image=f"verify-{subject.mark}",
        size=_IMAGE_SIZE,
        data_pool="block-data" if coded else "",
    )
    seen = f"{format_size(answer['bytes'])} written and read on {user.hosts[0]}"
    return judged(bool(answer["same"]), seen if answer["same"] else f"{seen}, but other bytes came back")


def metadata_servers(subject: Subject) -> Evidence:
    wanted = subject.design.file_system
    assert wanted is not None
    state = subject.system.ceph().mon("fs dump")
    info = next(fs["mdsmap"]["info"] for fs in state["filesystems"] if fs["mdsmap"]["fs_name"] == wanted.name)
    active = sorted(mds["name"] for mds in info.values() if mds["state"] == "up:active")
    # Rook lets one follow the active one's journal (standby-replay): it stands by, with its rank.
    following = [mds["name"] for mds in info.values() if mds["state"] == "up:standby-replay"]
    standby = sorted([*following, *(mds["name"] for mds in state["standbys"])])
    total = len(subject.design.with_daemon(DaemonKind.MDS))
    good = len(active) == wanted.active_mds and len(active) + len(standby) == total
    return judged(good, f"active {', '.join(active) or 'none'}, standing by {', '.join(standby) or 'none'}")


def file_from_two_hosts(subject: Subject) -> Evidence:
    """A file written on one host is read on another."""
    user = next(user for user in subject.design.users if user.name == "file")
    if len(user.hosts) < 2:
        return not_observed("there is only one host that may mount it")
    writer, reader = user.hosts[:2]
    file_system = subject.design.file_system
    assert file_system is not None
    place = {"file_system": file_system.name, "path": f"/verify-{subject.mark}"}
    text = f"{subject.mark} " * 1000
    wrote = subject.system.ceph(user.name, writer).operation("cephfs-write", text=text, **place)
    try:
        read = subject.system.ceph(user.name, reader).operation("cephfs-read", **place)
    finally:
        subject.system.ceph(user.name, writer).operation("cephfs-remove", **place)
    same = wrote["sha256"] == read["sha256"] == hashlib.sha256(text.encode()).hexdigest()
    return judged(same, f"written on {writer}, read on {reader}" + ("" if same else ": other bytes"))


def object_round_trip(subject: Subject) -> Evidence:
    """An object is put, read back with the same checksum, deleted, and then gone."""
    from botocore.exceptions import ClientError

    keys = subject.system.s3_credentials(_USER)
    client = s3.connect(
        subject.url("s3"),
        access_key=keys.user,
        secret_key=keys.password,
        ca_file=str(subject.system.ca_file),
    )
    bucket, data = f"verify-{subject.mark}", hashlib.shake_256(subject.mark.encode()).digest(_OBJECT_SIZE)
    client.create_bucket(Bucket=bucket)
    try:
        client.put_object(Bucket=bucket, Key="object", Body=data)
        back = client.get_object(Bucket=bucket, Key="object")["Body"].read()
        client.delete_object(Bucket=bucket, Key="object")
        try:
            client.head_object(Bucket=bucket, Key="object")
        except ClientError as error:
            gone = error.response["ResponseMetadata"]["HTTPStatusCode"] == 404
        else:
            gone = False
    finally:
        client.delete_bucket(Bucket=bucket)
    same = hashlib.sha256(back).digest() == hashlib.sha256(data).digest()
    if not same or not gone:
        return failed("other bytes came back" if not same else "the object is still there after its deletion")
    return passed(f"{format_size(len(data))} put, read with the same SHA-256, deleted")


def anonymous_write_refused(subject: Subject) -> Evidence:
    """Nobody without credentials may write, list, or read from outside the edges."""
    bucket = subject.design.buckets[0].name if subject.design.buckets else "verify"
    url = f"{subject.url('s3')}/{bucket}"
    attempts = (("PUT", f"{url}/anonymous-{subject.mark}"), ("DELETE", f"{url}/index.html"), ("GET", url))
    statuses = {f"{method} {path.removeprefix(subject.url('s3'))}": 0 for method, path in attempts}
    for (method, path), label in zip(attempts, statuses, strict=True):
        statuses[label] = subject.browser.get(path, method=method).status
    allowed = [label for label, status in statuses.items() if 200 <= status < 300]
    if allowed:
        return failed(f"allowed without credentials: {', '.join(allowed)}")
    if any(status not in (403, 404) for status in statuses.values()):
        return not_observed(", ".join(f"{label} answered {status}" for label, status in statuses.items()))
    return passed("anonymous PUT, DELETE and listing answer 403")


def gateways_apart(subject: Subject) -> Evidence:
    """Every designed gateway answers on its own host's address, each on a host of its own."""
    store = subject.design.object_store
    assert store is not None
    gateways = subject.design.with_daemon(DaemonKind.RGW)
    answers = {
        host.name: subject.browser.get(f"https://{host.address}:{store.port}/swift/healthcheck").status
        for host, _ in gateways
    }
    silent = [name for name, status in answers.items() if status != 200]
    if silent:
        return failed(f"not answering: {', '.join(silent)}")
    return judged(len(answers) == len(gateways), f"{len(gateways)} answer, on {', '.join(answers)}")
