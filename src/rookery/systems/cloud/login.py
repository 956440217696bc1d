"""Logging in on a cloud's servers: as whom, by which key, and how one sees that a server lets one in."""

from __future__ import annotations

import shlex
import socket
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rookery.systems.login_key import ensure_key

_PORT = 22
_PATIENCE = 3.0  # seconds for an answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """How one logs in on the servers of a system: `user`, by a key of this machine's in `folder`.

    A server's own key is taken down at first sight, in a list of this system alone: addresses of a cloud are
    used again, by other servers.
    """

    folder: Path
    user: str

    @property
    def key(self) -> Path:
        return self.folder / "login"

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    def public_key(self) -> str:
        """Return the public half of the key, which is made where it is missing."""
        return ensure_key(self.key).strip()

    def known_key(self) -> str:
        """Return the public half of the key as far as there is one: who only looks makes none."""
        public = self.key.with_name(f"{self.key.name}.pub")
        return self.public_key() if public.exists() else ""

    @property
    def options(self) -> tuple[str, ...]:
        """The options of ssh beside the key."""
        return ("-o", f"UserKnownHostsFile={self.known_hosts}", "-o", "StrictHostKeyChecking=accept-new")

    def variables(self) -> dict[str, str]:
        """Return what playbooks are told of all this."""
        return {
            "ansible_user": self.user,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": shlex.join(self.options),
        }

    def argv(self, address: str, argv: Sequence[str]) -> list[str]:
        """Return the command that runs `argv` at an address, or a shell there."""
        target = f"{self.user}@{address}"
        command = [shlex.join(argv)] if argv else []
        terminal = [] if argv else ["-t"]
        return ["ssh", "-i", str(self.key), *self.options, *terminal, target, *command]


def answers(address: str) -> bool:
    """Whether an SSH server greets at an address."""
    try:
        with socket.create_connection((address, _PORT), timeout=_PATIENCE) as connection:
            connection.settimeout(_PATIENCE)
            return connection.recv(4) == b"SSH-"
    except OSError:
        return False
