"""Where a lab lives on the machine, and how everything that it makes is named.

Names carry the lab's name, so that looking for them finds all of one lab and nothing of another.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

from rookery.systems.home import home, runtime_folder

# A network namespace is called rookery.LAB.HOST; neither name has a stop in it.
NAMESPACE_PREFIX = "rookery."
CGROUP_ROOT = Path("/sys/fs/cgroup")


@dataclass(frozen=True, slots=True, kw_only=True)
class LabPaths:
    """The places and names of one lab."""

    name: str

    @property
    def folder(self) -> Path:
        return home() / "labs" / self.name

    @property
    def runc_state(self) -> Path:
        return runtime_folder() / "labs" / self.name

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets.json"

    @property
    def ca(self) -> Path:
        return self.folder / "ca.crt"

    @property
    def spec(self) -> Path:
        """The spec as resolved at `up`, from which later commands design the lab again."""
        return self.folder / "spec.json"

    @property
    def kept(self) -> Path:
        """Where the lab's daemons stand and how its OSDs are numbered, whatever its spec says later."""
        return self.folder / "kept.json"

    def server(self, host: str) -> ServerPaths:
        return ServerPaths(folder=self.folder / "servers" / host)

    def volume(self, name: str) -> ServerPaths:
        """Return the places of a volume's storage daemon."""
        return ServerPaths(folder=self.folder / "volumes" / name)

    def volume_container(self, name: str) -> str:
        # Host names have no stop in them: this is no server's.
        return f"{self.name}.volume.{name}"

    @property
    def _digest(self) -> str:
        # Interface names have 15 characters; a digest keeps labs with long names apart.
        return hashlib.sha256(self.name.encode()).hexdigest()[:6]

    def bridge(self, network: str) -> str:
        """Return the bridge of the `public` or `cluster` network."""
        return f"rk{self._digest}-{network[0]}"

    def cable(self, number: int, network: str) -> str:
        """Return the outer end of the cable from the host with that number in the public network."""
        return f"rk{self._digest}{network[0]}{number}"

    @property
    def link_prefix(self) -> str:
        """What the names of all network links of the lab start with."""
        return f"rk{self._digest}"

    def namespace(self, host: str) -> str:
        return f"{self.namespace_prefix}{host}"

    @property
    def namespace_prefix(self) -> str:
        return f"{NAMESPACE_PREFIX}{self.name}."

    def container(self, host: str) -> str:
        return f"{self.name}.{host}"

    def cgroup(self, host: str) -> str:
        return f"/rookery/{self.name}/{host}"


@dataclass(frozen=True, slots=True, kw_only=True)
class ServerPaths:
    """The places of one container: a server, or the storage daemon of a volume."""

    folder: Path

    @property
    def upper(self) -> Path:
        """What the server changed of its root image."""
        return self.folder / "upper"

    @property
    def work(self) -> Path:
        return self.folder / "work"

    @property
    def root(self) -> Path:
        return self.folder / "root"

    @property
    def drives(self) -> Path:
        return self.folder / "drives"

    @property
    def laid(self) -> Path:
        """Which files it runs by, as digests: what to change when the design changes."""
        return self.folder / "laid.json"

    @property
    def console(self) -> Path:
        return self.folder / "console.log"
