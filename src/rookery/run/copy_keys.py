"""The keys of copies outside: from the environment of `rookery up` or a file that the spec names, never from
the spec. They are kept with the system's secrets, so a later `up` needs them no more."""

from __future__ import annotations

import configparser
import json
from collections.abc import Collection, Mapping
from pathlib import Path

from rookery.apps.backup.places import copy_secret
from rookery.apps.backup.settings import BackupSettings, Copy
from rookery.errors import InputError
from rookery.run.identity_part import SECRETS
from rookery.systems.protocol import System

_PARTS = ("access", "secret")
_IN_FILE = {"access": "aws_access_key_id", "secret": "aws_secret_access_key"}


def read_copy_keys(system: System, environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return what is given now of the keys and authorities of the spec's copies, by the names of the secrets.

    Raises InputError, which names all, for copies without keys and for files that are not as they should be.
    On Kubernetes there are none: a Secret in the cluster has them, as the tree's guide says.
    """
    if system.design.kubernetes is not None:
        return {}
    settings = next((app.settings for app in system.design.apps if app.name == "backup"), None)
    if not isinstance(settings, BackupSettings) or not settings.copies or system.backups is None:
        return {}
    known = json.loads(system.backups.own().get(SECRETS, b"{}"))
    found: dict[str, str] = {}
    problems = []
    for copy in settings.copies:
        try:
            kept = {part for part in (*_PARTS, "authority") if copy_secret(copy.name, part) in known}
            given = {
                **_from_file(copy, kept),
                **_from_environment(copy, environment),
                **_authority(copy, kept),
            }
        except InputError as error:
            problems.append(error.what)
            continue
        found |= {copy_secret(copy.name, part): value for part, value in given.items()}
        if any(copy_secret(copy.name, part) not in {**known, **found} for part in _PARTS):
            access, secret = (variable(copy.name, part) for part in _PARTS)
            problems.append(f"{copy.name}: neither {access} and {secret} nor a file `credentials`")
    if problems:
        raise InputError(
            "copies outside have no keys",
            details=tuple(problems),
            hint="Keys come from the environment of `rookery up`, or from a file as AWS' tools keep them.",
        )
    return found


def keep_copy_keys(system: System, keys: Mapping[str, str]) -> None:
    """Keep keys with the system's secrets."""
    if keys and system.backups is not None:
        system.backups.keep(keys)


def variable(name: str, part: str) -> str:
    """Return the variable of the environment that has a copy's `access` or `secret` key."""
    return f"ROOKERY_COPY_{name.upper().replace('-', '_')}_{part.upper()}_KEY"


def _from_environment(copy: Copy, environment: Mapping[str, str]) -> dict[str, str]:
    found = {part: environment.get(variable(copy.name, part), "") for part in _PARTS}
    return found if all(found.values()) else {}


def _from_file(copy: Copy, kept: Collection[str]) -> dict[str, str]:
    """Return the keys in a file of AWS' form: of the section that has the copy's name, or of `default`.

    A file that is gone is not missed where its keys are `kept`: a system that is built again may be on
    another machine.
    """
    if copy.credentials is None or (set(_PARTS) <= set(kept) and not Path(copy.credentials).exists()):
        return {}
    parser = configparser.ConfigParser(interpolation=None, default_section="")
    try:
        parser.read_string(_text(copy, copy.credentials))
    except configparser.Error as error:
        raise InputError(f"{copy.name}: {copy.credentials} is not as AWS' tools keep keys: {error}") from None
    section = next((name for name in (copy.name, "default") if parser.has_section(name)), None)
    if section is None:
        raise InputError(f"{copy.name}: {copy.credentials} has no section {copy.name} or default")
    missing = [name for name in _IN_FILE.values() if not parser.get(section, name, fallback="")]
    if missing:
        raise InputError(f"{copy.name}: {copy.credentials} has no {', '.join(missing)} in [{section}]")
    return {part: parser.get(section, name) for part, name in _IN_FILE.items()}


def _authority(copy: Copy, kept: Collection[str]) -> dict[str, str]:
    if copy.authority is None or ("authority" in kept and not Path(copy.authority).exists()):
        return {}
    return {"authority": _text(copy, copy.authority)}


def _text(copy: Copy, path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{copy.name}: {path} cannot be read: {error}") from None
