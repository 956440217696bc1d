"""What a lab on Kubernetes is made of: which mirror, and what is said where it has not all."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from rookery.design.model import Design
from rookery.errors import InputError
from rookery.mirror.folder import INDEX, Index, Mirror, render_index
from rookery.mirror.pull import Pulled
from rookery.run.own_mirror import ensure_supplies, own_mirror
from rookery.systems.kubernetes.paths import ClusterPaths
from tests.kit.designs import design

LAB: dict[str, Any] = {"name": "test-supplies", "platform": "kubernetes", "kubernetes": {"monitoring": False}}


class Quiet:
    """Sees what a pull does, and forgets it."""

    def done(self, text: str) -> None: ...

    def under_way(self, text: str) -> None: ...


@pytest.fixture(autouse=True)
def own_home(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))


@pytest.fixture
def pulls(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Return the folders that were filled; nothing is fetched for it."""
    filled: list[Path] = []

    def pull(folder: Path, _sources: object, **_: object) -> Pulled:
        filled.append(folder)
        return Pulled(mirror=empty(folder), new=())

    monkeypatch.setattr("rookery.run.own_mirror.pull_mirror", pull)
    return filled


def empty(folder: Path) -> Mirror:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / INDEX).write_bytes(render_index(Index(architecture="amd64", things=())))
    return Mirror.open(folder)


def ensure(made: Design, given: Path | None = None) -> Path | None:
    return ensure_supplies(made, given, watcher=Quiet())


@pytest.mark.parametrize("data", [{}, {**LAB, "provider": "existing"}])
def test_only_a_lab_on_kubernetes_is_made_of_a_mirror(
    data: dict[str, Any], tmp_path: Path, pulls: list[Path]
) -> None:
    assert ensure(design(data)) is None
    assert ensure(design(data), tmp_path) == tmp_path
    assert pulls == []


def test_without_one_this_machines_own_is_filled(pulls: list[Path]) -> None:
    assert ensure(design(LAB)) == own_mirror()
    assert pulls == [own_mirror()]
    # It is there now and lacks everything: what was broken off goes on.
    assert ensure(design(LAB)) == own_mirror()
    assert len(pulls) == 2


def test_one_that_is_named_is_never_filled_in_silence(tmp_path: Path, pulls: list[Path]) -> None:
    folder = empty(tmp_path / "mirror").folder
    with pytest.raises(InputError, match=r"lacks [0-9]+ things that this design needs") as refused:
        ensure(design(LAB), folder)
    assert any("chart rook-ceph v" in line for line in refused.value.details)
    assert f"rookery mirror pull {folder}" in str(refused.value.hint)
    assert pulls == []


def test_one_that_has_all_is_taken(
    tmp_path: Path, pulls: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = empty(tmp_path / "mirror").folder
    monkeypatch.setattr(Mirror, "missing", lambda *_: ())
    assert ensure(design(LAB), folder) == folder
    # Later commands find the one that the system was brought up with.
    paths = ClusterPaths(name="test-supplies")
    paths.folder.mkdir(parents=True)
    paths.mirror.write_text(f"{folder}\n")
    assert ensure(design(LAB)) == folder
    assert pulls == []


def test_a_folder_that_is_no_mirror_says_so(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="lacks 1 thing"):
        ensure(design(LAB), tmp_path)
