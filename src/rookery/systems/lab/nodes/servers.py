"""The lab's servers as steps of a plan: before a cluster is made of them, they have to be there."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from rookery.apps.pod_image import image_reference
from rookery.design.faults import FaultKind
from rookery.design.model import Design, Host
from rookery.drivers.containers.runc import Runc
from rookery.drivers.machine import network
from rookery.drivers.machine.files import write_whole
from rookery.errors import InputError, NotPossibleError
from rookery.mirror.folder import Mirror
from rookery.plan.lab_nodes import IMAGE_STORE, NETWORK, NODE_IMAGE, SERVER, lab_node_steps
from rookery.plan.step import Step
from rookery.projections.kubernetes.bootstrap.kubeadm import system_reserved
from rookery.projections.kubernetes.sources import node_repositories, repository_path
from rookery.systems.faults import Breaker, PowerOn
from rookery.systems.lab.faults import lab_breakers
from rookery.systems.lab.memory import cgroup_memory
from rookery.systems.lab.networks import ensure_network, host_cables
from rookery.systems.lab.nodes import machines
from rookery.systems.lab.nodes.keys import Keys, ensure_keys
from rookery.systems.lab.nodes.machines import (
    IMAGES_PATH,
    MIRROR_PATH,
    RUNTIME,
    ServerParts,
    start_machine,
)
from rookery.systems.lab.nodes.preflight import require_node_lab
from rookery.systems.lab.nodes.root import ensure_image, image_root
from rookery.systems.lab.nodes.store import (
    import_images,
    missing_images,
    store_folder,
    wanted_images,
)
from rookery.systems.lab.paths import CGROUP_ROOT, LabPaths
from rookery.systems.lab.power import cut_power
from rookery.systems.lab.preflight import require_lab_root
from rookery.systems.lab.removal import lab_removal
from rookery.systems.pod_image import archive_path
from rookery.systems.protocol import Removal, Report
from rookery.systems.servers import Told


class LabServers:
    """The servers of one lab on Kubernetes, made of what is in a mirror.

    Without one they can be looked at, and cannot be made.
    """

    def __init__(self, design: Design, mirror: Mirror | None) -> None:
        assert design.kubernetes is not None
        self._design = design
        self._given = mirror
        self._version = design.kubernetes.version
        self.paths = LabPaths(name=design.name)
        self.runc = Runc(self.paths.runc_state)
        self._lock = threading.Lock()
        self._actions: dict[str, Callable[[Step, Report], None]] = {
            NODE_IMAGE: lambda _, report: self._ensure_root(report),
            IMAGE_STORE: lambda _, report: self._import(report),
            NETWORK: lambda _, __: ensure_network(design, self.paths),
            SERVER: lambda step, report: self._start(design.host(step.target), report),
        }

    def require_access(self) -> None:
        require_lab_root()

    def require(self) -> None:
        require_node_lab(self._design)

    def steps(self) -> tuple[Step, ...]:
        return lab_node_steps(self._design)

    def facts(self) -> Iterator[str]:
        """Yield the ids of the steps that are done."""
        if self._given is not None:
            yield from self._images_there()
        names = frozenset(network.namespace_names())
        connected = [host for host in self._design.hosts if self._is_connected(host, names)]
        cables = [one.outside for host in connected for one in host_cables(self._design, self.paths, host)]
        if len(connected) == len(self._design.hosts) and all(map(network.is_on, cables)):
            yield NETWORK
        running = self.runc.running()
        there = [host for host in connected if self.paths.container(host.name) in running]
        if there:
            keys = self._keys()
            for host in there:
                if machines.is_as_designed(self._design, host, self.paths, keys):
                    yield f"{SERVER}:{host.name}"

    def _images_there(self) -> Iterator[str]:
        if self._root.is_dir():
            yield NODE_IMAGE
        if not missing_images(self._wanted()):
            yield IMAGE_STORE

    def _is_connected(self, host: Host, names: frozenset[str]) -> bool:
        """Tell whether a host's namespace is among those of the machine, with its cables plugged in."""
        cables = host_cables(self._design, self.paths, host)
        plugged = all(network.is_plugged(cable.outside, cable.bridge) for cable in cables)
        return plugged and self.paths.namespace(host.name) in names

    def makes(self, step: Step) -> bool:
        """Whether a step is one of these."""
        return step.id.partition(":")[0] in self._actions

    def apply(self, step: Step, report: Report) -> None:
        self._actions[step.id.partition(":")[0]](step, report)

    def exec_argv(self, host: str, argv: Sequence[str], *, terminal: bool = False) -> list[str]:
        """Return the command that runs `argv` on a host; InputError where there is none."""
        known = [one.name for one in self._design.hosts]
        if host not in known:
            raise InputError(f"there is no host {host!r}", hint=f"Hosts: {', '.join(known)}.")
        command = tuple(argv) or ("bash", "--login")
        return self.runc.exec_argv(self.paths.container(host), command, terminal=terminal)

    def began(self) -> Mapping[str, float | None]:
        """Return when each server was started, in seconds since 1970, by its name; None for one that is not
        there."""
        return {host.name: self.runc.began(self.paths.container(host.name)) for host in self._design.servers}

    def memory(self, host: str) -> int | None:
        """Return what a server's processes take of the machine's memory, without the page cache."""
        return cgroup_memory(self.paths.cgroup(host))

    @property
    def power_obstacle(self) -> str:
        return ""

    def power_off(self, host: str) -> None:
        cut_power(self.runc, self.paths.container(host))

    def power_on(self, host: str, report: Report) -> None:
        # What it runs by is noted last: one that has nothing was never started to the end.
        if self.paths.container(host) not in self.runc.running() or not self.paths.server(host).laid.exists():
            self._start(self._design.host(host), report)

    def breakers(self, back: PowerOn) -> Mapping[FaultKind, Breaker]:
        return lab_breakers(self._design, self.paths, self.runc, back)

    def removal(self, *, noted: Path) -> Removal:
        return lab_removal(self._design, noted=noted)

    def told(self) -> Told:
        """Return what the playbooks must know of these servers."""
        settings = {host.name: {"kubelet_settings": _kubelet_settings(host)} for host in self._design.servers}
        # They have this machine's CPUs, and none of them is restarted on the way.
        return Told(variables=self._variables(), hosts=settings, staying=True)

    def _variables(self) -> dict[str, Any]:
        keys = self._keys()
        kubernetes, crio = (
            f"file://{MIRROR_PATH}/{repository_path(one)}/" for one in node_repositories(self._version)
        )
        return {
            "ansible_user": "root",
            "ansible_ssh_private_key_file": str(keys.login),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={keys.known_hosts}",
            "kubernetes_packages": kubernetes,
            "crio_packages": crio,
            "cgroup_manager": _cgroup_manager(),
            "image_stores": [f"{IMAGES_PATH}/storage"],
            "runtime_program": "" if machines.limits_can_be_raised() else RUNTIME,
            # It asks the kernel's configuration and modules, which are the machine's.
            "kubeadm_ignored": ["SystemVerification"],
        }

    @property
    def _mirror(self) -> Mirror:
        if self._given is None:
            raise NotPossibleError(
                f"nobody knows which mirror the servers of {self._design.name} are made of",
                hint="`rookery up` fills one and notes it; `--mirror` names another.",
            )
        return self._given

    def _keys(self) -> Keys:
        with self._lock:  # servers start side by side, and each key is made once
            return ensure_keys(self.paths.folder / "ssh", self._design)

    def _wanted(self) -> dict[str, str]:
        return wanted_images(self._mirror, self._archive(), image_reference())

    def _archive(self) -> Path | None:
        return archive_path() if self._design.apps else None

    @property
    def _root(self) -> Path:
        """The servers' root image: that which they started on, whatever packages the mirror has by now.

        What a server wrote lies over it and fits no other.
        """
        try:
            return Path(self._noted.read_text(encoding="utf-8").strip())
        except FileNotFoundError:
            return image_root(self._mirror, self._version)

    @property
    def _noted(self) -> Path:
        return self.paths.folder / "image"

    def _ensure_root(self, report: Report) -> None:
        root = ensure_image(self._mirror, self._version, report)
        write_whole(self._noted, f"{root}\n".encode())

    def _import(self, report: Report) -> None:
        import_images(
            self._wanted(),
            mirror=self._mirror,
            archive=self._archive(),
            reference=image_reference(),
            image=self._root,
            paths=self.paths,
            runc=self.runc,
            report=report,
        )

    def _start(self, host: Host, report: Report) -> None:
        (store_folder() / "storage").mkdir(parents=True, exist_ok=True)
        parts = ServerParts(
            image=self._root,
            mirror=self._mirror.folder,
            store=store_folder(),
            keys=self._keys(),
        )
        start_machine(self._design, host, self.paths, parts=parts, runc=self.runc, report=report)


