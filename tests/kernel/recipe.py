"""A machine with a kernel of its own, prepared once: User-mode Linux and a Debian root with systemd.

User-mode Linux is a kernel that runs as a process, without any support of the processor: it boots wherever
these tests run, in a container too. Debian builds it with kernel RBD, CephFS, overlays and cgroup v2. Before
6.16 it knew no `seccomp=on`, without which every system call costs two switches by ptrace, and Debian's
stable releases have older ones; so the kernel is that of unstable, unpacked into a root of its own with the
libraries that it needs.

Everything comes from the mirror that this machine's own apt uses, and is kept below ROOKERY_HOME under a hash
of what goes into it: complete or absent, as the servers' image is.
"""

from __future__ import annotations

import hashlib
import shutil
import sys
from collections.abc import Callable, Mapping
from pathlib import Path

from rookery.drivers.containers.debian import DebianRoot, find_mirror, make_root
from rookery.drivers.machine.files import alone, remove_tree
from rookery.drivers.machine.process import run
from rookery.releases import RELEASES
from rookery.systems.home import home
from rookery.systems.native.root import ensure_image

CHECKOUT = Path(__file__).parents[2]
ADDRESS, GATEWAY, PREFIX = "198.18.77.2", "198.18.77.1", 24  # of the range for benchmarks (RFC 2544)
_RECIPE = 1  # raise it when the code below changes what comes out
_KERNEL = DebianRoot(suite="sid", variant="extract", packages=("base-files", "user-mode-linux"))
_GUEST = DebianRoot(
    suite="trixie",
    variant="apt",
    packages=(
        *("dbus", "iproute2", "iputils-ping", "kmod", "mmdebstrap", "openssh-server", "procps", "python3"),
        *("runc", "systemd-sysv", "udev", "xfsprogs"),
    ),
    masked=("apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "fstrim.timer"),
)
_PYTHON = "3.13"  # of the guest's Debian
_DISK = "40G"  # sparse
_NETWORK = f"[Match]\nName=vec0\n[Network]\nAddress={ADDRESS}/{PREFIX}\nLinkLocalAddressing=no\n"
_FSTAB = "/dev/ubda / ext4 noatime 0 1\n/dev/ubdb /var/lib/rookery/images ext4 ro 0 0\n"


class Places:
    """Where what was prepared lies."""

    def __init__(self) -> None:
        self.folder = home() / "kernel"
        self.whole = self.folder / _digest()
        self.kernel = self.whole / "kernel"
        self.disk = self.whole / "disk.ext4"
        self.key = self.whole / "key"


def _digest() -> str:
    parts = (_RECIPE, _KERNEL, _GUEST, _PYTHON, _DISK, _NETWORK, _FSTAB, _lock().read_text(encoding="utf-8"))
    return hashlib.sha256("\0".join(map(str, parts)).encode()).hexdigest()[:16]


def _lock() -> Path:
    return CHECKOUT / "requirements.lock"


def prepare(report: Callable[[str], None]) -> tuple[Places, Path]:
    """Return where the machine is and the disk with the servers' images, made now where they are not."""
    images = [ensure_image(name, report) for name in sorted(RELEASES)]
    places = Places()
    places.folder.mkdir(parents=True, exist_ok=True)
    with alone(places.folder / ".lock"):
        if not places.whole.is_dir():
            _build(places, report)
        shelf = places.folder / f"image-{'-'.join(image.name for image in images)}.ext4"
        if not shelf.exists():
            report("putting the servers' images on a disk")
            for old in places.folder.glob("image-*"):
                old.unlink()
            _make_disk({image.name: image for image in images}, shelf, size="8G")
    return places, shelf


def _build(places: Places, report: Callable[[str], None]) -> None:
    mirror = find_mirror()
    building = places.whole.with_suffix(".building")
    remove_tree(building)
    building.mkdir()
    report(
        f"building a guest with a kernel of its own from {mirror}; this happens once and takes a few minutes"
    )
    kernel, root = building / "kernel", building / "root"
    make_root(_KERNEL, kernel, mirror=mirror, what="User-mode Linux")
    for name in ("proc", "dev", "tmp", "host", "disks", "work"):
        (kernel / name).mkdir(exist_ok=True)
    make_root(_GUEST, root, mirror=mirror, what="the guest's root")
    run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(building / "key")))
    _finish(root, kernel, building / "key.pub")
    report("making its disk")
    _make_disk({"": root}, building / "disk.ext4", size=_DISK)
    remove_tree(root)
    building.replace(places.whole)


def _finish(root: Path, kernel: Path, key: Path) -> None:
    """Lay into the guest's root what makes it a server that is reached, and Python's packages of the lock."""
    for modules in (kernel / "usr/lib/uml/modules").iterdir():
        shutil.copytree(modules, root / "usr/lib/modules" / modules.name, symlinks=True)
        run(("chroot", str(root), "depmod", modules.name), timeout=120)
    _lay(root / "root/.ssh/authorized_keys", key.read_text(encoding="utf-8"), 0o600)
    _lay(root / "etc/systemd/network/vec0.network", _NETWORK)
    _lay(root / "etc/fstab", _FSTAB)
    _lay(root / "etc/hostname", "guest\n")
    (root / "var/lib/rookery/images").mkdir(parents=True)
    for folder in ("host", "opt/rookery"):
        (root / folder).mkdir(parents=True, exist_ok=True)
    run(("chroot", str(root), "systemctl", "enable", "systemd-networkd"))
    argv = (
        *(sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-compile"),
        *("--root-user-action=ignore", "--require-hashes", "--only-binary=:all:"),
        *("--python-version", _PYTHON, "--implementation", "cp"),
        *("--target", str(root / "opt/rookery/packages"), "-r", str(_lock())),
    )
    run(argv, timeout=600)
    run(("chroot", str(root), "python3", "-m", "compileall", "-q", "/opt/rookery/packages"), timeout=600)


def _lay(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    path.write_text(text, encoding="utf-8")
    path.chmod(mode)


def _make_disk(contents: Mapping[str, Path], disk: Path, *, size: str) -> None:
    """Make a file into a disk with the content of folders, each at its own place below the disk's root."""
    building = disk.with_suffix(".building")
    building.unlink(missing_ok=True)
    script = (
        'stage=$1; shift; mount -t tmpfs none "$stage"; while [ "$1" != -- ]; do'
        ' mkdir -p "$stage/$1" && mount --bind "$2" "$stage/$1" && shift 2 || exit; done; shift; exec "$@"'
    )
    stage = disk.with_suffix(".stage")
    stage.mkdir(exist_ok=True)
    argv = ("mke2fs", "-q", "-t", "ext4", "-E", "lazy_itable_init=1", "-d", str(stage), str(building), size)
    places = (word for below, content in contents.items() for word in (below, str(content)))
    try:
        run(("unshare", "--mount", "sh", "-ec", script, "sh", str(stage), *places, "--", *argv), timeout=600)
    finally:
        stage.rmdir()
    building.replace(disk)
