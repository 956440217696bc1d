"""Who may log in on the lab's servers, and how they are known: keys made here, for this lab alone."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from rookery.design.model import Design
from rookery.drivers.machine.files import write_whole
from rookery.systems.login_key import ensure_key

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
        ensure_key(folder / name)
    lines = [f"{host.address} {keys.public(host.name)}" for host in design.servers]
    write_whole(keys.known_hosts, "".join(lines).encode(), mode=0o600)
    return keys
