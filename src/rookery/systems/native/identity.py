"""A lab's secrets: made once at `up`, readable by their owner only, never rendered, printed or logged.

They lie in one file inside the lab's folder, written whole or not at all; a design that grows gets the
secrets it lacks and keeps those it has.
"""

from __future__ import annotations

import datetime as dt
import json
import os
import secrets
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rookery.apps.app import Secret, SecretKind
from rookery.apps.table import APPS
from rookery.design.model import AppDesign, DaemonKind, Design
from rookery.drivers.ceph.session import build_cephx_key, key_bytes
from rookery.drivers.clients import age
from rookery.drivers.clients.tls import issue_certificate, make_authority, make_key
from rookery.drivers.machine.files import write_whole
from rookery.releases import RELEASES, KeyType

# What a secret comes as, behind its name.
_PARTS: Mapping[SecretKind, tuple[str, ...]] = {
    SecretKind.PASSWORD: (),
    SecretKind.AUTHORITY: ("crt", "key"),
    SecretKind.CERTIFICATE: ("crt", "key"),
    SecretKind.AGE: ("key", "recipient"),
}

VERIFY_USER = "verify"
LOAD_USER = "load"


@dataclass(frozen=True, slots=True, kw_only=True)
class Identity:
    """Everything secret or random of one lab, by name in one flat table.

    Names: `fsid`, `ca.crt`, `ca.key`, `tls.HOST.crt|key`, `cephx.ENTITY`, `osd.N.uuid`,
    `dashboard.password`, those that the applications ask for, and `s3.USER.access|secret`, which the
    gateways choose when the user is made.
    """

    table: Mapping[str, str]

    def __getitem__(self, name: str) -> str:
        return self.table[name]


def load_identity(path: Path) -> Identity:
    """Read a lab's secrets; an absent file is an empty table."""
    try:
        return Identity(table=json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Identity(table={})


def ensure_identity(path: Path, design: Design) -> Identity:
    """Read the secrets, make those that the design needs and that are not there, and keep them."""
    table = dict(load_identity(path).table)
    before = len(table)
    _fill(table, design)
    if len(table) != before:
        write_whole(path, json.dumps(table, indent=1, sort_keys=True).encode(), mode=0o600)
    return Identity(table=table)


def keep_secrets(path: Path, found: Mapping[str, str]) -> None:
    """Add secrets that something else chose."""
    table = {**load_identity(path).table, **found}
    write_whole(path, json.dumps(table, indent=1, sort_keys=True).encode(), mode=0o600)


def has_s3_keys(identity: Identity, design: Design) -> bool:
    """Tell whether the keys of every S3 user of the design are known."""
    return all(f"s3.{user}.secret" in identity.table for user in s3_users(design))


def is_complete(identity: Identity, design: Design) -> bool:
    """Tell whether every secret that the design needs is there."""
    return set(needed_names(design)) <= set(identity.table)


def needed_names(design: Design) -> tuple[str, ...]:
    """Return the names of the secrets that are made before anything runs."""
    names = ["fsid", "ca.key", "ca.crt", "dashboard.password"]
    names += [f"tls.{host.name}.{part}" for host in design.servers for part in ("key", "crt")]
    names += [f"cephx.{entity}" for entity in cephx_entities(design)]
    names += [f"osd.{daemon.id}.uuid" for _, daemon in design.with_daemon(DaemonKind.OSD)]
    for secret in app_secrets(design):
        parts = _PARTS[secret.kind]
        names += [f"{secret.name}.{part}" for part in parts] if parts else [secret.name]
    return tuple(names)


def app_secrets(design: Design) -> tuple[Secret, ...]:
    """Return the secrets that the applications ask for, authorities before what they sign."""
    found = [secret for app in design.apps for secret in _secrets_of(design, app)]
    return tuple(sorted(found, key=lambda secret: secret.kind is SecretKind.CERTIFICATE))


def _secrets_of(design: Design, app: AppDesign) -> tuple[Secret, ...]:
    row = APPS[app.name].on_servers
    return () if row is None or row.secrets is None else row.secrets(design, app)


def s3_users(design: Design) -> tuple[str, ...]:
    """Return the S3 users of a design: the applications' own, and those of verification and load."""
    if design.object_store is None:
        return ()
    own = (user for bucket in design.buckets for user in (bucket.owner, *bucket.writers))
    return tuple(dict.fromkeys((*own, VERIFY_USER, LOAD_USER)))


def cephx_entities(design: Design) -> tuple[str, ...]:
    """Return every cephx entity: the daemons' and the users'."""
    daemons = []
    for host in design.hosts:
        for daemon in host.daemons:
            if daemon.kind is DaemonKind.RGW:
                daemons.append(f"client.rgw.{daemon.id}")
            elif daemon.kind is not DaemonKind.MON:
                daemons.append(daemon.name)
    return ("mon.", *daemons, *(f"client.{user.name}" for user in design.users))


def _fill(table: dict[str, str], design: Design) -> None:
    now = dt.datetime.fromtimestamp(time.time(), tz=dt.UTC)
    if "ca.crt" not in table:
        table["ca.key"] = make_key()
        table["ca.crt"] = make_authority(f"{design.name} lab authority", table["ca.key"], now=now)
    balancer = [design.load_balancer.address] if design.load_balancer else []
    for host in design.servers:
        if f"tls.{host.name}.crt" not in table:
            key = make_key()
            names = (host.name, host.address, *balancer, f"{design.name}.lab")
            table[f"tls.{host.name}.key"] = key
            table[f"tls.{host.name}.crt"] = issue_certificate(
                table["ca.crt"], table["ca.key"], key, names=names, now=now
            )
    for secret in app_secrets(design):
        name = secret.name
        if secret.kind is SecretKind.AGE and f"{name}.key" not in table:
            table[f"{name}.key"], table[f"{name}.recipient"] = age.make_key()
        elif "crt" in _PARTS[secret.kind] and f"{name}.crt" not in table:
            _fill_certificate(table, secret, now)
    for name in needed_names(design):
        if name not in table:
            table[name] = _make(name, RELEASES[design.ceph].key_type)


def _fill_certificate(table: dict[str, str], secret: Secret, now: dt.datetime) -> None:
    key = make_key()
    table[f"{secret.name}.key"] = key
    if secret.kind is SecretKind.AUTHORITY:
        table[f"{secret.name}.crt"] = make_authority(f"{secret.name} authority", key, now=now)
        return
    table[f"{secret.name}.crt"] = issue_certificate(
        table[f"{secret.authority}.crt"],
        table[f"{secret.authority}.key"],
        key,
        names=secret.names,
        now=now,
        client=True,
    )


def blank_key(release: str) -> str:
    """Return a cephx secret of a release's type, all zeros: to ask by, not to be let in."""
    kind = RELEASES[release].key_type
    return build_cephx_key(bytes(key_bytes(kind)), kind=kind, created=0)


def _make(name: str, key_type: KeyType) -> str:
    if name == "fsid" or name.endswith(".uuid"):
        return str(uuid.UUID(bytes=os.urandom(16), version=4))
    if name.startswith("cephx."):
        return build_cephx_key(os.urandom(key_bytes(key_type)), kind=key_type, created=int(time.time()))
    return secrets.token_urlsafe(24)
