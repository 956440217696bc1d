"""S3 on the native platform: users, buckets, and what is published to them."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rookery.apps.table import APPS
from rookery.design.model import AppDesign, Design
from rookery.design.stored import Bucket
from rookery.drivers.clients import s3
from rookery.drivers.clients.buckets import Rights, ensure_bucket
from rookery.drivers.machine.process import CommandError, run
from rookery.systems.content import app_content
from rookery.systems.native.identity import Identity, s3_users
from rookery.systems.native.making import made_folder
from rookery.systems.protocol import Pages, Report

_ADMIN = ("radosgw-admin", "--name", "client.admin")


def gateway_url(design: Design) -> str:
    """Return the S3 service as clients reach it."""
    assert design.object_store is not None
    balancer = design.load_balancer
    assert balancer is not None
    return f"https://{balancer.address}:{design.object_store.port}"


def existing_users(exec_argv: Sequence[str]) -> frozenset[str]:
    """Return the S3 users that the gateways know; `exec_argv` runs a command on an admin host."""
    return frozenset(json.loads(run((*exec_argv, *_ADMIN, "user", "list"), timeout=60)))


def create_users(exec_argv: Sequence[str], design: Design, known: Mapping[str, str]) -> dict[str, str]:
    """Make the S3 users of the design; return their keys under the names that the lab's secrets have.

    The gateways choose the keys and tell them: an argument would show to everyone who lists processes. Users
    whose keys are `known`, as those of a lab that is built again, get these, by standard input.
    """
    there = existing_users(exec_argv) if any(name.startswith("s3.") for name in known) else frozenset()

    def create(user: str) -> dict[str, str]:
        names = tuple(f"s3.{user}.{part}" for part in ("access", "secret"))
        if user not in there and set(names) <= set(known):
            access, secret = (known[name] for name in names)
            document = _user_document(user, access, secret, time.time())
            run((*exec_argv, *_ADMIN, "metadata", "put", f"user:{user}"), stdin=document, timeout=60)
            return {}
        argv = (*exec_argv, *_ADMIN, "user")
        name = (f"--uid={user}",)
        try:
            out = run((*argv, "create", *name, f"--display-name={user}"), timeout=60)
        except CommandError as error:
            if "exists" not in error.output:
                raise
            out = run((*argv, "info", *name), timeout=60)
        key = json.loads(out)["keys"][0]
        return {f"s3.{user}.access": key["access_key"], f"s3.{user}.secret": key["secret_key"]}

    with ThreadPoolExecutor(max_workers=2) as pool:
        found = list(pool.map(create, s3_users(design)))
    return {name: value for keys in found for name, value in keys.items()}


def _user_document(user: str, access: str, secret: str, now: float) -> str:
    """Return a user with keys of ours as the gateways keep one; what is left out is as by default."""
    made = dt.datetime.fromtimestamp(now, tz=dt.UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    data = {
        "user_id": user,
        "display_name": user,
        "max_buckets": 1000,
        "keys": [{"user": user, "access_key": access, "secret_key": secret, "active": True}],
        # Without it a user may do nothing at all.
        "op_mask": "read, write, delete",
        "type": "rgw",
        "path": "/",
        "create_date": made,
    }
    version = {"tag": "", "ver": 0}
    return json.dumps({"key": f"user:{user}", "ver": version, "mtime": made, "data": data})


def publish_app(
    design: Design,
    app: AppDesign,
    identity: Identity,
    *,
    pages: Pages,
    ca_file: Path,
    report: Report,
) -> None:
    """Make the application's buckets and bring its content into them; to content of ours go `pages`."""
    url = gateway_url(design)
    making = APPS[app.name].made_by(app)
    made = None if making is None else made_folder(making)
    contents = dict(app_content(design, app, pages, made))
    for bucket in app.buckets:
        items = contents.get(bucket.name, ())
        client = s3.connect(
            url,
            access_key=identity[f"s3.{bucket.owner}.access"],
            secret_key=identity[f"s3.{bucket.owner}.secret"],
            ca_file=str(ca_file),
        )
        ensure_bucket(client, bucket.name, rights_of(bucket))
        if bucket.name not in contents:
            continue  # it belongs to whoever writes to it
        report(f"{len(items)} files to {bucket.name}")
        sent = s3.publish(client, bucket.name, items, there=s3.digests(client, bucket.name))
        report(f"{sent} of {len(items)} files sent to {bucket.name}")


def rights_of(bucket: Bucket) -> Rights:
    """Return who may do what in a bucket, and what it keeps."""
    return Rights(
        readers=bucket.readers,
        writers=bucket.writers,
        copiers=(bucket.copied_by,) if bucket.copied_by else (),
        lent=bucket.lent,
        versions=bucket.versions,
        lock=bucket.lock,
    )
