"""Backup on servers: an agent that works by its schedules, and what it is told."""

from __future__ import annotations

import json

from rookery.apps.app import OnServers, Secret, Secrets
from rookery.apps.backup.config import render_config
from rookery.apps.backup.places import CONFIG, FOLDER, SECRETS, WRITER, programs
from rookery.design.model import AppDesign, Design, Host, Instance
from rookery.files import File, Program

RESTIC = "backup.restic"
"""The name of the secret that restic's repository is encrypted with."""


def server_files(design: Design, app: AppDesign, host: Host, _instance: Instance) -> tuple[File, ...]:
    return (File.text(CONFIG, render_config(design, app, host.name)), *programs())


def secrets(_design: Design, _app: AppDesign) -> tuple[Secret, ...]:
    return (Secret(name=RESTIC),)


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
    told = {
        "access": known[f"s3.{WRITER}.access"],
        "secret": known[f"s3.{WRITER}.secret"],
        "restic": known[RESTIC],
    }
    owner = "root" if design.database is None else "postgres"
    return (File.text(SECRETS, json.dumps(told) + "\n", mode=0o400, owner=owner),)


ON_SERVERS = OnServers(programs=server_programs, files=server_files, secrets=secrets, late_files=late_files)
