"""Servers as a provider hands them out: systemd, sshd, udev, drives.

Debian 12 is the nearest to Ubuntu 22.04 that a Debian mirror has. Each is a container like the lab's, but
with systemd as its first process: it gets a control group of its own and a writable /sys, so that udev runs.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rookery.design.model import Design, Host
from rookery.drivers.containers.debian import find_mirror
from rookery.drivers.containers.machine_server import machine_config
from rookery.drivers.containers.runc import Container, Runc
from rookery.drivers.machine.files import alone, remove_tree
from rookery.drivers.machine.loop import BlockDevice, attached
from rookery.drivers.machine.network import Bridge, Cable, ensure_bridges, ensure_namespace
from rookery.drivers.machine.process import run
from rookery.systems.home import image_folder

SHARED = "/srv/test"  # one folder of this machine, the same in every server
_PREFIX = "rktest"
_CGROUP = "/rookery-bootstrap-test"
_SUITE = "bookworm"
_PACKAGES = (
    *("apt-utils", "dbus", "gnupg", "iproute2", "openssh-server", "openssl", "procps", "python3-apt"),
    *("python3-yaml", "systemd-sysv", "udev"),
)
# What the playbooks install on a fresh server; the mirror is not reached from these.
_LATER = ("ca-certificates", "chrony", "xfsprogs")


def ensure_machine_image() -> Path:
    """Build the servers' root once; the packages for later lie in its /srv/packages."""
    text = " ".join((_SUITE, *_PACKAGES, *_LATER))
    root = image_folder() / f"machine-{hashlib.sha256(text.encode()).hexdigest()[:16]}"
    image_folder().mkdir(parents=True, exist_ok=True)
    with alone(image_folder() / ".machine-lock"):
        if not root.is_dir():
            building = root.with_name(f"{root.name}.building")
            remove_tree(building)
            hooks = (
                f'chroot "$1" apt-get install -qy --no-install-recommends --download-only {" ".join(_LATER)}',
                'mkdir -p "$1/srv/packages" && cp "$1"/var/cache/apt/archives/*.deb "$1/srv/packages/"',
                # It would ask every device of this machine to introduce itself.
                'chroot "$1" systemctl mask systemd-udev-trigger.service',
            )
            run(
                (
                    *("mmdebstrap", "--quiet", "--variant=apt", "--mode=root", "--components=main"),
                    f"--include={','.join(_PACKAGES)}",
                    '--aptopt=Acquire::Check-Valid-Until "false"',
                    *("--dpkgopt=force-unsafe-io", "--dpkgopt=path-exclude=/usr/share/man/*"),
                    *(f"--customize-hook={hook}" for hook in hooks),
                    *(_SUITE, str(building), find_mirror()),
                ),
                timeout=900,
            )
            building.replace(root)
    return root


@dataclass(frozen=True, kw_only=True)
class Machines:
    """Servers that run; `folder` has what they share and what the test keeps beside them."""

    folder: Path
    runc: Runc
    hosts: tuple[str, ...]
    drives: dict[tuple[str, str], BlockDevice]

    @property
    def shared(self) -> Path:
        return self.folder / "shared"

    @property
    def key(self) -> Path:
        return self.folder / "key"

    def run(self, host: str, *argv: str, check: bool = True) -> str:
        """Run a command in a server and return what it said."""
        done = subprocess.run(
            self.runc.exec_argv(host, argv), capture_output=True, text=True, timeout=120, check=False
        )
        assert done.returncode == 0 or not check, f"{host}: {argv}: {done.stdout}{done.stderr}"
        return done.stdout

    def read(self, host: str, path: str) -> str:
        return self.run(host, "cat", path)


@contextlib.contextmanager
def machines(design: Design, folder: Path) -> Iterator[Machines]:
    """Start a server for each of the design's, hand them out, and remove all of them."""
    image = ensure_machine_image()
    (folder / "shared").mkdir(parents=True)
    run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(folder / "key")))
    with contextlib.ExitStack() as stack:
        stack.callback(_remove, design, folder)
        bridge = Bridge(name=f"{_PREFIX}0", address=f"{design.network.gateway}/24", mtu=design.network.mtu)
        ensure_bridges((bridge,))
        drives = {
            (host.name, drive.name): stack.enter_context(
                _drive(folder / f"{host.name}-{drive.name}", drive.size)
            )
            for host in design.servers
            for drive in host.drives
        }
        runc = Runc(folder / "state")
        for number, host in enumerate(design.servers, 1):
            _start(host, number, image, folder, runc=runc, mtu=bridge.mtu, drives=drives)
        names = tuple(host.name for host in design.servers)
        found = Machines(folder=folder, runc=runc, hosts=names, drives=drives)
        for name in names:
            _wait_for_ssh(found, name)
        for (name, _), device in drives.items():
            place = f"/sys/block/{Path(device.path).name}"
            found.run(name, "udevadm", "trigger", "--settle", "--action=add", place)
        yield found


