"""The identity part of a system's backup: what only this machine has of it, encrypted before it leaves.

A tar archive of a few files, encrypted for the recipients of the spec, or for the key that was made with the
system. It lies in the backups' bucket under its digest, and `identity.json` names the one in use; each set
names the one that was in use then.
"""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import time
from collections.abc import Mapping
from dataclasses import dataclass

from rookery.apps.backup.config import settings_of
from rookery.apps.backup.native import recipients
from rookery.apps.backup.places import BUCKET, IDENTITY, WRITER
from rookery.drivers.clients import age, s3
from rookery.drivers.clients.objects import Objects
from rookery.errors import InputError
from rookery.systems.protocol import System

FORMAT = 1
SECRETS = "secrets.json"
_MANIFEST = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class IdentityPart:
    """What a system is built from: its files by name, and its name and fsid."""

    system: str
    fsid: str
    files: Mapping[str, bytes]


def lay_identity(system: System) -> str:
    """See that the identity part in the store is what this machine has; return its object's key, empty where
    this machine has nothing of its own.

    Raises RookeryError where the bucket does not take it.
    """
    backups = system.backups
    own = {} if backups is None else backups.own()
    if not own:
        return ""
    whom = recipients(settings_of(system.design), json.loads(own[SECRETS]))
    bundle = pack(system.design.name, own)
    digest = hashlib.sha256(bundle + "".join(sorted(whom)).encode()).hexdigest()
    objects = objects_of(system)
    known = objects.get_json(IDENTITY)
    if known.get("digest") == digest and objects.has(known["key"]):
        return str(known["key"])
    content = age.encrypt(bundle, whom)
    sha256 = hashlib.sha256(content).hexdigest()
    # By what is stored: the same files encrypted again are another object, and sets name theirs.
    key = f"system/identity-{sha256[:32]}.age"
    objects.put(key, content, metadata={"sha256": sha256, "format": str(FORMAT)})
    told = {
        "format": FORMAT,
        "key": key,
        "digest": digest,
        "sha256": sha256,
        "size": len(content),
        "recipients": whom,
        "made": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
    }
    objects.put(IDENTITY, json.dumps(told, indent=1).encode())
    return key


def pack(name: str, own: Mapping[str, bytes]) -> bytes:
    """Return the files as a tar archive behind a manifest, the same for the same files."""
    fsid = json.loads(own[SECRETS])["fsid"]
    digests = {file: hashlib.sha256(content).hexdigest() for file, content in sorted(own.items())}
    manifest = {"format": FORMAT, "system": name, "fsid": fsid, "files": digests}
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for file, content in ((_MANIFEST, json.dumps(manifest, indent=1).encode()), *sorted(own.items())):
            entry = tarfile.TarInfo(file)
            entry.size, entry.mode = len(content), 0o600
            archive.addfile(entry, io.BytesIO(content))
    return out.getvalue()


def unpack(bundle: bytes, *, what: str) -> IdentityPart:
    """Return what an archive holds; raises InputError for one of a newer version, or that lacks a file."""
    files = read_archive(bundle, what=what)
    manifest = json.loads(files.pop(_MANIFEST, b'{"format": 0}'))
    require_format(manifest["format"], what=what)
    wrong = [
        name
        for name, digest in manifest.get("files", {}).items()
        if hashlib.sha256(files.get(name, b"")).hexdigest() != digest
    ]
    if wrong or not files:
        raise InputError(f"{what} is not as it was written: {', '.join(wrong) or 'it is empty'}")
    return IdentityPart(system=manifest["system"], fsid=manifest["fsid"], files=files)


def read_archive(bundle: bytes, *, what: str) -> dict[str, bytes]:
    """Return the files of a tar archive by their names; raises InputError where it is none."""
    found = {}
    try:
        with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
            for entry in archive:
                content = archive.extractfile(entry)
                if content is not None:
                    found[entry.name] = content.read()
    except tarfile.TarError as error:
        raise InputError(f"{what} is no archive: {error}") from None
    return found


def require_format(found: int, *, what: str) -> None:
    """Raise InputError for what a newer version wrote."""
    if found > FORMAT:
        raise InputError(
            f"{what} was written by a newer version of rookery: format {found}, this one reads {FORMAT}",
            hint="Use that version, or a later one.",
        )


def objects_of(system: System) -> Objects:
    """Return the bucket of the backups in the system's own S3 service, for who writes them."""
    url = next(endpoint.url for endpoint in system.endpoints() if endpoint.name == "s3")
    known = system.s3_credentials(WRITER)
    client = s3.connect(url, access_key=known.user, secret_key=known.password, ca_file=str(system.ca_file))
    return Objects(client=client, bucket=BUCKET)
