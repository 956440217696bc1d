"""Backup on servers: an agent that works by its schedules, and what it is told."""

from __future__ import annotations

import json
from collections.abc import Sequence

from rookery.apps.app import OnServers, Secret, SecretKind, Secrets
from rookery.apps.backup.config import render_config, settings_of
from rookery.apps.backup.places import (
    AGE,
    CONFIG,
    COPY_AUTHORITIES,
    COPY_KEYS,
    FOLDER,
    HELD,
    SECRETS,
    WRITER,
    copy_authority,
    copy_secret,
    programs,
)
from rookery.apps.backup.settings import BackupSettings, Copy
from rookery.design.model import AppDesign, Design, Host, Instance
from rookery.files import File, Program

RESTIC = "backup.restic"
"""The name of the secret that restic's repository is encrypted with."""


def server_files(design: Design, app: AppDesign, host: Host, _instance: Instance) -> tuple[File, ...]:
    return (File.text(CONFIG, render_config(design, app, host.name)), *programs())


def secrets(_design: Design, app: AppDesign) -> tuple[Secret, ...]:
    """Return the secrets of backups: who brings recipients of their own has the key to them elsewhere."""
    assert isinstance(app.settings, BackupSettings)
    own = () if app.settings.encryption.recipients else (Secret(name=AGE, kind=SecretKind.AGE),)
    return (Secret(name=RESTIC), *own)


def recipients(settings: BackupSettings, known: Secrets) -> tuple[str, ...]:
    """Return for whom the backup of the system itself is encrypted."""
    return settings.encryption.recipients or (known[f"{AGE}.recipient"],)


def server_programs(_design: Design, _app: AppDesign, _host: Host, instance: Instance) -> tuple[Program, ...]:
    return (
        Program(
            name=instance.name,
            argv=("python3", "-m", "backups", "run"),
            environment=(("PYTHONPATH", f"/{FOLDER}"),),
            priority=750,
            gated=True,
            uses_ceph=True,
        ),
    )


def late_files(design: Design, known: Secrets) -> tuple[File, ...]:
    """Return what the agent proves by who it is, and the database's archiver, which is no other's to read."""
    settings = settings_of(design)
    told = {
        "access": known[f"s3.{WRITER}.access"],
        "secret": known[f"s3.{WRITER}.secret"],
        "restic": known[RESTIC],
        "fsid": known["fsid"],
        "recipients": recipients(settings, known),
        "held": known.get(HELD, ""),
    }
    owner = "root" if design.database is None else "postgres"
    laid = File.text(SECRETS, json.dumps(told) + "\n", mode=0o400, owner=owner)
    return (laid, *_copies(settings.copies, known))


def _copies(copies: Sequence[Copy], known: Secrets) -> tuple[File, ...]:
    """Return what places outside are reached by, for root alone: the archiver goes to the system's own."""
    keys = {
        copy.name: {part: known[copy_secret(copy.name, part)] for part in ("access", "secret")}
        for copy in copies
    }
    authorities = (
        File.text(copy_authority(copy.name), known[copy_secret(copy.name, "authority")])
        for copy in copies
        if copy.authority
    )
    return (File.text(COPY_KEYS, json.dumps(keys) + "\n", mode=0o400), *authorities)


ON_SERVERS = OnServers(
    programs=server_programs,
    files=server_files,
    secrets=secrets,
    late_files=late_files,
    late_paths=(SECRETS, COPY_KEYS, COPY_AUTHORITIES),
)
