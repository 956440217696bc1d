"""Block volumes, attached to servers from outside as a hypervisor attaches a disk.

Where the kernel has RBD and takes the cluster's keys it maps the image (decision 0058). Elsewhere qemu's
storage daemon shows the image as a file, and a loop device makes a block device of that; the daemon runs in a
container of its own, so that it outlives the server that uses the volume. Either way the file system is
mounted in the server's own mount namespace and nowhere else: a server that is lost lets go of its volume by
itself.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

from rookery.design.model import DaemonKind
from rookery.design.stored import Volume
from rookery.drivers.ceph.session import CephSession, render_keyring
from rookery.drivers.containers.runc import HOST_NETWORK, Container
from rookery.drivers.machine import krbd, loop, qmp
from rookery.drivers.machine.files import read_users, write_whole
from rookery.drivers.machine.loop import BlockDevice
from rookery.drivers.machine.process import run
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.errors import WaitError
from rookery.files import File
from rookery.projections.native.ceph_conf import render_ceph_conf
from rookery.systems.lab.leftovers import lab_processes
from rookery.systems.lab.letting_go import LettingGo
from rookery.systems.lab.roots import lay_root
from rookery.systems.native.identity import Identity
from rookery.systems.native.lab import Lab
from rookery.systems.native.root import image_root
from rookery.systems.protocol import Report
from rookery.units import MIB

USER = "block"
_NODE = "disk"
_DAEMON_MEMORY = 384 * MIB
_DAEMON_LIMIT = 30.0
_LETTING_GO_LIMIT = 120.0  # seconds; a cluster that lost a server may keep writes waiting meanwhile
# XFS, because it grows while it is mounted by whoever may mount it; ext4 asks for CAP_SYS_RESOURCE.
_XFS_MAGIC = b"XFSB"
# What a file no longer takes the cluster gets back at once: nothing on a lab's servers runs fstrim.
_OPTIONS = "noatime,discard"


class Volumes:
    """The volumes of one lab."""

    def __init__(self, lab: Lab) -> None:
        self._lab = lab
        self._design = lab.design
        self._paths = lab.paths
        self._runc = lab.runc

    def is_ready(self, volume: Volume) -> bool:
        """Tell whether a volume is mounted on its host, and as large as designed."""
        pid = self._server(volume)
        if pid is None:
            return False
        point = Path(f"/proc/{pid}/root{volume.path}")
        if not is_mount_point(point):
            return False
        if is_dead(point):
            return False
        # What XFS keeps for itself is below a twentieth.
        whole = os.statvfs(point)
        return whole.f_blocks * whole.f_frsize > volume.size * 0.9

    def written(self) -> dict[str, int]:
        """Return how many bytes are on the volumes of each host that has one mounted."""
        found: dict[str, int] = {}
        for volume in self._design.volumes:
            point = Path(f"/proc/{self._server(volume)}/root{volume.path}")
            with contextlib.suppress(OSError):
                if is_mount_point(point):
                    whole = os.statvfs(point)
                    used = (whole.f_blocks - whole.f_bfree) * whole.f_frsize
                    found[volume.host] = found.get(volume.host, 0) + used
        return found

    def ensure(self, volume: Volume, report: Report) -> None:
        """Make a volume where there is none, attach it to its host, and let it be as large as designed."""
        ceph, identity = self._lab.ceph(), self._lab.identity
        there = ceph.operation(
            "rbd-ensure",
            pool=volume.pool,
            image=volume.name,
            size=volume.size,
            data_pool=volume.data_pool,
        )
        pid = self._server(volume)
        assert pid is not None, "a volume's step needs its server's"
        point = Path(f"/proc/{pid}/root{volume.path}")
        if not is_mount_point(point) or is_dead(point):
            self._let_go(volume, pid, identity, report)
            report("attaching")
            with self._device(volume, identity, int(there["object_size"]), report) as device:
                self._mount(volume, device, pid)
            write_whole(self._client_note(volume), self._client(identity).encode())
        if int(there["size"]) < volume.size or not self.is_ready(volume):
            report("growing")
            self._grow(volume, ceph, identity, pid)

    def is_current(self, volume: Volume) -> bool:
        """Tell whether a volume is attached by a client of the lab's release, with its present key."""
        try:
            noted = self._client_note(volume).read_text(encoding="utf-8")
        except FileNotFoundError:
            return False
        return noted == self._client(self._lab.identity) and self.is_ready(volume)

    def detach(self, volume: Volume, report: Report) -> None:
        """Take a volume that nobody uses any more from its server: written out, unmounted, let go of."""
        pid = self._server(volume)
        assert pid is not None, "a volume is taken from a server that runs"
        if is_mount_point(Path(f"/proc/{pid}/root{volume.path}")):
            report("unmounting")
            run(_in_server(pid, "umount", volume.path), timeout=_LETTING_GO_LIMIT)
        image = self._image(volume, self._lab.identity)
        folder = self._file(volume).parent

        def look() -> Look[bool]:
            for mapping in krbd.mappings(image.fsid):
                if mapping.image == image:
                    krbd.start_unmap(mapping).wait(timeout=_LETTING_GO_LIMIT)
                    return Look(seen="the kernel has it still")
            left = loop.devices_of(folder)
            return Look(seen=f"{', '.join(left)} has it still", value=None if left else True)

        wait_for(f"{volume.name} to be let go of", look, limit=_LETTING_GO_LIMIT, report=report)
        self._end_daemon(self._paths.volume_container(volume.name), report)

    def _end_daemon(self, container: str, report: Report) -> None:
        """End a storage daemon as one that may give back its image's lock; killed, it would be waited for."""

        def look() -> Look[bool]:
            there = container in self._runc.running()
            return Look(seen="it is there still", value=None if there else True)

        if not look().value:
            self._runc.kill(container, "TERM")
            wait_for(f"the end of {container}", look, limit=_DAEMON_LIMIT, report=report)
        self._runc.delete(container)

    def _client(self, identity: Identity) -> str:
        """Return what a client of a volume is: of which release, and with which key."""
        key = identity[f"cephx.client.{USER}"]
        return f"{self._design.ceph} {hashlib.sha256(key.encode()).hexdigest()}"

    def _client_note(self, volume: Volume) -> Path:
        return self._paths.volume(volume.name).folder / "client"

    def _server(self, volume: Volume) -> int | None:
        return self._lab.pids().get(volume.host)

    @contextlib.contextmanager
    def _device(
        self, volume: Volume, identity: Identity, object_size: int, report: Report
    ) -> Iterator[BlockDevice]:
        """Attach the image to this machine; the device lasts inside the `with`, and while it is mounted."""
        why = krbd.obstacle(identity[f"cephx.client.{USER}"])
        if not why:
            yield krbd.block_device(
                krbd.ensure_mapped(
                    self._image(volume, identity), way=self._way(identity), object_size=object_size
                )
            )
            return
        report(f"attaching by a storage daemon: {why}")
        pid = self._ensure_daemon(volume, identity, report)
        file = os.open(f"/proc/{pid}/root{self._file(volume)}", os.O_RDWR | os.O_CLOEXEC)
        try:
            with loop.attached(file) as device:
                yield device
        finally:
            os.close(file)

    def _let_go(self, volume: Volume, pid: int, identity: Identity, report: Report) -> None:
        """Take from a server and from the kernel what either still has of a volume that is not in use:
        mounted once more, a file system that was shut down would stay so."""
        image = self._image(volume, identity)
        going = LettingGo(
            left=lambda: tuple(one for one in krbd.mappings(image.fsid) if one.image == image),
            pids=lambda: tuple(one for one, _ in lab_processes(self._paths)),
        )
        if not going.wait(report, limit=_LETTING_GO_LIMIT):
            raise WaitError(f"the kernel does not let go of {volume.name}", hint="Look at `dmesg`.")
        while is_mount_point(Path(f"/proc/{pid}/root{volume.path}")):
            run(_in_server(pid, "umount", "-l", volume.path), timeout=30)

    def _way(self, identity: Identity) -> krbd.Way:
        return krbd.Way(
            monitors=tuple(f"{h.address}:3300" for h, _ in self._design.with_daemon(DaemonKind.MON)),
            user=USER,
            key=identity[f"cephx.client.{USER}"],
            encryption=self._design.network.encryption,
        )

    def _image(self, volume: Volume, identity: Identity) -> krbd.Image:
        return krbd.Image(fsid=identity["fsid"], pool=volume.pool, name=volume.name)

    def _file(self, volume: Volume) -> Path:
        """The image as a file. Its path is the same inside the daemon's container and outside: the kernel
        tells it of a loop device, and it shows whose that is."""
        return self._paths.volume(volume.name).folder / "export" / "image"

    def _ensure_daemon(self, volume: Volume, identity: Identity, report: Report) -> int:
        """Start the storage daemon of a volume if it does not run; return its pid once it serves."""
        container = self._paths.volume_container(volume.name)
        if container not in self._runc.running():
            self._start_daemon(volume, container, identity)
        pid = self._runc.running()[container]
        console = self._paths.volume(volume.name).console

        def look() -> Look[bool]:
            said = console.read_text(errors="replace", encoding="utf-8").strip().splitlines()
            with contextlib.suppress(OSError):
                if Path(f"/proc/{pid}/root{self._file(volume)}").stat().st_size >= volume.size // 2:
                    return Look(seen="it serves", value=True)
            return Look(seen=said[-1] if said else "it prepares itself")

        wait_for(f"the storage daemon of {volume.name}", look, limit=_DAEMON_LIMIT, report=report)
        return pid

    def _start_daemon(self, volume: Volume, container: str, identity: Identity) -> None:
        place = self._paths.volume(volume.name)
        file = self._file(volume)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch()
        place.console.write_text("", encoding="utf-8")
        (file.parent / "control").unlink(missing_ok=True)
        key = render_keyring([(f"client.{USER}", identity[f"cephx.client.{USER}"], ())])
        files = (
            File.text("etc/ceph/ceph.conf", render_ceph_conf(self._design, fsid=identity["fsid"])),
            File.text(f"etc/ceph/ceph.client.{USER}.keyring", key, mode=0o600),
        )
        lay_root(place, files, image=image_root(self._design.ceph))
        self._runc.start(
            Container(
                id=container,
                hostname=volume.name,
                root=place.root,
                namespace=HOST_NETWORK,
                argv=_daemon_argv(volume, file),
                cgroup=self._paths.cgroup(f"volume.{volume.name}"),
                memory=_DAEMON_MEMORY,
                cpus=2,
                binds=((str(file.parent), str(file.parent)),),
                fuse=True,
            ),
            bundle=place.folder,
            console=place.console,
        )

    def _mount(self, volume: Volume, device: BlockDevice, pid: int) -> None:
        """Mount a device in a server; one that is blank gets its file system there first."""
        root = Path(f"/proc/{pid}/root")
        node = root / "dev/rbd" / volume.pool / volume.name
        node.parent.mkdir(parents=True, exist_ok=True)
        node.unlink(missing_ok=True)
        os.mknod(node, 0o60600, device.number)
        inside = f"/{node.relative_to(root)}"
        if _is_blank(device.path):
            run(_in_server(pid, "mkfs.xfs", "-q", "-K", inside), timeout=120)
        point = root / volume.path.lstrip("/")
        point.mkdir(parents=True, exist_ok=True)
        run(_in_server(pid, "mount", "-t", "xfs", "-o", _OPTIONS, inside, volume.path), timeout=60)
        os.chown(point, *read_users(image_root(self._design.ceph))[volume.owner])

    def _grow(self, volume: Volume, ceph: CephSession, identity: Identity, pid: int) -> None:
        """Grow image, device and file system, in this order, under whoever uses them."""
        node = f"/dev/rbd/{volume.pool}/{volume.name}"
        if self._image(volume, identity) in [m.image for m in krbd.mappings(identity["fsid"])]:
            ceph.operation("rbd-resize", pool=volume.pool, image=volume.name, size=volume.size)
        else:
            qmp.execute(
                self._file(volume).parent / "control",
                "block_resize",
                {"node-name": _NODE, "size": volume.size},
            )
            number = Path(f"/proc/{pid}/root{node}").stat().st_rdev
            loop.adopt_size(f"/dev/loop{os.minor(number)}")
        run(_in_server(pid, "xfs_growfs", volume.path), timeout=300)


