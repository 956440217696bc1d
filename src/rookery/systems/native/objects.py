"""S3 on the native platform: users, buckets, and what is published to them."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rookery.apps.table import APPS
from rookery.design.model import AppDesign, Bucket, Design
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


def create_users(exec_argv: Sequence[str], design: Design) -> dict[str, str]:
    """Make the S3 users of the design; return their keys under the names that the lab's secrets have.

    The gateways choose the keys and tell them: an argument would show to everyone who lists processes.
    """

    def create(user: str) -> dict[str, str]:
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
