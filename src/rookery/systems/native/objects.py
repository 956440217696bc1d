"""S3 on the native platform: users, buckets, and what is published to them."""

from __future__ import annotations

import json
import mimetypes
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rookery.apps.table import APPS
from rookery.design.model import AppDesign, Design
from rookery.drivers import s3
from rookery.drivers.process import CommandError, run
from rookery.errors import InputError
from rookery.files import File
from rookery.systems.native.identity import Identity, s3_users
from rookery.systems.protocol import Report

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


def publish_app(design: Design, app: AppDesign, identity: Identity, *, ca_file: Path, report: Report) -> None:
    """Make the application's buckets and bring its content into them."""
    url = gateway_url(design)
    contents = dict(app_content(design, app))
    for bucket in app.buckets:
        client = s3.connect(
            url,
            access_key=identity[f"s3.{bucket.owner}.access"],
            secret_key=identity[f"s3.{bucket.owner}.secret"],
            ca_file=str(ca_file),
        )
        s3.ensure_bucket(client, bucket.name, readers=bucket.readers)
        files = contents.get(bucket.name, ())
        sent = s3.publish(client, bucket.name, files, there=s3.digests(client, bucket.name))
        report(f"{sent} of {len(files)} files sent to {bucket.name}")


def app_content(design: Design, app: AppDesign) -> tuple[tuple[str, tuple[tuple[File, str], ...]], ...]:
    """Return what belongs into each bucket of an application: (bucket, (file, its Cache-Control))."""
    definition = APPS[app.name]
    own = definition.folder(app)
    if own is None:
        generated = definition.content(design, app)
        return tuple(
            (bucket, tuple((file, definition.cache_control(file.path)) for file in files))
            for bucket, files in generated
        )
    files = tuple((file, "public, max-age=60") for file in read_folder(Path(own)))
    return tuple((bucket.name, files) for bucket in app.buckets)


def read_folder(folder: Path) -> tuple[File, ...]:
    """Return the files of a user's folder, hidden ones left out; raises InputError where there is none."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder} to publish", hint="Correct the path in the spec.")
    found = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in relative.parts):
            kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
            found.append(File(path=relative.as_posix(), content=path.read_bytes(), media_type=kind))
    return tuple(found)
