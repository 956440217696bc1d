"""The root image of the lab's servers for Kubernetes: Debian with systemd, sshd, kubeadm and CRI-O.

It has what the playbooks would install, so that seven servers do not each unpack it: they find the packages
there and go on. Built once for each set of packages; complete or absent.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from rookery.drivers.containers.debian import DebianRoot, ExtraSource, find_mirror, make_root
from rookery.drivers.machine.files import alone, remove_tree
from rookery.mirror.folder import Mirror
from rookery.projections.kubernetes.sources import Repository, node_repositories
from rookery.systems.home import image_folder
from rookery.systems.protocol import Report

# The nearest that Debian has to Ubuntu 22.04, and the newest whose systemd runs on both versions of control
# groups: trixie's wants a kernel option for the first.
SUITE = "bookworm"
_RECIPE = 1  # raise it when the recipe below changes what comes out
_PACKAGES = (
    *("apt-utils", "ca-certificates", "chrony", "curl", "dbus", "fuse3", "haproxy", "iproute2", "iptables"),
    *("iputils-ping", "kmod", "less", "nftables", "openssh-server", "openssl", "procps", "python3"),
    *("python3-apt", "python3-yaml", "runc", "skopeo", "systemd-sysv", "udev", "xfsprogs"),
)
_MASKED = (
    # It would ask every device of this machine to introduce itself.
    "systemd-udev-trigger.service",
    # HAProxy runs on the load balancer only, and is its first process there.
    "haproxy.service",
    # A server has its machine's clock.
    "chrony.service",
    "systemd-timesyncd.service",
)


def image_root(mirror: Mirror, version: str) -> Path:
    """Return where the image with the packages of a mirror is, once it is built; `version` is Kubernetes'
    minor one."""
    text = " ".join((str(_RECIPE), SUITE, *_PACKAGES, *_MASKED))
    digest = hashlib.sha256(text.encode())
    for repository in node_repositories(version):
        digest.update((mirror.packages(repository) / "InRelease").read_bytes())
    return image_folder() / f"node-{digest.hexdigest()[:16]}"


def ensure_image(mirror: Mirror, version: str, report: Report) -> Path:
    """Build the image if it is not there, and return its root.

    Raises NotPossibleError where Debian's mirror cannot be reached.
    """
    root = image_root(mirror, version)
    if root.is_dir():
        return root
    image_folder().mkdir(parents=True, exist_ok=True)
    with alone(image_folder() / ".node-lock"):
        if not root.is_dir():
            _build(root, mirror, node_repositories(version), report)
    return root


def _build(root: Path, mirror: Mirror, repositories: tuple[Repository, ...], report: Report) -> None:
    building = root.with_name(f"{root.name}.building")
    debian = find_mirror()
    report(f"building from {debian} and {mirror.folder}; this happens once and takes a minute or two")
    wanted = DebianRoot(
        suite=SUITE,
        variant="apt",
        packages=(*_PACKAGES, *(name for one in repositories for name in one.packages)),
        sources=tuple(
            ExtraSource(folder=mirror.packages(one), key=mirror.packages(one) / "Release.key")
            for one in repositories
        ),
        masked=_MASKED,
    )
    make_root(wanted, building, mirror=debian, what="the root image of the lab's servers")
    _finish(building)
    building.replace(root)


def _finish(root: Path) -> None:
    """Take away what is each server's own, and whatever asks for the internet."""
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for name in ("etc/machine-id", "etc/hostname", "etc/resolv.conf", "etc/apt/sources.list"):
        (root / name).write_text("", encoding="utf-8")
    for source in (root / "etc/apt/sources.list.d").iterdir():
        source.unlink()
    for name in ("usr/share/doc", "usr/share/locale", "var/cache/apt", "var/lib/apt/lists"):
        remove_tree(root / name)
        (root / name).mkdir()
