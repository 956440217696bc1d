"""`down` by the way that a system has: what it stands on decides; where that is here, its name is enough."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rookery.design.model import Design
from rookery.errors import InputError, NeedsRootError, RookeryError
from rookery.run import homes, lock, workspace
from rookery.run.down import bring_down
from rookery.run.workspace import Workspace, note_system, open_spec
from rookery.systems.existing.servers import ExistingServers
from rookery.systems.kubernetes.paths import ClusterPaths
from rookery.systems.kubernetes.removal import ClusterRemoval
from rookery.systems.kubernetes.system import KubernetesSystem
from rookery.systems.lab import paths
from rookery.systems.lab.nodes.servers import LabServers
from rookery.systems.lab.paths import LabPaths
from rookery.systems.lab.removal import LabRemoval
from rookery.systems.native.system import NativeSystem
from rookery.systems.protocol import Leftover

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="`down` of a lab asks for root")
NAME = "test-removal"


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Let labs, clusters and locks live in a folder of the test's own."""
    for module in (paths, homes, lock, workspace):
        monkeypatch.setattr(module, "runtime_folder", lambda: tmp_path / "run")
    monkeypatch.setattr(workspace, "namespace_names", list)  # those of labs that run beside the tests
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))
    return tmp_path


def asked(folder: Path, text: str = "") -> Workspace:
    """Note a system of that spec as `up` does, and return what it was asked to be."""
    spec = folder / "spec.yaml"
    spec.write_text(f"apiVersion: rookery/v1\nname: {NAME}\npattern: production-minimum\n{text}")
    found = open_spec(str(spec))
    note_system(found, mirror=folder / "mirror" if "platform" in text else None)
    return found


def design_of(folder: Path, text: str = "") -> Design:
    return asked(folder, text).design


ON_THE_LAB = "provider: lab\nplatform: kubernetes\n"
ON_OTHERS = "provider: existing\nplatform: kubernetes\n"


def test_a_lab_goes_the_same_way_whatever_runs_on_it(machine: Path) -> None:
    native = NativeSystem(design_of(machine)).removal
    on_the_lab = design_of(machine, ON_THE_LAB)
    cluster = KubernetesSystem(on_the_lab, LabServers(on_the_lab, None)).removal
    assert isinstance(cluster, LabRemoval)
    assert (native.networks, native.noted) == (cluster.networks, None)
    assert cluster.noted == ClusterPaths(name=NAME).folder
    assert len(native.networks) >= 1


def test_only_root_removes_a_lab(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    with pytest.raises(NeedsRootError, match="a lab makes containers, networks and mounts"):
        NativeSystem(design_of(machine)).removal.require()
    others = design_of(machine, ON_OTHERS)
    removal = KubernetesSystem(others, ExistingServers(others)).removal
    assert isinstance(removal, ClusterRemoval)
    removal.require()


@as_root
def test_a_lab_whose_spec_cannot_be_read_goes_by_its_name(machine: Path) -> None:
    asked(machine)
    lab = LabPaths(name=NAME)
    lab.spec.write_text('{"apiVersion": "rookery/v0"}')
    gone = bring_down(NAME, must_exist=True)
    assert gone.found == (Leftover(kind="folder", name=str(lab.folder)),)
    assert gone.left == ()
    assert workspace.running_names() == ()


@as_root
@pytest.mark.parametrize("readable", [True, False])
def test_a_cluster_on_the_lab_is_gone_with_its_servers(machine: Path, *, readable: bool) -> None:
    """Its mirror is gone, too: nothing is asked of it."""
    asked(machine, ON_THE_LAB)
    lab, noted = LabPaths(name=NAME), ClusterPaths(name=NAME)
    lab.folder.mkdir(parents=True)
    if not readable:
        noted.spec.write_text("{}")
    gone = bring_down(NAME)
    assert gone.found == (Leftover(kind="folder", name=str(lab.folder)),)
    assert gone.left == ()
    assert not noted.folder.exists()


def test_a_cluster_of_others_that_is_silent_keeps_its_notes(machine: Path) -> None:
    asked(machine, ON_OTHERS)
    noted = ClusterPaths(name=NAME)
    noted.mirror.unlink()
    with pytest.raises(RookeryError) as caught:
        bring_down(NAME)
    assert str(caught.value) == (
        f"the cluster of {NAME} does not answer, so nobody can tell what is left of it\n"
        f"  Where its servers are gone for good, remove {noted.folder}."
    )
    assert noted.spec.exists()


def test_into_somebodys_cluster_only_its_spec_leads(machine: Path) -> None:
    asked(machine, ON_OTHERS)
    noted = ClusterPaths(name=NAME)
    noted.spec.write_text("{}")
    with pytest.raises(InputError, match="is not a spec of this version"):
        bring_down(NAME)
    assert noted.folder.is_dir()
