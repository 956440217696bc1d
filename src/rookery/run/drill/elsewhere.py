"""Where a system that is to be destroyed comes back from: its copy outside, and the key to its own backup.

Both are seen to before anything is lost, and noted: nothing else of the system is left on this machine then.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from rookery.apps.backup.config import settings_of
from rookery.apps.backup.model import BackupSet
from rookery.apps.backup.places import copy_secret
from rookery.apps.backup.settings import Copy
from rookery.design.model import Design
from rookery.drivers.clients.objects import Objects
from rookery.errors import InputError, NotPossibleError, RookeryError
from rookery.run.backup import backups_of
from rookery.run.identity_part import SECRETS
from rookery.run.rebuild import find_copied_set, open_copy
from rookery.run.system_part import key_of, read_identity
from rookery.systems.protocol import System


@dataclass(frozen=True, slots=True, kw_only=True)
class Elsewhere:
    """A copy outside, by its name and address, with who comes to it and who signs its TLS (a certificate,
    empty for one that this machine knows); and the keys that read the backup of the system itself."""

    copy: str
    url: str
    access: str
    secret: str
    region: str
    authority: str
    keys: tuple[str, ...]

    def open(self, folder: Path) -> Objects:
        """Return what the system has there; what is needed as a file is written into a folder."""
        environment = {
            "AWS_ACCESS_KEY_ID": self.access,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_DEFAULT_REGION": self.region,
        }
        if self.authority:
            file = folder / "copy.crt"
            file.write_text(self.authority, encoding="utf-8")
            environment["AWS_CA_BUNDLE"] = str(file)
        return open_copy(self.url, environment)


def require_lab(design: Design) -> None:
    """Raise NotPossibleError for a system that is not destroyed for a drill."""
    if not (design.traits.here and design.platform == "native"):
        raise NotPossibleError(
            f"{design.name} is no native lab: nothing else is destroyed for a drill",
            hint="Without --full, a drill loses data of its own only.",
        )


def find_elsewhere(system: System, name: str, keys: Sequence[str]) -> Elsewhere:
    """Return where a system can come back from: the copy of that name, by default the one that lies outside.

    Raises NotPossibleError where there is none outside, or nobody has the key to the system's own backup;
    `keys` are what was brought, else it is the one that is kept here.
    """
    backups_of(system)
    design = system.design
    copy = _choose(design, name)
    found = tuple(keys) or tuple(filter(None, (key_of(system).key,)))
    if not found:
        raise NotPossibleError(
            f"the key to {design.name}'s own backup is not here: what is destroyed would stay so",
            hint="Name the file that has it by --identity.",
        )
    known = json.loads(backups_of(system).own().get(SECRETS, b"{}"))
    missing = [part for part in ("access", "secret") if copy_secret(copy.name, part) not in known]
    if missing:
        raise NotPossibleError(
            f"there are no keys for copy {copy.name}", hint="`rookery up` with its keys keeps them."
        )
    return Elsewhere(
        copy=copy.name,
        url=f"{copy.endpoint}/{copy.bucket}/{design.name}",
        access=known[copy_secret(copy.name, "access")],
        secret=known[copy_secret(copy.name, "secret")],
        region=copy.region,
        authority=known.get(copy_secret(copy.name, "authority"), "") if copy.authority else "",
        keys=found,
    )


def _choose(design: Design, name: str) -> Copy:
    """Return the copy that is meant, which does not lie in the very system."""
    copies = settings_of(design).copies
    if name and name not in [copy.name for copy in copies]:
        named = ", ".join(copy.name for copy in copies) or "none"
        raise InputError(f"{design.name} has no copy {name}", hint=f"Copies: {named}.")
    own = {host.address for host in design.hosts}
    if design.load_balancer is not None:
        own.add(design.load_balancer.address)
    away = [copy for copy in copies if urlsplit(copy.endpoint).hostname not in own]
    chosen = [copy for copy in away if name in ("", copy.name)]
    if not chosen:
        what = f"copy {name} lies in {design.name} itself" if name else f"{design.name} has no copy outside"
        raise NotPossibleError(
            f"{what}: nothing would bring back what is destroyed",
            hint="Name an S3 service outside in backup.copies of the spec, and run `rookery up`.",
        )
    if len(chosen) > 1:
        raise InputError(
            f"{design.name} has several copies outside",
            hint=f"Name one by --copy: {', '.join(copy.name for copy in chosen)}.",
        )
    return chosen[0]


def require_way_back(copy: Objects, made: BackupSet, elsewhere: Elsewhere, fsid: str) -> None:
    """Raise RookeryError unless a set is whole, whole outside too, and opens there with the key: nothing is
    destroyed before."""
    failed = [f"{kind}: {why}" for kind, why in made.failed]
    words = dict(made.copies).get(elsewhere.copy, "it was not made")
    if made.state != "whole" or words != "whole":
        problems = failed or [words]
        raise RookeryError(
            f"set {made.label} is not whole outside, so nothing was destroyed",
            hint="`rookery backup now` says whether it is.",
            details=tuple(problems),
        )
    found = find_copied_set(copy, made.label)
    part = read_identity(copy, found["parts"]["system"], elsewhere.keys)
    if part.fsid != fsid:
        raise RookeryError(f"{copy} is of another system, with fsid {part.fsid}; nothing was destroyed")
