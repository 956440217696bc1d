"""Load on the native platform: the generator in a container of its own, beside the servers and none of them.

It has an address in the public network as a client would, and a folder through which its status comes out:
looking at it needs no process inside. What it needs to know of secrets lies in files of its own.
"""

from __future__ import annotations

import contextlib
import ipaddress
import json
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from rookery.design.model import Design
from rookery.drivers.ceph.session import render_keyring
from rookery.drivers.containers.runc import Container
from rookery.drivers.machine import mounts, network
from rookery.drivers.machine.files import remove_tree, write_whole
from rookery.drivers.machine.network import Cable, ensure_namespace
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.errors import RookeryError, WaitError
from rookery.files import File, packaged
from rookery.load.model import (
    CA_FILE,
    FOLDER,
    SECRETS_FILE,
    USER,
    Figures,
    Job,
    parse_figures,
    render_job,
    with_end,
)
from rookery.projections.native.ceph_conf import render_ceph_conf
from rookery.systems.lab.paths import LabPaths, ServerPaths
from rookery.systems.lab.roots import lay_root
from rookery.systems.native.identity import Identity
from rookery.systems.native.lab import Lab
from rookery.systems.native.root import image_root
from rookery.systems.protocol import Report
from rookery.units import GIB

NAME = "load"
_NUMBER = 3  # in the public network: after the network itself, the gateway and the load balancer
_PROGRAM = "opt/load"
_JOB = "etc/rookery/load.json"
_CLUSTER = {"conf": "/etc/ceph/ceph.conf", "user": USER}
_MEMORY, _CPUS = GIB, 2
_START_LIMIT = 30.0  # seconds
_STOP_LIMIT = 90.0  # seconds: it drains for some, and removes objects and tables for up to 60
_LOST = "the generator was lost: its container was killed, or the machine restarted"


class NativeLoad:
    """The load of one lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._design = lab.design
        self._paths = lab.paths
        self._runc = lab.runc
        self._container = lab.paths.container(NAME)

    @property
    def records(self) -> Path:
        """The folder with the record of each run."""
        return self._paths.folder / "load"

    def figures(self) -> Figures | None:
        """Return what the last run says of itself, None where there was none."""
        # Looked at first: a generator that ends in between has written its last status before it ended.
        alive = self._container in self._runc.running()
        try:
            text = self._status.read_text(encoding="utf-8")
        except FileNotFoundError:
            return None
        seen = parse_figures(text)
        if not seen.running or alive:
            return seen
        return parse_figures(with_end(text, why=_LOST))

    def start(self, job: Job, report: Report) -> Figures:
        """Start a run and wait until its generator counts; the caller has looked that none runs."""
        self._close_lost()
        self._clear()
        place = self._place
        self.records.mkdir(parents=True, exist_ok=True)
        self.records.chmod(0o700)
        self._status.unlink(missing_ok=True)
        ensure_namespace(self._paths.namespace(NAME), (load_cable(self._design, self._paths),))
        lay_root(place, self._files(job), image=image_root())
        self._runc.start(
            Container(
                id=self._container,
                hostname=NAME,
                root=place.root,
                namespace=self._paths.namespace(NAME),
                argv=("python3", "-m", "generator", f"/{_JOB}"),
                cwd=f"/{_PROGRAM}",
                cgroup=self._paths.cgroup(NAME),
                memory=_MEMORY,
                cpus=_CPUS,
                binds=((FOLDER, str(self.records)),),
                fuse=False,
            ),
            bundle=place.folder,
            console=place.console,
        )
        try:
            return self._wait_counting(report)
        except RookeryError:
            self._clear()
            raise

    def stop(self, *, keep: bool, report: Report) -> Figures | None:
        """End the run if there is one, and remove its container; return what it says of itself.

        Unless `keep`, the generator removes its objects and its tables before it ends.
        """
        if self._container in self._runc.running():
            # As the first process of its container it is deaf until it has said what it does on a signal:
            # one that is only just starting hears the next.
            with contextlib.suppress(WaitError):
                wait_for(
                    "the load to end", lambda: self._ask_to_end(keep=keep), limit=_STOP_LIMIT, report=report
                )
        self._runc.delete(self._container)
        seen = self._close_lost()
        self._clear()
        return seen

    @property
    def _place(self) -> ServerPaths:
        return self._paths.server(NAME)

    @property
    def _status(self) -> Path:
        return self.records / "status.json"

    def _wait_counting(self, report: Report) -> Figures:
        def look() -> Look[Figures]:
            seen = self.figures()
            if seen is not None:
                return Look(seen=seen.state, value=seen)
            if self._container not in self._runc.running():
                said = self._place.console.read_text(errors="replace", encoding="utf-8").strip().splitlines()
                raise RookeryError("the generator ended at once", details=tuple(said[-8:]))
            return Look(seen="it starts")

        return wait_for("the load", look, limit=_START_LIMIT, report=report)

    def _ask_to_end(self, *, keep: bool) -> Look[bool]:
        if self._container not in self._runc.running():
            return Look(seen="ended", value=True)
        self._runc.kill(self._container, "INT" if keep else "TERM")
        seen = self.figures()
        return Look(seen=seen.state if seen else "its generator says nothing")

    def _close_lost(self) -> Figures | None:
        """Note in status and record of a generator that is gone that it was lost; return its figures."""
        seen = self.figures()
        if seen is not None and seen.state == "lost":
            for path in (self._status, self.records / seen.record):
                with contextlib.suppress(FileNotFoundError):
                    write_whole(
                        path, with_end(path.read_text(encoding="utf-8"), why=_LOST).encode(), mode=0o600
                    )
        return seen

    def _clear(self) -> None:
        """Remove the container, its root and its network; records stay."""
        self._runc.delete(self._container)
        for point in mounts.mount_points(self._place.root):
            mounts.unmount(point)
        remove_tree(self._place.folder)
        namespace = self._paths.namespace(NAME)
        if namespace in network.namespace_names():
            network.delete_namespaces((namespace,))

    def _files(self, job: Job) -> Iterator[File]:
        identity = self._lab.identity
        yield from packaged(files("rookery.load") / "guest" / "generator", f"{_PROGRAM}/generator")
        yield File.text(_JOB, render_job(job, cluster=_CLUSTER), mode=0o600)
        yield File.text(f"etc/rookery/{SECRETS_FILE}", json.dumps(_secrets(job, identity)), mode=0o600)
        yield File.text(CA_FILE.lstrip("/"), identity["ca.crt"])
        yield File.text("etc/ceph/ceph.conf", render_ceph_conf(self._design, fsid=identity["fsid"]))
        key = render_keyring([(f"client.{USER}", identity[f"cephx.client.{USER}"], ())])
        yield File.text(f"etc/ceph/ceph.client.{USER}.keyring", key, mode=0o600)


def _secrets(job: Job, identity: Identity) -> dict[str, str]:
    found = {}
    if job.database is not None:
        found["database_password"] = identity[f"database.user.{USER}"]
    if job.objects is not None:
        found["s3_access"] = identity[f"s3.{USER}.access"]
        found["s3_secret"] = identity[f"s3.{USER}.secret"]
    return found


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
