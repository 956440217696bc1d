"""Whose a system is: on servers elsewhere that of whoever brought it up, on this machine root's."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rookery.errors import InputError, MissingPackagesError, NeedsRootError
from rookery.run import homes, lock, systems, workspace
from rookery.run.lock import hold
from rookery.run.systems import opened
from rookery.run.workspace import Workspace, note_system, open_running, open_spec, roots_names, running_names
from rookery.systems import home as homes_of_all
from rookery.systems import pod_image, preflight
from rookery.systems.kubernetes import paths as clusters
from rookery.systems.kubernetes import system as on_kubernetes
from rookery.systems.lab import paths as labs


@pytest.fixture(autouse=True)
def machine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A machine whose folders are the test's, with a user who is not root."""
    for module in (homes_of_all, clusters, labs, homes, workspace):
        monkeypatch.setattr(module, "home", lambda: tmp_path / "machine")
    for module in (labs, homes, lock, workspace):
        monkeypatch.setattr(module, "runtime_folder", lambda: tmp_path / "run")
    monkeypatch.setattr(workspace, "namespace_names", list)
    monkeypatch.delenv("ROOKERY_HOME", raising=False)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setattr(on_kubernetes, "require_cluster_tools", lambda: None)
    become(1000, monkeypatch)
    return tmp_path


def become(user: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)


def asked(folder: Path, name: str, provider: str = "existing") -> Workspace:
    spec = folder / f"{name}.yaml"
    text = f"apiVersion: rookery/v1\nname: {name}\npattern: production-minimum\nprovider: {provider}\n"
    spec.write_text(f"{text}platform: kubernetes\n")
    return open_spec(str(spec))


def test_a_user_s_system_on_servers_elsewhere_needs_no_root(
    machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note_system(asked(machine, "mine"))
    own = machine / "state/rookery"
    assert (own / "clusters/mine/spec.json").is_file()
    assert (running_names(), roots_names()) == (("mine",), ())
    closed: list[object] = []
    remember = closed.append
    monkeypatch.setattr(on_kubernetes.KubernetesSystem, "close", lambda system: remember(system))  # noqa: PLW0108 - a method
    with opened("mine") as running, hold("mine"):
        assert running.design.provider == "existing"
        assert running.system.design is running.design
        assert closed == []
    assert closed == [running.system]
    assert (own / "locks/mine").exists()
    assert not (machine / "machine").exists()
    assert not (machine / "run").exists()


def test_what_root_brought_up_is_root_s(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    note_system(asked(machine, "mine"))
    become(0, monkeypatch)
    note_system(asked(machine, "theirs"))
    assert running_names() == ("theirs",)
    assert open_running(None).design.name == "theirs"
    become(1000, monkeypatch)
    assert (running_names(), roots_names()) == (("mine", "theirs"), ("theirs",))
    with pytest.raises(NeedsRootError) as caught, opened("theirs"):
        pass
    assert str(caught.value) == (
        "theirs was brought up by root, and nobody else may work with it\n"
        "  Run it with sudo: `sudo ./rookery ...`."
    )
    with pytest.raises(InputError, match="there are several: mine, theirs"):
        open_running(None)


def test_where_a_home_is_named_everything_is_there(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOKERY_HOME", str(machine / "machine"))
    note_system(asked(machine, "mine"))
    assert (machine / "machine/clusters/mine/spec.json").is_file()
    assert (running_names(), roots_names()) == (("mine",), ())


def test_a_lab_is_root_s_whatever_runs_on_it(machine: Path) -> None:
    workspace = asked(machine, "lab", provider="lab")
    for ask in ("require", "require_access"):
        with pytest.raises(NeedsRootError, match="a lab makes containers, networks and mounts"):
            getattr(systems.find_system(workspace.design), ask)()


def test_only_the_image_of_pods_is_made_by_root(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    system = systems.find_system(asked(machine, "mine").design)
    archive = machine / "apps.tar"
    monkeypatch.setattr(pod_image, "archive_path", lambda: archive)
    with pytest.raises(NeedsRootError) as caught:
        system.require()
    assert str(caught.value) == (
        "the container image of the applications has files of other users, which only root may make\n"
        "  Build it once, as root: `sudo ./rookery image`."
    )
    assert caught.value.first == ("image",)
    archive.touch()
    system.require()


def test_files_count_as_tools_whatever_their_ending(machine: Path) -> None:
    (machine / "debian-archive-keyring.pgp").touch()
    preflight.require_tools(((f"{machine}/debian-archive-keyring.*", "debian-archive-keyring"),))
    with pytest.raises(MissingPackagesError) as caught:
        preflight.require_tools(((f"{machine}/other-keyring.*", "other"), ("no-such-tool", "other")))
    assert str(caught.value) == (
        f"this machine lacks {machine}/other-keyring.*, no-such-tool\n"
        "  On Debian and Ubuntu: `apt-get install other`."
    )