def _daemon_argv(volume: Volume, file: Path) -> tuple[str, ...]:
    disk = f"driver=rbd,node-name={_NODE},pool={volume.pool},image={volume.name},user={USER}"
    return (
        "qemu-storage-daemon",
        "--blockdev",
        f"{disk},conf=/etc/ceph/ceph.conf,cache.direct=on,discard=unmap",
        "--export",
        f"type=fuse,id={_NODE},node-name={_NODE},mountpoint={file},writable=on",
        "--chardev",
        f"socket,id=control,path={file.parent}/control,server=on,wait=off",
        "--monitor",
        "chardev=control",
    )


def _in_server(pid: int, *argv: str) -> tuple[str, ...]:
    """Return a command that runs among a server's mounts and processes, with this machine's rights over
    devices."""
    return ("nsenter", f"--target={pid}", "--mount", "--pid", "--", *argv)


def is_mount_point(path: Path) -> bool:
    """Tell whether something is mounted at a path, be it one of another mount namespace (/proc/PID/root)."""
    try:
        return path.stat().st_dev != path.parent.stat().st_dev
    except OSError:
        return False


def is_dead(point: Path) -> bool:
    """Tell whether a file system was shut down, by an error or by a `down` that did not end: it refuses
    everything until it is mounted again."""
    try:
        next(point.iterdir(), None)
    except OSError as error:
        return error.errno == errno.EIO
    return False


def _is_blank(device: str) -> bool:
    """Tell whether a device has no XFS yet: it begins with its magic number, written last by mkfs."""
    with Path(device).open("rb") as disk:
        return disk.read(len(_XFS_MAGIC)) != _XFS_MAGIC
