"""Mirrors: filled from a small internet on this machine, checked, repaired, and shown."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from rookery.errors import InputError, RookeryError
from rookery.mirror.folder import Mirror
from rookery.mirror.registry import Layout
from rookery.projections.kubernetes.sources import archive_url
from tests.kit.mirror_filling import (
    CONTROLLER,
    HELM,
    KUBECTL,
    RELEASE_PACKAGES,
    SNAPSHOTS,
    check,
    fill,
    filled_world,
    needs,
    pull,
    run,
)
from tests.kit.mirror_world import World, archive_of


@pytest.fixture(name="filled")
def _filled() -> Iterator[World]:
    with filled_world() as world:
        yield world


# --- what a pull makes


def test_everything_comes_once_and_a_second_pull_asks_for_nothing(filled: World, tmp_path: Path) -> None:
    folder = tmp_path / "mirror"
    words = ("mirror", "pull", str(folder), "production-minimum", "--provider", "existing", "--no-journal")
    first = run(*words, "--through", filled.url)
    assert first.exception is None
    things = json.loads((folder / "index.json").read_text())["things"]
    assert first.stdout == f"{len(things)} things fetched, 0.0 MB; {len(things)} are in {folder}\n"
    # Of each layer there is one, whoever has it.
    layers = [one.url for one in filled.asked if "/blobs/" in one.path and one.host != "quay.io"]
    assert len(layers) == len(set(layers))
    assert {asked.host for asked in filled.asked} == {
        *(
            "auth.quay.io",
            "ceph.github.io",
            "charts.jetstack.io",
            "charts.rook.io",
            "cloudnative-pg.github.io",
        ),
        *(
            "codeload.github.com",
            "dl.k8s.io",
            "download.opensuse.org",
            "get.helm.sh",
            "ghcr.io",
            "github.com",
        ),
        *("helm.cilium.io", "pkgs.k8s.io", "prometheus-community.github.io", "quay.io", "registry.k8s.io"),
        "vmware-tanzu.github.io",
    }
    filled.asked.clear()
    second = run(*words, "--through", filled.url)
    assert second.stdout == f"nothing was missing: {len(things)} things, 0.0 MB, are in {folder}\n"
    assert filled.asked == []
    assert check(folder) == ()
    assert not [path for path in folder.rglob("*") if path.name.endswith((".part", ".archive"))]
    assert filled.asked == []


def test_the_index_names_each_file_with_its_digest(filled: World, tmp_path: Path) -> None:
    pull(filled, tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    assert (index["format"], index["architecture"]) == (1, "amd64")
    named = {file["path"]: file for thing in index["things"] for file in thing["files"]}
    for path, file in named.items():
        content = (tmp_path / path).read_bytes()
        assert (file["size"], file["sha256"]) == (len(content), hashlib.sha256(content).hexdigest())
    there = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert there - set(named) == {".lock", "index.json", "images/index.json", "images/oci-layout"}
    cilium = next(
        thing for thing in index["things"] if thing["kind"] == "chart" and thing["name"] == "cilium"
    )
    assert cilium["source"] == "https://helm.cilium.io/archives/cilium-1.20.0.tgz"
    assert [file["path"] for file in cilium["files"]] == ["charts/cilium-1.20.0.tgz"]
    order = [(thing["kind"], thing["name"], thing["version"]) for thing in index["things"]]
    assert order == sorted(order)


def test_things_are_found_by_what_they_are(filled: World, tmp_path: Path) -> None:
    sources = needs()
    mirror = pull(filled, tmp_path).mirror
    helm, kubectl = (mirror.binary(binary) for binary in sources.binaries)
    assert (helm.read_bytes(), kubectl.read_bytes()) == (HELM, KUBECTL)
    assert os.access(helm, os.X_OK)
    assert os.access(kubectl, os.X_OK)
    for chart in sources.charts:
        assert f"quay.io/charts/{chart.name}:".encode() in mirror.chart(chart).read_bytes()
    one, *trees = (mirror.remote(remote) for remote in sources.remotes)
    assert one == tmp_path / "remotes/kubernetes-sigs/gateway-api/v1.6.1/standard-install.yaml"
    assert [sorted(path.name for path in tree.iterdir()) for tree in trees] == [
        ["kustomization.yaml"],
        ["kustomization.yaml", "setup.yaml"],
    ]
    debs = mirror.packages(sources.repositories[0])
    assert sorted(path.relative_to(debs).as_posix() for path in debs.rglob("*") if path.is_file()) == [
        *("InRelease", "Packages", "Packages.gz", "Release.key", "amd64/cri-tools_1.36.0-1.1_amd64.deb"),
        *(f"amd64/{name}_1.36.5-1.1_amd64.deb" for name in ("kubeadm", "kubectl", "kubelet")),
        "amd64/kubernetes-cni_1.9.1-1.1_amd64.deb",
    ]
    assert mirror.missing(sources) == ()
    names = mirror.image_names()
    assert {*sources.images, *sources.control_plane} < set(names)
    assert [name for name in names if "cilium:" in name or "snapshot-controller" in name] == [
        f"quay.io/charts/cilium:1.20.0@{mirror.image_digest(names[names.index(name)])}"
        if "cilium" in name
        else name
        for name in names
        if "cilium:" in name or "snapshot-controller" in name
    ]


def test_what_a_mirror_lacks_is_said_with_what_to_do(filled: World, tmp_path: Path) -> None:
    pull(filled, tmp_path)
    mirror = Mirror.open(tmp_path)
    others = needs("hetzner")
    assert mirror.missing(others) == ("chart hcloud-cloud-controller-manager 1.35.0",)
    hetzner = next(chart for chart in others.charts if chart.name.startswith("hcloud"))
    with pytest.raises(InputError) as caught:
        mirror.chart(hetzner)
    assert str(caught.value) == (
        f"the mirror {tmp_path} has no chart hcloud-cloud-controller-manager 1.35.0\n"
        "  `rookery mirror pull` with the same spec adds it where there is internet."
    )
    mirror.chart(others.charts[0]).unlink()
    with pytest.raises(InputError) as caught:
        mirror.chart(others.charts[0])
    assert str(caught.value) == (
        f"{tmp_path}/charts/cilium-1.20.0.tgz is missing, though the mirror's index has it\n"
        f"  `rookery mirror pull {tmp_path}` fetches it again."
    )


def test_a_second_spec_adds_to_the_same_folder(filled: World, tmp_path: Path) -> None:
    pull(filled, tmp_path)
    fill(filled, needs("hetzner"))
    filled.asked.clear()
    new = pull(filled, tmp_path, needs("hetzner")).new
    assert [thing.title for thing in new] == [
        "chart hcloud-cloud-controller-manager 1.35.0",
        "image quay.io/charts/hcloud-cloud-controller-manager:1.35.0",
    ]
    # A layer that another image has is there already.
    assert sum("authorization" in one.headers for one in filled.asked if "/blobs/" in one.path) == 2
    assert check(tmp_path) == ()


# --- what becomes of it


def test_what_is_missing_or_damaged_is_said_and_repaired(filled: World, tmp_path: Path) -> None:
    sources = needs()
    mirror = pull(filled, tmp_path).mirror
    mirror.chart(sources.charts[0]).unlink()
    mirror.binary(sources.binaries[0]).write_bytes(b"not helm")
    digest = mirror.image_digest("ghcr.io/cloudnative-pg/postgresql:17")
    layer = json.loads(Layout(mirror.images).blob_path(digest).read_bytes())["layers"][1]["digest"]
    Layout(mirror.images).blob_path(layer).write_bytes(b"damaged")
    words = ("production-minimum", "--provider", "existing", "--no-journal")
    result = run("mirror", "pull", str(tmp_path), *words, "--check")
    assert result.return_value == 4
    assert result.stdout.splitlines() == [
        "damaged: bin/helm-3.21.4/helm of binary helm 3.21.4",
        "missing: charts/cilium-1.20.0.tgz of chart cilium 1.20.0",
        f"damaged: images/blobs/sha256/{layer[7:]} of image ghcr.io/cloudnative-pg/postgresql:17",
    ]
    # The tag means another image by now: what is repaired stays what it was.
    filled.image("ghcr.io/cloudnative-pg/postgresql:17", b"a newer one")
    assert [thing.title for thing in pull(filled, tmp_path).new] == [
        "binary helm 3.21.4",
        "chart cilium 1.20.0",
        "image ghcr.io/cloudnative-pg/postgresql:17",
    ]
    assert Mirror.open(tmp_path).image_digest("ghcr.io/cloudnative-pg/postgresql:17") == digest
    result = run("mirror", "pull", str(tmp_path), *words, "--check")
    assert (result.return_value, result.stdout) == (0, "everything is there, and whole\n")


def test_an_image_that_a_chart_needs_and_nobody_fetched_is_missing(filled: World, tmp_path: Path) -> None:
    pull(filled, tmp_path)
    index = json.loads((tmp_path / "index.json").read_text())
    index["things"] = [one for one in index["things"] if one["name"] != "quay.io/charts/rook-ceph:v1.20.6"]
    (tmp_path / "index.json").write_text(json.dumps(index))
    assert check(tmp_path) == ("missing: image quay.io/charts/rook-ceph:v1.20.6",)


def test_a_published_version_that_changed_is_refused(filled: World, tmp_path: Path) -> None:
    sources = needs()
    mirror = pull(filled, tmp_path).mirror
    (mirror.remote(sources.remotes[1]) / "kustomization.yaml").unlink()
    url = archive_url(sources.remotes[1])
    files = {f"x/{SNAPSHOTS}": b"kind: Other\n", f"x/{CONTROLLER}/kustomization.yaml": b""}
    filled.files[url] = archive_of(files)
    with pytest.raises(RookeryError) as caught:
        pull(filled, tmp_path)
    assert str(caught.value) == (
        "1 of 15 could not be fetched\n"
        f"    {url} is not what it was when the mirror was filled; differs: remotes/kubernetes-csi/"
        "external-snapshotter/v8.5.0/client/config/crd/kustomization.yaml\n"
        "  What arrived is kept: the same command goes on. What is published should not change. To take it "
        "all the same, fill an empty folder."
    )


@pytest.mark.skipif(shutil.which("dpkg-deb") is None, reason="there is no dpkg-deb: apt-get install dpkg")
def test_a_newer_kubeadm_says_itself_which_images_it_uses(filled: World, tmp_path: Path) -> None:
    root = tmp_path / "kubeadm"
    (root / "usr/bin").mkdir(parents=True)
    (root / "DEBIAN").mkdir()
    (root / "DEBIAN/control").write_text(
        "Package: kubeadm\nVersion: 1.36.10-1.1\nArchitecture: amd64\nMaintainer: x\nDescription: x\n"
    )
    program = root / "usr/bin/kubeadm"
    program.write_text('#!/bin/sh\nimage=registry.k8s.io/kube-apiserver:${4#*=}\necho "$image"\n')
    program.chmod(0o755)
    subprocess.run(["dpkg-deb", "-b", root, tmp_path / "kubeadm.deb"], check=True, capture_output=True)
    deb = (tmp_path / "kubeadm.deb").read_bytes()
    packages = {**RELEASE_PACKAGES, "kubeadm": ("1.36.10-1.1", "cri-tools", deb)}
    filled.packages(needs().repositories[0].url, packages)
    filled.image("registry.k8s.io/kube-apiserver:v1.36.10", b"newer", docker=True)
    mirror = pull(filled, tmp_path / "mirror").mirror
    assert [name for name in mirror.image_names() if "kube-" in name.partition("/")[2]] == [
        "quay.io/charts/kube-prometheus-stack:88.5.3",
        "registry.k8s.io/kube-apiserver:v1.36.10",
    ]


# --- what is shown


def test_show_counts_what_is_there(filled: World, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    pull(filled, tmp_path)
    lines = [line.split() for line in run("mirror", "show", str(tmp_path)).stdout.splitlines()]
    counted = {" ".join(line[:-3]): line[-3] for line in lines[1:]}
    assert counted == {
        "programs": "2",
        "charts": "9",
        "others' objects": "3",
        "package repositories": "2",
        "images": "19",
        "in all": "35",
    }
    data = json.loads(run("mirror", "show", str(tmp_path), "-o", "json").stdout)
    assert data["kinds"]["image"]["count"] == 19
    assert data["size"] == sum(kind["size"] for kind in data["kinds"].values())
    kubectl = next(thing for thing in data["things"] if thing["name"] == "kubectl")
    assert kubectl == {
        "kind": "binary",
        "name": "kubectl",
        "version": "1.36.5",
        "source": "https://dl.k8s.io/release/v1.36.5/bin/linux/amd64/kubectl",
        "path": "bin/kubectl-1.36.5/kubectl",
        "sha256": hashlib.sha256(KUBECTL).hexdigest(),
        "size": len(KUBECTL),
    }
    assert "chart cilium 1.20.0  0.0 MB  https://helm.cilium.io/archives/cilium-1.20.0.tgz" in (
        run("mirror", "show", str(tmp_path), "--all").stdout.splitlines()
    )
