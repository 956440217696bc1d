"""Keys of OpenSSH, made here: whoever has one logs in on servers that know its public half."""

from __future__ import annotations

from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)

from rookery.drivers.machine.files import write_whole


def ensure_key(path: Path) -> str:
    """Return the public half of the key at `path`, made where it is missing, readable by its owner only."""
    public = path.with_name(f"{path.name}.pub")
    # The public one is written last: where it is, both are.
    if not public.exists():
        key = Ed25519PrivateKey.generate()
        private = key.private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        write_whole(path, private, mode=0o600)
        write_whole(public, key.public_key().public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) + b"\n")
    return public.read_text(encoding="utf-8")
