"""The folder `00-bootstrap`: what Ansible needs, and what kubeadm or KubeOne is told.

Both ways end in the same cluster: the same networks and API address, kube-proxy where there is no Cilium, the
same labels and taints. Tasks are files of ours that say what they say for every design (`roles`); whatever
differs between designs is a structure made here. No secret is among it: those are made on the servers, at run
time.
"""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources import files
from importlib.resources.abc import Traversable
from typing import Any

from rookery.design.cluster import has_cilium
from rookery.design.model import Cluster, Design
from rookery.files import File
from rookery.projections.kubernetes.bootstrap.inventory import build_inventory
from rookery.projections.kubernetes.bootstrap.kubeadm import render_kubeadm
from rookery.projections.kubernetes.bootstrap.kubeone import render_kubeone
from rookery.projections.kubernetes.bootstrap.plays import (
    finish_plays,
    kubeone_roles,
    prepare_plays,
    site_plays,
    site_roles,
)
from rookery.projections.kubernetes.bootstrap.variables import render_variables
from rookery.projections.kubernetes.emit import dump

FOLDER = "00-bootstrap"

_CONFIGURATION = """\
[defaults]
inventory = inventory.yaml
roles_path = roles
forks = 20
# Servers are looked at once in a run, not once in each play.
gathering = smart
# Facts are read as ansible_facts['...'], so that none of them shadows a variable of ours.
inject_facts_as_vars = False
# The servers' own Python, without a warning that a newer one might appear.
interpreter_python = auto_silent
display_skipped_hosts = False

[ssh_connection]
# One round trip for each task instead of three.
pipelining = True
# A new server's key is taken down at first sight; a changed one still stops everything.
ssh_args = -o ControlMaster=auto -o ControlPersist=60s -o StrictHostKeyChecking=accept-new
"""

_LINT = """\
# `ansible-lint` in this folder finds nothing.
profile: production
skip_list:
  # Lists stand directly below their key, as kubectl and Helm write them.
  - yaml[indentation]
"""

_UNSEEN = """\
# Who has it is the cluster's administrator.
kubeconfig
"""
_UNSEEN_OF_KUBEONE = """\
# Who has one of them is the cluster's administrator: KubeOne's backup has the cluster's keys.
*-kubeconfig
*.tar.gz
"""

_INVENTORY = (
    "The servers of this design. `drives[].device` may name a drive's path below /dev/disk/by-id, where the"
    " provider's names do not last over a restart; without it, the drive is /dev/NAME. `zone` on a host"
    " becomes its topology label. Where the servers are reached at other addresses than these,"
    " set ansible_host in host_vars."
)


def render_bootstrap(design: Design, *, image: str = "") -> tuple[File, ...]:
    """Return the files of the bootstrap, relative to the Kubernetes tree; none where a cluster is there.

    `image` is what pods name our image by; empty where it is as this version builds it.
    """
    cluster = design.kubernetes
    assert cluster is not None
    if cluster.bootstrap == "none":
        return ()
    rendered = _kubeadm_way(design) if cluster.bootstrap == "kubeadm" else _kubeone_way(design, cluster)
    found = {
        ".ansible-lint": _LINT,
        ".gitignore": _UNSEEN,
        "ansible.cfg": _CONFIGURATION,
        "inventory.yaml": dump((build_inventory(design),), comment=_INVENTORY),
        "group_vars/all.yaml": render_variables(design, cluster, image),
        **rendered,
    }
    return tuple(File.text(f"{FOLDER}/{path}", text) for path, text in sorted(found.items()))


def _kubeadm_way(design: Design) -> dict[str, str]:
    comment = "From bare servers to a cluster: `ansible-playbook site.yaml`."
    bridge = not has_cilium(design)
    return {
        "site.yaml": _playbook(site_plays(bridge=bridge), comment),
        **render_kubeadm(design),
        **_roles(site_roles(bridge=bridge)),
    }


def _kubeone_way(design: Design, cluster: Cluster) -> dict[str, str]:
    bridge = not has_cilium(design)
    finish = finish_plays(bridge=bridge)
    return {
        ".gitignore": _UNSEEN_OF_KUBEONE,
        "prepare.yaml": _playbook(prepare_plays(), "Before KubeOne: `ansible-playbook prepare.yaml`."),
        "finish.yaml": _playbook(finish, "After KubeOne: `ansible-playbook finish.yaml`."),
        **render_kubeone(design, cluster),
        **_roles(kubeone_roles(bridge=bridge)),
    }


def _playbook(plays: list[dict[str, Any]], comment: str) -> str:
    return dump((plays,), comment=comment)  # type: ignore[arg-type]  # a playbook is a list


def _roles(names: tuple[str, ...]) -> dict[str, str]:
    """Return the files of these roles, as they ship with this program."""
    folder = files("rookery.projections.kubernetes.bootstrap") / "roles"
    return {
        f"roles/{name}/{path}": entry.read_text(encoding="utf-8")
        for name in names
        for path, entry in _walk(folder / name)
    }


def _walk(folder: Traversable, prefix: str = "") -> Iterator[tuple[str, Traversable]]:
    for entry in folder.iterdir():
        if entry.is_dir():
            yield from _walk(entry, f"{prefix}{entry.name}/")
        else:
            yield prefix + entry.name, entry
