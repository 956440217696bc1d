"""Whether this machine can run a lab for Kubernetes, with all that its design has."""

from __future__ import annotations

from pathlib import Path

from rookery.apps.ground.names import BLOCK_CLASS
from rookery.design.model import Design
from rookery.drivers.machine import device_mapper, krbd
from rookery.errors import NotPossibleError
from rookery.projections.kubernetes.tree import build_stages
from rookery.projections.kubernetes.volumes import volume_classes
from rookery.systems.lab.preflight import require_device, require_lab
from rookery.systems.preflight import BUILD_TOOLS

_INOTIFY = Path("/proc/sys/fs/inotify/max_user_instances")
# Seven servers took about 100 without systemd, some 250 with it.
_LEAST_WATCHERS, _WATCHERS = 512, 8192


def require_node_lab(design: Design) -> None:
    """Raise NotPossibleError where a lab on Kubernetes cannot run here, or not all that its design has."""
    require_lab(tools=(*BUILD_TOOLS, ("ssh", "openssh-client")))
    require_device(Path("/dev/loop-control"), "loop", "the servers' drives are loop devices")
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
