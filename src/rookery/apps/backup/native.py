"""Backup on servers: an agent that works by its schedules, and what it is told."""

from __future__ import annotations

import json

from rookery.apps.app import OnServers, Secret, SecretKind, Secrets
from rookery.apps.backup.config import render_config
from rookery.apps.backup.places import AGE, CONFIG, FOLDER, SECRETS, WRITER, programs
from rookery.apps.backup.settings import BackupSettings
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
    settings = next(app.settings for app in design.apps if app.name == "backup")
    assert isinstance(settings, BackupSettings)
    told = {
        "access": known[f"s3.{WRITER}.access"],
        "secret": known[f"s3.{WRITER}.secret"],
        "restic": known[RESTIC],
        "fsid": known["fsid"],
        "recipients": recipients(settings, known),
    }
    owner = "root" if design.database is None else "postgres"
    return (File.text(SECRETS, json.dumps(told) + "\n", mode=0o400, owner=owner),)


ON_SERVERS = OnServers(programs=server_programs, files=server_files, secrets=secrets, late_files=late_files)
