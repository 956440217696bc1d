"""What carries load in a lab: a container of its own, beside the servers and none of them.

It has an address in the public network as a client would, and a folder through which its status comes out:
looking at it needs no process inside. What it needs to know of secrets lies in files of its own.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from rookery.design.model import Design
from rookery.drivers.ceph.session import render_keyring
from rookery.drivers.containers.runc import Container
from rookery.drivers.machine import mounts, network
from rookery.drivers.machine.files import remove_tree
from rookery.drivers.machine.network import Cable, ensure_namespace
from rookery.files import File, packaged
from rookery.load.model import CA_FILE, FOLDER, SECRETS_FILE, USER, Job, render_job
from rookery.projections.native.ceph_conf import render_ceph_conf
from rookery.systems.lab.paths import LabPaths, ServerPaths
from rookery.systems.lab.roots import lay_root
from rookery.systems.load import STATUS, Sight, raise_ended, render_secrets
from rookery.systems.native.lab import Lab
from rookery.systems.native.root import image_root
from rookery.systems.protocol import Credentials
from rookery.units import GIB

NAME = "load"
_NUMBER = 3  # in the public network: after the network itself, the gateway and the load balancer
_PROGRAM = "opt/load"
_JOB = "etc/rookery/load.json"
_SEEN = "/run/cluster.json"
_CLUSTER = {"file": _SEEN, "eyes": ["python3", f"/{_PROGRAM}/eyes.py", "/etc/ceph", USER, _SEEN]}
_MEMORY, _CPUS = GIB, 2


@dataclass(frozen=True, slots=True, kw_only=True)
class LoadContainer:
    """Carries the generator of one lab; its records are the folder into which the container writes."""

    lab: Lab
    start_limit: float = 30.0  # seconds
    stop_limit: float = 90.0  # seconds: it drains for some, and removes objects and tables for up to 60
    lost: str = "the generator was lost: its container was killed, or the machine restarted"

    @property
    def records(self) -> Path:
        """The folder with the record of each run."""
        return self.lab.paths.folder / "load"

    def launch(self, job: Job) -> None:
        """Start a generator in its container."""
        paths, place = self.lab.paths, self._place
        ensure_namespace(paths.namespace(NAME), (load_cable(self.lab.design, paths),))
        lay_root(place, self._files(job), image=image_root(self.lab.design.ceph))
        self.lab.runc.start(
            Container(
                id=self._container,
                hostname=NAME,
                root=place.root,
                namespace=paths.namespace(NAME),
                argv=("python3", "-m", "generator", f"/{_JOB}"),
                cwd=f"/{_PROGRAM}",
                cgroup=paths.cgroup(NAME),
                memory=_MEMORY,
                cpus=_CPUS,
                binds=((FOLDER, str(self.records)),),
                fuse=False,
            ),
            bundle=place.folder,
            console=place.console,
        )

    def look(self, name: str = STATUS) -> Sight:  # noqa: ARG002 - whatever it writes is in the records at once
        """Look whether the container runs."""
        return Sight(alive=self._container in self.lab.runc.running())

    def why_waiting(self) -> str:
        """Return that it starts; raises RookeryError where it ended."""
        if not self.look().alive:
            raise_ended(self._place.console.read_text(errors="replace", encoding="utf-8"))
        return "it starts"

    def signal(self, *, keep: bool) -> None:
        """Ask the generator to end, and with `keep` to leave what it made."""
        self.lab.runc.kill(self._container, "INT" if keep else "TERM")

    def remove(self) -> None:
        """Remove the container, its root and its network; records stay."""
        self.lab.runc.delete(self._container)
        for point in mounts.mount_points(self._place.root):
            mounts.unmount(point)
        remove_tree(self._place.folder)
        namespace = self.lab.paths.namespace(NAME)
        if namespace in network.namespace_names():
            network.delete_namespaces((namespace,))

    @property
    def _container(self) -> str:
        return self.lab.paths.container(NAME)

    @property
    def _place(self) -> ServerPaths:
        return self.lab.paths.server(NAME)

    def _files(self, job: Job) -> Iterator[File]:
        identity = self.lab.identity
        secrets = render_secrets(
            job,
            password=lambda: identity[f"database.user.{USER}"],
            keys=lambda: Credentials(
                user=identity[f"s3.{USER}.access"], password=identity[f"s3.{USER}.secret"]
            ),
        )
        yield from packaged(files("rookery.load") / "guest" / "generator", f"{_PROGRAM}/generator")
        eyes = (files("rookery.load") / "guest" / "eyes.py").read_text(encoding="utf-8")
        yield File.text(f"{_PROGRAM}/eyes.py", eyes)
        yield File.text(_JOB, render_job(job, cluster=_CLUSTER), mode=0o600)
        yield File.text(f"etc/rookery/{SECRETS_FILE}", secrets, mode=0o600)
        yield File.text(CA_FILE.lstrip("/"), identity["ca.crt"])
        yield File.text("etc/ceph/ceph.conf", render_ceph_conf(self.lab.design, fsid=identity["fsid"]))
        key = render_keyring([(f"client.{USER}", identity[f"cephx.client.{USER}"], ())])
        yield File.text("etc/ceph/keyring", key, mode=0o600)


def load_cable(design: Design, paths: LabPaths) -> Cable:
    """Return the cable of the generator's container."""
    public = ipaddress.IPv4Network(design.network.public)
    return Cable(
        outside=paths.cable(_NUMBER, "public"),
        inside="eth0",
        bridge=paths.bridge("public"),
        address=f"{public.network_address + _NUMBER}/{public.prefixlen}",
        mtu=design.network.mtu,
    )
