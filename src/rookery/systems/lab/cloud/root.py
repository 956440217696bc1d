"""The root image of a stand-in's servers: Debian as a cloud hands it out, with cloud-init and sshd.

It has nothing of Kubernetes in it: what playbooks need they fetch, as on servers of a cloud.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from rookery.drivers.containers.debian import DebianRoot, find_mirror, make_root
from rookery.drivers.machine.files import alone, remove_tree
from rookery.systems.home import image_folder
from rookery.systems.protocol import Report

# The newest whose systemd runs on both versions of control groups, as for a lab's servers with Kubernetes.
_SUITE = "bookworm"
_RECIPE = 1  # raise it when the recipe below changes what comes out
_PACKAGES = (
    *("apt-utils", "ca-certificates", "cloud-init", "curl", "dbus", "gnupg", "haproxy", "iproute2"),
    *("iputils-ping", "kmod", "less", "openssh-server", "openssl", "procps", "python3", "python3-apt"),
    *("python3-yaml", "systemd-sysv", "udev", "xfsprogs"),
)
_MASKED = (
    # It would ask every device of this machine to introduce itself.
    "systemd-udev-trigger.service",
    # HAProxy runs on load balancers only, and is the first process there.
    "haproxy.service",
    # A server has its machine's clock.
    "systemd-timesyncd.service",
)


def server_root() -> Path:
    """Return where the image is, once it is built."""
    text = " ".join((str(_RECIPE), _SUITE, *_PACKAGES, *_MASKED))
    return image_folder() / f"cloud-{hashlib.sha256(text.encode()).hexdigest()[:16]}"


def ensure_server_root(report: Report) -> Path:
    """Build the image if it is not there; NotPossibleError where Debian's mirror cannot be reached."""
    root = server_root()
    if root.is_dir():
        return root
    image_folder().mkdir(parents=True, exist_ok=True)
    with alone(image_folder() / ".cloud-lock"):
        if not root.is_dir():
            building = root.with_name(f"{root.name}.building")
            mirror = find_mirror()
            report(f"building the servers' root from {mirror}; this happens once and takes a minute")
            wanted = DebianRoot(suite=_SUITE, variant="apt", packages=_PACKAGES, masked=_MASKED)
            make_root(wanted, building, mirror=mirror, what="the root image of the stand-in's servers")
            _finish(building)
            building.replace(root)
    return root


def _finish(root: Path) -> None:
    """Take away what is each server's own."""
    for key in (root / "etc/ssh").glob("ssh_host_*"):
        key.unlink()
    for name in ("etc/machine-id", "etc/hostname", "etc/resolv.conf"):
        (root / name).write_text("", encoding="utf-8")
    for name in ("usr/share/doc", "usr/share/locale", "var/cache/apt"):
        remove_tree(root / name)
        (root / name).mkdir()
