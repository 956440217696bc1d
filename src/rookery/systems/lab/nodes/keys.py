"""Who may log in on the lab's servers, and how they are known: keys made here, for this lab alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from rookery.design.model import Design
from rookery.drivers.machine.files import write_whole

_LOGIN = "login"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The folder with the keys of a lab's servers: `login` opens all of them, each has one of its own."""

    folder: Path

    @property
    def login(self) -> Path:
        return self.folder / _LOGIN

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def private(self, name: str) -> str:
        return (self.folder / name).read_text(encoding="utf-8")

    def public(self, name: str) -> str:
        return (self.folder / f"{name}.pub").read_text(encoding="utf-8")


def ensure_keys(folder: Path, design: Design) -> Keys:
    """Make the keys that are missing; those that are there stay."""
    keys = Keys(folder=folder)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in (_LOGIN, *(host.name for host in design.servers)):
        # The public one is written last: where it is, both are.
        if not (folder / f"{name}.pub").exists():
            _make(folder / name)
    lines = [f"{host.address} {keys.public(host.name)}" for host in design.servers]
    write_whole(keys.known_hosts, "".join(lines).encode(), mode=0o600)
    return keys


def _make(path: Path) -> None:
    key = Ed25519PrivateKey.generate()
    private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
    public = key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH)
    write_whole(path, private, mode=0o600)
    write_whole(path.with_name(f"{path.name}.pub"), public + b"\n")
