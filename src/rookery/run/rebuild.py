"""A system that is lost, from a copy outside: what it was built from, laid where `rookery up` finds it.

The next `up` builds the same system: its keys, its authority, its fsid. It is empty then: `rookery backup
fetch` brings the sets back into its own bucket, and `rookery restore` each kind. Until its database is back
nothing is archived, and until the sets are, none is taken: either would be written over those of before.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rookery.apps.backup.places import DATABASE, HELD, SYSTEM
from rookery.drivers.clients import s3
from rookery.drivers.clients.objects import Objects
from rookery.drivers.machine.files import remove_tree, write_whole
from rookery.errors import InputError, NotPossibleError
from rookery.run.homes import refuse_other_home
from rookery.run.identity_part import FORMAT, SECRETS, IdentityPart, require_format
from rookery.run.lock import hold
from rookery.run.system_part import read_identity
from rookery.run.workspace import running_names
from rookery.systems.home import home
from rookery.systems.lab.paths import LabPaths
from rookery.systems.preflight import require_root

_MARK = "system.json"
_VARIABLES = ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY")


@dataclass(frozen=True, slots=True, kw_only=True)
class Rebuilt:
    """What was laid: the system's name, the set that it is from, and the spec for `rookery up`."""

    system: str
    label: str
    spec: str


def open_copy(url: str, environment: Mapping[str, str]) -> Objects:
    """Return what a system has in a copy outside, by ENDPOINT/BUCKET or ENDPOINT/BUCKET/SYSTEM.

    Keys, region and authority come from the variables that AWS' tools have. Raises InputError where the copy
    is none, or has several systems and none is named.
    """
    parts = urlsplit(url)
    path = [part for part in parts.path.split("/") if part]
    if parts.scheme not in ("http", "https") or not parts.netloc or len(path) not in (1, 2):
        raise InputError(
            f"--from {url}: not the address of a copy",
            hint="It is written https://s3.example.org/BUCKET, with /SYSTEM where there are several.",
        )
    missing = [name for name in _VARIABLES if not environment.get(name)]
    if missing:
        raise InputError(f"the keys to {url} are not in the environment: {', '.join(missing)}")
    client = s3.connect(
        f"{parts.scheme}://{parts.netloc}",
        access_key=environment[_VARIABLES[0]],
        secret_key=environment[_VARIABLES[1]],
        ca_file=environment.get("AWS_CA_BUNDLE", ""),
        region=environment.get("AWS_DEFAULT_REGION") or "default",
    )
    bucket = Objects(client=client, bucket=path[0])
    names = [name for name in bucket.folders() if bucket.has(f"{name}/{_MARK}")]
    chosen = [name for name in names if name in (path[1:] or names)]
    if len(chosen) != 1:
        what = (
            f"there are copies of several systems in {bucket}" if chosen else f"no such copy is in {bucket}"
        )
        raise InputError(
            what, hint=f"Name the system behind the bucket; there are: {', '.join(names) or 'none'}."
        )
    return Objects(client=client, bucket=path[0], prefix=f"{chosen[0]}/")


def find_copied_set(copy: Objects, label: str) -> Mapping[str, Any]:
    """Return the set of a label, by default the latest that has all kinds; raises InputError for none."""
    labels = [key.removeprefix("sets/").removesuffix(".json") for key in copy.keys("sets/")]
    if label and label not in labels:
        raise InputError(
            f"there is no set {label} in {copy}", hint=f"There are: {', '.join(labels) or 'none'}."
        )
    for one in [label] if label else reversed(labels):
        found = copy.get_json(f"sets/{one}.json")
        require_format(found.get("format", FORMAT), what=f"set {one} in {copy}")
        if label or found["state"] == "whole":
            if SYSTEM not in found["parts"]:
                raise InputError(f"set {one} has nothing of the system itself")
            return found
    raise InputError(
        f"no set in {copy} has all kinds", hint=f"Name one by --at: {', '.join(labels) or 'none'}."
    )


def rebuild(copy: Objects, found: Mapping[str, Any], keys: Sequence[str], spec: Path) -> Rebuilt:
    """Lay what a system was built from where `rookery up` finds it, and write its spec to a file.

    Raises InputError where the keys do not open it, NotPossibleError where a system of that name is here.
    """
    part = read_identity(copy, found["parts"][SYSTEM], keys)
    require_root(f"{part.system} is a lab, which is root's")
    refuse_other_home(part.system)
    with hold(part.system):
        _refuse_known(part.system)
        _refuse_other_file(spec, part)
        _lay(part, str(found["parts"].get(DATABASE, {}).get("system", "-")))
        write_whole(spec, part.files["spec.json"])
    return Rebuilt(system=part.system, label=str(found["label"]), spec=str(spec))


def _refuse_known(name: str) -> None:
    if name in running_names():
        raise NotPossibleError(
            f"there is a system {name} on this machine",
            hint=f"`rookery down {name}` removes it, with all its data.",
        )


def _refuse_other_file(spec: Path, part: IdentityPart) -> None:
    if spec.exists() and spec.read_bytes() != part.files["spec.json"]:
        raise InputError(f"{spec} is there, and is another spec", hint="Name another file by --into.")


def _lay(part: IdentityPart, database: str) -> None:
    """Make the lab's folder, whole or not at all."""
    paths = LabPaths(name=part.system)
    new = home() / f".rebuilding-{part.system}"
    remove_tree(new)
    new.mkdir(mode=0o711, parents=True)
    secrets = {**json.loads(part.files[SECRETS]), HELD: database}
    for name, content in part.files.items():
        write_whole(new / name, content, mode=0o600 if name == SECRETS else 0o644)
    write_whole(new / SECRETS, json.dumps(secrets, indent=1, sort_keys=True).encode(), mode=0o600)
    paths.folder.parent.mkdir(parents=True, exist_ok=True)
    new.rename(paths.folder)
