"""What is laid into a server before its first start: who it is, who may log in, what cloud-init is to do."""

from __future__ import annotations

import json
from importlib.resources import files as package_files

from rookery.clouds.hetzner.fake.machines import Machine
from rookery.files import File
from rookery.systems.lab.nodes.machines import proc_files

INIT = "/usr/lib/rookery/init"
_GUEST = package_files("rookery.systems.lab.nodes") / "guest"
_SEED = "var/lib/cloud/seed/nocloud"
RULES = "etc/udev/rules.d/60-volumes.rules"

# As on Hetzner's images: root logs in, by keys alone. Its cards are connected already.
_CLOUD = {
    "datasource_list": ["NoCloud"],
    "network": {"config": "disabled"},
    "users": [],
    "disable_root": False,
    "ssh_pwauth": False,
    "ssh_genkeytypes": ["ed25519"],
    "apt_preserve_sources_list": True,
    "locale": False,  # there are none but C.UTF-8
    "growpart": {"mode": "off"},
    "resize_rootfs": False,
}


def server_files(machine: Machine) -> tuple[File, ...]:
    """Return what a server finds at its first start."""
    meta = {
        "instance-id": str(machine.id),
        "local-hostname": machine.name,
        "public-keys": list(machine.keys),
    }
    return (
        File.text("etc/hostname", f"{machine.name}\n"),
        File.text("etc/hosts", f"127.0.0.1 localhost\n127.0.1.1 {machine.name}\n"),
        File.text("etc/cloud/cloud.cfg.d/90-provider.cfg", f"{json.dumps(_CLOUD)}\n"),
        # JSON is YAML.
        File.text(f"{_SEED}/meta-data", f"{json.dumps(meta)}\n"),
        File.text(f"{_SEED}/user-data", machine.user_data or "#cloud-config\n{}\n", mode=0o600),
        File.text(INIT.lstrip("/"), (_GUEST / "init").read_text(encoding="utf-8"), mode=0o755),
        *proc_files(machine.memory),
    )


def disk_rules(devices: dict[int, str]) -> str:
    """Return udev's rules that name devices as Hetzner does, by the volumes' ids."""
    return "".join(
        f'KERNEL=="{device.removeprefix("/dev/")}", SYMLINK+="disk/by-id/{disk_name(number)}"\n'
        for number, device in sorted(devices.items())
    )


def disk_name(number: int) -> str:
    """Return what a volume is called below /dev/disk/by-id."""
    return f"scsi-0HC_Volume_{number}"
