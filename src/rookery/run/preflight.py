"""Whether this machine can run a lab, said before anything is made, with what to do where it cannot."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterable
from pathlib import Path

from rookery.design.model import Design
from rookery.drivers.kubernetes import kubeone
from rookery.drivers.machine import device_mapper, krbd, mounts, network
from rookery.drivers.machine.process import CommandError, run
from rookery.errors import NotPossibleError
from rookery.projections.kubernetes.storage.services import BLOCK_CLASS
from rookery.projections.kubernetes.tree import build_stages
from rookery.projections.kubernetes.volumes import volume_classes
from rookery.systems.home import home, runtime_folder
from rookery.systems.lab.paths import CGROUP_ROOT
from rookery.systems.native.root import image_root
from rookery.versions import KUBEONE

_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
# Seven servers took about 100 without systemd, some 250 with it.
_LEAST_WATCHERS, _WATCHERS = 512, 8192

# Each command that a lab needs, with the Debian package that brings it.
_COMMANDS = (("runc", "runc"), ("ip", "iproute2"), ("setpriv", "util-linux"), ("nsenter", "util-linux"))
_BUILD_COMMANDS = (("mmdebstrap", "mmdebstrap"), ("apt-get", "apt"), ("chroot", "coreutils"))


def require_root() -> None:
    """Raise NotPossibleError for a user who may not make containers and networks."""
    if os.geteuid() != 0:
        raise NotPossibleError(
            "a lab makes containers, networks and mounts, which only root may",
            hint="Run it with sudo: `sudo ./rookery ...`.",
        )


def require_lab_machine(design: Design | None = None) -> None:
    """Raise NotPossibleError where a lab cannot run here, or not all that its design has."""
    require_root()
    _require_commands(_COMMANDS if image_root().is_dir() else (*_COMMANDS, *_BUILD_COMMANDS))
    require_places()
    _require_cgroups()
    _require_overlay()
    _require_networks()
    _require_open_bridges()
    if design is not None:
        _require_attachment(design)


def _require_attachment(design: Design) -> None:
    """Volumes are attached by the kernel's RBD, else by a FUSE file below a loop device; CephFS is FUSE."""
    if design.volumes and not krbd.is_available():
        _require_device(Path("/dev/loop-control"), "loop", "volumes are attached by loop devices")
        _require_device(Path("/dev/fuse"), "fuse", "volumes are attached by a program, through FUSE")
    if design.file_system is not None and design.apps:
        _require_device(Path("/dev/fuse"), "fuse", "CephFS is mounted by a program, through FUSE")


def require_cluster_lab(design: Design) -> None:
    """Raise NotPossibleError where a lab on Kubernetes cannot run here, or not all that its design has."""
    require_root()
    _require_commands((*_COMMANDS, *_BUILD_COMMANDS, ("ssh", "openssh-client")))
    require_places()
    _require_cgroups()
    _require_overlay()
    _require_networks()
    _require_open_bridges()
    _require_device(Path("/dev/loop-control"), "loop", "the servers' drives are loop devices")
    _require_watches()
    _require_device_mapper()
    _require_volumes(volume_classes(build_stages(design)))


def _require_watches() -> None:
    """Every systemd, kubelet and CRI-O watches files; what they may take counts for the whole machine."""
    have = int(_INOTIFY.read_text(encoding="utf-8"))
    if have < _LEAST_WATCHERS:
        raise NotPossibleError(
            f"fs.inotify.max_user_instances is {have} on this machine; servers with Kubernetes need more",
            hint=f"Set it: `sysctl -w fs.inotify.max_user_instances={_WATCHERS}`.",
        )


def _require_device_mapper() -> None:
    """Rook's job that prepares drives asks for its version first, whatever a drive is to become."""
    if not device_mapper.is_available():
        raise NotPossibleError(
            "this machine's kernel has no device-mapper, without which Rook prepares no drive",
            hint="Load it: `modprobe dm_mod`.",
        )


def _require_volumes(classes: frozenset[str]) -> None:
    """The servers share this machine's kernel, whose own client of RBD attaches block volumes to pods."""
    if BLOCK_CLASS in classes and not krbd.is_available():
        raise NotPossibleError(
            "this machine's kernel has no rbd, by which block volumes are attached to pods",
            details=(f"{BLOCK_CLASS} is asked for by `apps.database` and by `kubernetes.monitoring`",),
            hint="Load it (`modprobe rbd`), or leave out what asks for such volumes; with"
            " `storage.block.enabled: false` nothing else of block storage is there either.",
        )


def require_image_machine() -> None:
    """Raise NotPossibleError where a container image cannot be built here."""
    if os.geteuid() != 0:
        raise NotPossibleError(
            "an image has files of other users, which only root may make",
            hint="Run it with sudo: `sudo ./rookery image`.",
        )
    _require_commands((("setpriv", "util-linux"), *_BUILD_COMMANDS))


def _require_commands(wanted: Iterable[tuple[str, str]]) -> None:
    missing = [(command, package) for command, package in wanted if shutil.which(command) is None]
    if missing:
        packages = " ".join(dict.fromkeys(package for _, package in missing))
        raise NotPossibleError(
            f"this machine lacks {', '.join(command for command, _ in missing)}",
            hint=f"On Debian and Ubuntu: `apt-get install {packages}`.",
        )


# What a system on Kubernetes is brought up with, and where each comes from.
_CLUSTER_TOOLS = (
    ("kubectl", "https://kubernetes.io/docs/tasks/tools/install-kubectl-linux/"),
    ("helm", "https://helm.sh/docs/intro/install/"),
)


