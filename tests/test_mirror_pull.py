"""What goes wrong on the way to a mirror is said, and the same command goes on."""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import rookery
from rookery.errors import InputError, NotPossibleError, RookeryError
from tests.kit.mirror_filling import (
    blob,
    check,
    filled_world,
    needs,
    pull,
    run,
)
from tests.kit.mirror_world import Says, World


@pytest.fixture(name="filled")
def _filled() -> Iterator[World]:
    with filled_world() as world:
        yield world


# --- what goes wrong on the way


def test_what_breaks_off_goes_on_from_where_it_was(filled: World, tmp_path: Path) -> None:
    url, content = blob(filled, "ghcr.io/cloudnative-pg/postgresql:17", 1)
    filled.once(url, Says(body=content, cut=20))
    pull(filled, tmp_path)
    asked = [one.headers.get("range") for one in filled.asked if one.url == url]
    assert asked == [None, "bytes=20-"]
    assert check(tmp_path) == ()


def test_what_is_not_what_was_announced_is_thrown_away(filled: World, tmp_path: Path) -> None:
    url, content = blob(filled, "quay.io/charts/cert-manager:v1.21.1", 1)
    wrong = b"x" * len(content)
    filled.files[url] = wrong
    digest = url.rpartition(":")[2]
    with pytest.raises(RookeryError) as caught:
        pull(filled, tmp_path)
    count = len({one.path for one in filled.asked if "/blobs/" in one.path})
    assert str(caught.value) == (
        f"1 of {count} could not be fetched\n"
        f"    {url} is not what was announced; expected sha256:{digest}; "
        f"received sha256:{hashlib.sha256(wrong).hexdigest()}\n"
        "  What arrived is kept: the same command goes on. What arrived was thrown away. A proxy may change "
        "files on the way, or it was replaced where it is published."
    )
    assert not (tmp_path / "index.json").exists()
    blobs = tmp_path / "images/blobs/sha256"
    assert not (blobs / digest).exists()
    assert not (blobs / f".{digest}.part").exists()
    # All else is there: only this one and the manifests are asked for again.
    filled.files[url] = content
    filled.asked.clear()
    pull(filled, tmp_path)
    assert set(filled.urls("/blobs/")) - set(filled.urls("auth.")) == {url}
    assert check(tmp_path) == ()


def test_all_that_fails_is_said_at_once(filled: World, tmp_path: Path) -> None:
    sources = needs()
    kubectl = sources.binaries[1].url
    del filled.files[kubectl]
    filled.always("charts.jetstack.io/index.yaml", Says(status=403))
    filled.always("get.helm.sh", Says(status=503))
    filled.files["https://helm.cilium.io/index.yaml"] = b"<html>log in</html>"
    with pytest.raises(RookeryError) as caught:
        pull(filled, tmp_path)
    assert type(caught.value) is RookeryError
    assert caught.value.what == "4 of 15 could not be fetched"
    assert sorted(caught.value.details) == [
        "charts.jetstack.io refuses https://charts.jetstack.io/index.yaml (403)",
        f"get.helm.sh answered 503 to {sources.binaries[0].checksum_url}; tried 3 times",
        f"{kubectl} is not there (404)",
        "https://helm.cilium.io/index.yaml is no index of charts",
    ]
    assert caught.value.hint == "What arrived is kept: the same command goes on."


def test_a_chart_that_was_withdrawn(filled: World, tmp_path: Path) -> None:
    filled.files["https://helm.cilium.io/index.yaml"] = b"entries: {cilium: [{version: 1.19.0, urls: [x]}]}"
    with pytest.raises(RookeryError) as caught:
        pull(filled, tmp_path)
    assert str(caught.value) == (
        "1 of 15 could not be fetched\n"
        "    https://helm.cilium.io has no chart cilium 1.20.0\n"
        "  What arrived is kept: the same command goes on. It may have been withdrawn. Versions are pinned "
        "in src/rookery/versions.py."
    )


def test_a_package_that_is_not_what_its_signed_list_says(filled: World, tmp_path: Path) -> None:
    url = f"{needs().repositories[0].url}amd64/kubelet_1.36.5-1.1_amd64.deb"
    filled.files[url] = b"evil"
    with pytest.raises(RookeryError, match="1 of 15 could not be fetched") as caught:
        pull(filled, tmp_path)
    assert caught.value.details[0].startswith(f"{url} is not what was announced; expected sha256:")
    assert not (tmp_path / "debs/kubernetes-1.36/InRelease").exists()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT])