@contextlib.contextmanager
def _drive(path: Path, size: int) -> Iterator[BlockDevice]:
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        os.ftruncate(handle, size)
        with attached(handle) as device:
            yield device
    finally:
        os.close(handle)


def _start(
    host: Host,
    number: int,
    image: Path,
    folder: Path,
    *,
    runc: Runc,
    mtu: int,
    drives: dict[tuple[str, str], BlockDevice],
) -> None:
    namespace = f"{_PREFIX}.{host.name}"
    cable = Cable(
        outside=f"{_PREFIX}p{number}",
        inside="eth0",
        bridge=f"{_PREFIX}0",
        address=f"{host.address}/24",
        mtu=mtu,
    )
    ensure_namespace(namespace, (cable,))
    bundle = folder / host.name
    for name in ("upper", "work", "root"):
        (bundle / name).mkdir(parents=True)
    options = f"lowerdir={image},upperdir={bundle / 'upper'},workdir={bundle / 'work'}"
    run(("mount", "-t", "overlay", "overlay", "-o", options, str(bundle / "root")))
    own = {name: device for (owner, name), device in drives.items() if owner == host.name}
    _lay(bundle / "root", folder, own)
    config = _config(host, bundle / "root", namespace, folder / "shared", own)
    (bundle / "config.json").write_text(json.dumps(config))
    with (bundle / "console").open("wb") as console:
        subprocess.run(
            ("runc", "--root", str(runc.state), "run", "--detach", "--bundle", str(bundle), host.name),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            timeout=60,
            check=True,
        )


def _lay(root: Path, folder: Path, drives: dict[str, BlockDevice]) -> None:
    """Lay what a provider's image and its hypervisor would bring."""
    keys = root / "root/.ssh/authorized_keys"
    keys.parent.mkdir(mode=0o700, exist_ok=True)
    keys.write_text((folder / "key.pub").read_text())
    keys.chmod(0o600)
    for path in (root / "etc/apt/sources.list", *(root / "etc/apt/sources.list.d").iterdir()):
        path.unlink(missing_ok=True)
    (root / "etc/apt/sources.list").write_text(f"deb [trusted=yes] file:{SHARED}/debian ./\n")
    (root / "etc/fstab").write_text("/dev/vda1 / ext4 defaults 0 1\n/swap.img none swap sw 0 0\n")
    (root / "etc/hostname").write_text("fresh\n")
    (root / "etc/cloud/templates").mkdir(parents=True)
    (root / "etc/cloud/templates/hosts.debian.tmpl").write_text("127.0.0.1 localhost\n")
    # Names as a cloud's drives have them; a loop device has no serial number to derive one from.
    rules = "".join(
        f'KERNEL=="{Path(device.path).name}", SYMLINK+="disk/by-id/test-{name}"\n'
        for name, device in drives.items()
    )
    (root / "etc/udev/rules.d/60-test.rules").write_text(rules)


def _config(
    host: Host, root: Path, namespace: str, shared: Path, drives: dict[str, BlockDevice]
) -> dict[str, Any]:
    container = Container(
        id=host.name,
        hostname="fresh",
        root=root,
        namespace=namespace,
        argv=("/sbin/init",),
        cgroup=f"{_CGROUP}/{host.name}",
        memory=host.memory,
        cpus=host.cpus,
        binds=((SHARED, str(shared)),),
        fuse=False,
    )
    return machine_config(container, drives.values())


def _wait_for_ssh(found: Machines, host: str) -> None:
    limit = time.monotonic() + 60
    while "active" not in found.run(host, "systemctl", "is-active", "ssh", check=False).split():
        said = (found.folder / host / "console").read_text(errors="replace")
        assert time.monotonic() < limit, f"sshd of {host} does not run after 60 s: {said}"
        time.sleep(0.2)


def _remove(design: Design, folder: Path) -> None:
    """Remove everything, by name: servers first, then what they stood on."""
    runc = Runc(folder / "state")
    for host in design.servers:
        runc.delete(host.name)
        subprocess.run(("umount", str(folder / host.name / "root")), capture_output=True, check=False)
        namespace = f"{_PREFIX}.{host.name}"
        subprocess.run(("ip", "netns", "delete", namespace), capture_output=True, check=False)
    subprocess.run(("ip", "link", "delete", f"{_PREFIX}0"), capture_output=True, check=False)
    for hierarchy in (Path("/sys/fs/cgroup"), *Path("/sys/fs/cgroup").iterdir()):
        top = hierarchy / _CGROUP.lstrip("/")
        for group, _, _ in os.walk(top, topdown=False):
            with contextlib.suppress(OSError):
                Path(group).rmdir()