def _cgroup_manager() -> str:
    """Return who makes pods' control groups: systemd where the machine has the second version of them."""
    return "systemd" if _has_second_version() else "cgroupfs"


def _has_second_version() -> bool:
    return (CGROUP_ROOT / "cgroup.controllers").exists()


def _kubelet_settings(host: Host) -> dict[str, Any]:
    """Return what a kubelet needs otherwise on a server that is a part of this machine."""
    cpus = os.cpu_count() or host.cpus
    found: dict[str, Any] = {
        # The disk is the machine's, and so is whoever else writes to it.
        "evictionHard": {"nodefs.available": "1Gi", "imagefs.available": "1Gi", "nodefs.inodesFree": "1%"},
        # Images are not its own to remove.
        "imageGCHighThresholdPercent": 100,
        "imageGCLowThresholdPercent": 99,
    }
    if not _has_second_version():
        found["failCgroupV1"] = False
    if not machines.limits_can_be_raised():
        found["oomScoreAdj"] = 0
    if cpus > host.cpus:
        # It counts the machine's CPUs; what is beyond the designed ones is reserved.
        own = int(system_reserved()["cpu"].removesuffix("m"))
        found["systemReserved"] = {"cpu": f"{(cpus - host.cpus) * 1000 + own}m"}
    return found