def test_a_pull_that_was_ended_goes_on(filled: World, tmp_path: Path, number: int) -> None:
    folder = tmp_path / "mirror"
    url, content = blob(filled, "ghcr.io/cloudnative-pg/postgresql:17", 1)
    filled.always(url, Says(body=content, stalls=30))
    words = ("production-minimum", "--provider", "existing", "--no-journal", "--through", filled.url)
    with subprocess.Popen(
        [sys.executable, "-m", "rookery", "mirror", "pull", str(folder), *words],
        env=os.environ | {"PYTHONPATH": str(Path(rookery.__file__).parents[1])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        part = folder / "images/blobs/sha256" / f".{url.rpartition(':')[2]}.part"
        deadline = time.monotonic() + 60
        while not (part.exists() and part.stat().st_size == 30) and time.monotonic() < deadline:
            time.sleep(0.05)
        process.send_signal(number)
        # A server that is silent holds up neither.
        assert process.wait(30) == {signal.SIGKILL: -9, signal.SIGINT: 130}[signal.Signals(number)]
    assert part.stat().st_size == 30
    assert not (folder / "index.json").exists()
    filled.trouble.clear()
    filled.asked.clear()
    pull(filled, folder)
    assert [one.headers.get("range") for one in filled.asked if one.url == url] == ["bytes=30-"]
    assert filled.urls(".deb") == []
    assert filled.urls(".tgz") == []
    assert check(folder) == ()


# --- what is refused


def test_a_folder_that_is_no_mirror(tmp_path: Path) -> None:
    error = run("mirror", "show", str(tmp_path)).exception
    assert isinstance(error, InputError)
    assert str(error) == (
        f"{tmp_path} is no mirror: it has no index.json\n"
        f"  `rookery mirror pull {tmp_path}` fills it where there is internet; one that was broken off "
        "goes on."
    )
    for text in (
        "{}",
        '{"format": 2, "architecture": "amd64", "things": []}',
        _outside("../x"),
        _outside("/x"),
    ):
        (tmp_path / "index.json").write_text(text)
        error = run("mirror", "show", str(tmp_path)).exception
        assert isinstance(error, InputError)
        assert str(error) == (
            f"{tmp_path}/index.json is not an index of this version\n"
            "  Use the version of rookery that filled the folder, or fill another one."
        )


def _outside(path: str) -> str:
    file = {"path": path, "sha256": "0", "size": 1}
    thing = {"kind": "chart", "name": "x", "version": "1", "source": "x", "files": [file]}
    return json.dumps({"format": 1, "architecture": "amd64", "things": [thing]})


def test_a_full_disk_is_said_before_anything_comes(
    filled: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("rookery.mirror.pull.free_space", lambda _: 300 * 10**6)
    with pytest.raises(NotPossibleError) as caught:
        pull(filled, tmp_path)
    assert str(caught.value) == (
        f"{tmp_path} has 300.0 MB free, and needs 1.00 GB\n"
        "  Free some room, or name a folder on a larger disk. What arrived is kept."
    )
    assert filled.asked == []


def test_a_folder_that_cannot_be_written(filled: World) -> None:
    with pytest.raises(NotPossibleError, match=r"^/proc/mirror cannot be written: "):
        pull(filled, Path("/proc/mirror"))


def test_one_command_fills_a_folder_at_a_time(filled: World, tmp_path: Path) -> None:
    from rookery.mirror.pull import _alone

    with _alone(tmp_path), pytest.raises(NotPossibleError) as caught:
        pull(filled, tmp_path)
    assert str(caught.value) == (
        f"another command fills {tmp_path}\n  Wait until it ends, or end it, then run this again."
    )


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "kubernetes: {version: '1.35'}",
            (
                "kubernetes.version is 1.35; what a mirror needs is known for 1.36 only\n"
                "  Leave `version` out, or write 1.36."
            ),
        ),
        (
            "kubernetes: {bootstrap: kubeone}",
            (
                "kubernetes.bootstrap is kubeone, which fetches what it installs by itself\n"
                "  Write `bootstrap: kubeadm` for a network without internet."
            ),
        ),
    ],
)
def test_designs_that_no_mirror_serves(tmp_path: Path, text: str, said: str) -> None:
    spec = tmp_path / "demo.yaml"
    spec.write_text(f"apiVersion: rookery/v1\nprovider: existing\n{text}\n")
    error = run("mirror", "pull", str(tmp_path / "mirror"), str(spec), "--no-journal").exception
    assert isinstance(error, InputError)
    assert str(error) == said
