"""S3 on the native platform: users, buckets, and what is published to them."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rookery.apps.serving import Rules
from rookery.apps.table import APPS
from rookery.design.model import AppDesign, Design
from rookery.drivers import s3
from rookery.drivers.process import CommandError, run
from rookery.errors import InputError
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
    contents = dict(app_content(design, app, pages))
    for bucket in app.buckets:
        items = contents.get(bucket.name, ())
        client = s3.connect(
            url,
            access_key=identity[f"s3.{bucket.owner}.access"],
            secret_key=identity[f"s3.{bucket.owner}.secret"],
            ca_file=str(ca_file),
        )
        s3.ensure_bucket(client, bucket.name, readers=bucket.readers)
        report(f"{len(items)} files to {bucket.name}")
        sent = s3.publish(client, bucket.name, items, there=s3.digests(client, bucket.name))
        report(f"{sent} of {len(items)} files sent to {bucket.name}")


def app_content(design: Design, app: AppDesign, pages: Pages) -> tuple[tuple[str, tuple[s3.Item, ...]], ...]:
    """Return what belongs into each bucket of an application."""
    definition = APPS[app.name]
    own, making = definition.folder(app), definition.making(app)
    if own is not None:
        rules = Rules()  # nothing is known of it but its names
        items = folder_items(Path(own), media_type=rules.media_type, cache_control=rules.cache_control)
        return tuple((bucket.name, items) for bucket in app.buckets)
    if making is not None:
        folder = made_folder(making)
        items = folder_items(folder, media_type=definition.media_type, cache_control=definition.cache_control)
        return ((making.bucket, items),)
    return tuple(
        (
            bucket,
            tuple(
                s3.Item(
                    path=file.path,
                    source=file.content,
                    media_type=file.media_type,
                    cache_control=definition.cache_control(file.path),
                )
                for file in (*files, *pages())
            ),
        )
        for bucket, files in definition.content(design, app)
    )


def folder_items(
    folder: Path, *, media_type: Callable[[str], str], cache_control: Callable[[str], str]
) -> tuple[s3.Item, ...]:
    """Return the files of a folder, hidden ones left out; raises InputError where there is none."""
    if not folder.is_dir():
        raise InputError(f"there is no folder {folder} to publish", hint="Correct the path in the spec.")
    found = []
    for path in sorted(folder.rglob("*")):
        relative = path.relative_to(folder)
        if path.is_file() and not any(part.startswith(".") for part in relative.parts):
            key = relative.as_posix()
            found.append(
                s3.Item(path=key, source=path, media_type=media_type(key), cache_control=cache_control(key))
            )
    return tuple(found)
