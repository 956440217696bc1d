"""Packages that stand in for those of Kubernetes and CRI-O, in repositories like theirs: flat and signed."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from importlib.resources import files

from tests.lab.machines import SHARED, Machines
from tests.lab.stand_ins import build_package

_FAKE = files("tests.lab.cluster") / "fake.py"
_UNIT = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"


def publish_packages(machines: Machines) -> None:
    """Make the repositories in the folder that all servers share, signed by a key made for it."""
    host, fake = machines.hosts[0], f"#!/usr/bin/python3\n{_FAKE.read_text()}"
    debian = machines.shared / "debian"
    shutil.copytree(machines.folder / host / "root/srv/packages", debian)
    skopeo = {"usr/bin/skopeo": fake}
    build_package(debian, "skopeo", "1.4.1", skopeo)
    for version in ("1.36.2-1.1", "1.37.0-1.1"):
        folder = machines.shared / "kubernetes"
        build_package(folder, "kubeadm", version, {"usr/bin/kubeadm": fake})
        build_package(folder, "kubectl", version, {"usr/bin/kubectl": fake})
        build_package(folder, "kubelet", version, {"lib/systemd/system/kubelet.service": _UNIT})
        build_package(machines.shared / "cri-o", "cri-o", version, _CRI_O)
    machines.run(
        host, "gpg", "--batch", "--passphrase=", "--quick-generate-key", "test", "default", "default"
    )
    for name in ("debian", "kubernetes", "cri-o"):
        script = (
            f"cd {SHARED}/{name}; apt-ftparchive packages . > Packages; apt-ftparchive release . > Release;"
            " gpg --batch --clearsign --output InRelease Release; gpg --armor --export test > Release.key"
        )
        machines.run(host, "sh", "-ec", script)


_CRI_O: Mapping[str, str] = {
    "lib/systemd/system/crio.service": _UNIT,
    "etc/crio/policy.json": '{"default": [{"type": "insecureAcceptAnything"}]}\n',
    "etc/crio/crio.conf.d/10-crio.conf": '[crio.image]\nsignature_policy = "/etc/crio/policy.json"\n',
    "etc/containers/registries.conf.d/crio.conf": 'unqualified-search-registries = ["docker.io"]\n',
    "etc/cni/net.d/11-crio-ipv4-bridge.conflist": "{}\n",
}
