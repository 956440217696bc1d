"""The rendered playbooks, read by the programs that judge and run them."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.kit.playbooks import fill, run, write

PEERS = "control_plane:!control_plane[0]"

DESIGNS: dict[str, dict[str, Any]] = {
    "kubeadm": {"pattern": "ha-control-plane", "provider": "hetzner"},
    "kubeone": {"provider": "aws", "kubernetes": {"bootstrap": "kubeone"}},
    "bridge": {"provider": "existing", "kubernetes": {"network": "bridge"}},
}
PLAYBOOKS = {"kubeadm": ["site.yaml"], "kubeone": ["prepare.yaml", "finish.yaml"], "bridge": ["site.yaml"]}


@pytest.mark.parametrize("name", list(DESIGNS))
def test_ansible_lint_finds_nothing(name: str, tmp_path: Path) -> None:
    """Most roles are the same in all trees: they are looked at in the first, and left out of the others."""
    folder = write(tmp_path / name, DESIGNS[name])
    first = next(iter(DESIGNS))
    known = set() if name == first else roles(write(tmp_path / first, DESIGNS[first]))
    seen = [role for role, _ in roles(folder) & known]
    assert bool(seen) == (name != first)
    left_out = ("--exclude", *(f"roles/{role}/" for role in seen)) if seen else ()
    done = run(folder, "ansible-lint", "--offline", "-q", "--format=pep8", "--strict", *left_out)
    assert (done.stdout, done.returncode) == ("", 0), done.stderr


def roles(folder: Path) -> set[tuple[str, tuple[tuple[str, bytes], ...]]]:
    """Return the roles of a tree, each with all that is in it."""
    return {
        (
            role.name,
            tuple(
                (str(path.relative_to(role)), path.read_bytes())
                for path in sorted(role.rglob("*"))
                if path.is_file()
            ),
        )
        for role in (folder / "roles").iterdir()
    }


@pytest.mark.parametrize(("name", "playbooks"), PLAYBOOKS.items())
def test_ansible_reads_each_playbook(name: str, playbooks: list[str], tmp_path: Path) -> None:
    done = run(write(tmp_path, DESIGNS[name]), "ansible-playbook", "--syntax-check", *playbooks)
    read = [word for playbook in playbooks for word in ("playbook:", playbook)]
    assert (done.returncode, done.stdout.split()) == (0, read), done.stderr


def test_the_inventory_has_every_server_in_its_groups(tmp_path: Path) -> None:
    done = run(
        write(tmp_path, DESIGNS["kubeadm"]), "ansible", "--list-hosts", "control_plane:!control_plane[0]"
    )
    assert done.stdout == "  hosts (2):\n    cp-2\n    cp-3\n", done.stderr


def test_a_single_control_plane_has_no_peers(tmp_path: Path) -> None:
    folder = write(tmp_path, {"provider": "hetzner"})
    done = run(folder, "ansible", "--list-hosts", PEERS)
    assert "hosts (0)" in done.stdout, done.stderr


CRIO = "roles/crio/templates/crio.conf.j2"


def test_crio_is_what_its_package_says_but_for_what_kubelet_counts_on(tmp_path: Path) -> None:
    folder = write(tmp_path, DESIGNS["kubeadm"])
    assert tomllib.loads(fill(folder, CRIO, {"crio_pause_image": "registry.k8s.io/pause:3.10"})) == {
        "crio": {
            "runtime": {"cgroup_manager": "systemd", "pids_limit": -1},
            "image": {
                "pause_image": "registry.k8s.io/pause:3.10",
                "pinned_images": ["localhost/rookery/*"],
            },
        }
    }


def test_crio_reads_images_that_are_there_and_starts_containers_by_another_program(tmp_path: Path) -> None:
    told = {
        "crio_pause_image": "pause",
        "cgroup_manager": "cgroupfs",
        "image_stores": ["/images/one", "/images/two"],
        "runtime_program": "/usr/local/bin/start",
    }
    found = tomllib.loads(fill(write(tmp_path, DESIGNS["kubeadm"]), CRIO, told))["crio"]
    assert found["storage_driver"] == "overlay"
    assert found["storage_option"] == ["overlay.imagestore=/images/one", "overlay.imagestore=/images/two"]
    assert found["runtime"] == {
        "cgroup_manager": "cgroupfs",
        "conmon_cgroup": "pod",
        "pids_limit": -1,
        "default_runtime": "rookery",
        "runtimes": {
            "rookery": {
                "runtime_path": "/usr/local/bin/start",
                "runtime_type": "oci",
                "runtime_root": "/run/rookery-runtime",
                "monitor_path": "/usr/libexec/crio/conmon",
                "monitor_cgroup": "pod",
            }
        },
    }


@pytest.mark.parametrize(
    ("ignored", "option"), [([], []), (["A", "B"], ["--ignore-preflight-errors=A,B"])], ids=["none", "two"]
)
def test_kubeadm_is_told_which_checks_may_fail(ignored: list[str], option: list[str], tmp_path: Path) -> None:
    folder = write(tmp_path, DESIGNS["kubeadm"])
    told: dict[str, Any] = {"kubeadm_ignored": ignored}
    for role in ("control_plane", "join"):
        told |= yaml.safe_load((folder / "roles" / role / "vars" / "main.yaml").read_text())
    (folder / "told.j2").write_text("{{ [control_plane_ignored, join_ignored] | to_json }}")
    assert yaml.safe_load(fill(folder, "told.j2", told)) == [option, option]