def require_cluster_tools() -> None:
    """Raise NotPossibleError where kubectl or helm is missing."""
    missing = [(name, where) for name, where in _CLUSTER_TOOLS if shutil.which(name) is None]
    if missing:
        raise NotPossibleError(
            f"this machine lacks {' and '.join(name for name, _ in missing)}",
            hint=f"See {' and '.join(where for _, where in missing)}.",
        )


def require_installer(design: Design) -> None:
    """Raise NotPossibleError where what makes a cluster of the servers is not here."""
    if design.kubernetes is None or design.kubernetes.bootstrap != "kubeone":
        return
    if shutil.which(kubeone.PROGRAM) is None:
        raise NotPossibleError(
            f"this machine lacks {kubeone.PROGRAM}, which makes the cluster (kubernetes.bootstrap: kubeone)",
            hint=f"Version {KUBEONE} is at https://github.com/kubermatic/kubeone/releases/tag/v{KUBEONE}.",
        )
    if not os.environ.get("SSH_AUTH_SOCK"):
        raise NotPossibleError(
            "there is no SSH agent, by whose keys KubeOne logs in on the servers (SSH_AUTH_SOCK is not set)",
            hint='Start one, and add the key: `eval "$(ssh-agent)" && ssh-add`.',
        )


def require_places() -> None:
    """Raise NotPossibleError where the folders of labs and of their sockets cannot be written."""
    advice = "Set ROOKERY_HOME to a folder on a disk of this machine that can be written (ext4, xfs)."
    _require_writable(home(), advice)
    _require_writable(runtime_folder(), "Mount a tmpfs at /run that can be written, as systemd does.")


def _require_writable(folder: Path, advice: str) -> None:
    """Try it: permissions alone say nothing of a place that is read-only, full, or a file."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".preflight-") as file:
            file.write(b"rookery")
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise NotPossibleError(
            f"{folder} cannot be written: {error.strerror}",
            hint=f"Free some space there. {advice}" if full else advice,
        ) from None


def _require_networks() -> None:
    """Try what a lab's network is made of, in a network namespace that ends with the try."""
    for what, words, module in (
        ("network namespaces", (), ""),
        ("bridges", ("ip", "link", "add", "try0", "type", "bridge"), "bridge"),
        ("virtual cables", ("ip", "link", "add", "try0", "type", "veth", "peer", "name", "try1"), "veth"),
    ):
        try:
            run(("unshare", "--net", *(words or ("true",))))
        except CommandError as error:
            load = f" On a machine, load it: `modprobe {module}`." if module else ""
            raise NotPossibleError(
                f"this machine's kernel makes no {what}, of which a lab's network is made",
                details=error.details[-2:],
                hint=f"In a container, run it privileged.{load}",
            ) from None


def _require_device(path: Path, module: str, why: str) -> None:
    if not path.exists():
        raise NotPossibleError(
            f"there is no {path}, and {why}",
            hint=f"Load the module: `modprobe {module}`. In a container, run it privileged, with the"
            f" machine's {path}.",
        )


def _require_cgroups() -> None:
    controllers = CGROUP_ROOT / "cgroup.controllers"
    roots: tuple[Path, ...]
    if controllers.exists():
        where, roots = "cgroup v2", (CGROUP_ROOT,)
        missing = {"cpu", "memory"} - set(controllers.read_text(encoding="utf-8").split())
    else:
        # The folder of a controller that is not mounted is an empty one.
        where, roots = "cgroup v1", (CGROUP_ROOT / "cpu", CGROUP_ROOT / "memory")
        missing = {root.name for root in roots if not (root / "cgroup.procs").exists()}
    lack = f"has no {' and '.join(sorted(missing))} controller" if missing else _refused_cgroup(roots)
    if lack:
        raise NotPossibleError(
            f"{where} here {lack}, so servers cannot be given their size",
            hint="In a container, run it privileged with the machine's cgroups; on a machine, enable them.",
        )


def _refused_cgroup(roots: Iterable[Path]) -> str:
    """Return why no cgroup can be made below one of the roots; empty where it can."""
    for root in roots:
        place = root / f"rookery-preflight-{os.getpid()}"
        try:
            place.mkdir()
            place.rmdir()
        except OSError as error:
            read_only = error.errno in (errno.EROFS, errno.EACCES, errno.EPERM)
            return "is read-only" if read_only else f"makes no cgroup ({error.strerror})"
    return ""


def _require_open_bridges() -> None:
    """Where Docker runs, the packet filter often sees traffic between two ports of one bridge and drops it:
    servers would start and never hear of each other."""
    if not network.bridged_traffic_is_filtered() or shutil.which("iptables") is None:
        return
    try:
        rules = run(("iptables", "-S")).splitlines()
    except CommandError:
        return
    if "-P FORWARD DROP" in rules and not any("-i rk+ -o rk+ -j ACCEPT" in rule for rule in rules):
        raise NotPossibleError(
            "this machine's packet filter drops traffic between servers on one bridge (as Docker sets it up)",
            hint="Let the labs' bridges pass: `iptables -I FORWARD -i rk+ -o rk+ -j ACCEPT`.",
        )


def _require_overlay() -> None:
    """Try what each server needs: an overlay in the folder where labs live."""
    with tempfile.TemporaryDirectory(dir=home(), prefix=".preflight-") as folder:
        places = {name: Path(folder) / name for name in ("lower", "upper", "work", "at")}
        for place in places.values():
            place.mkdir()
        mounts.mount_overlay(**places)
        mounts.unmount(places["at"])
