"""The container image of our pods: what is in it, how it is packed, what is said of it."""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import subprocess
import sys
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rookery.apps.pod_image import image_digest, image_files, image_packages, image_reference, is_reference
from rookery.drivers.containers.oci import Image, architecture, write_archive
from rookery.errors import InputError
from rookery.run.image import build_image
from rookery.systems.pod_image import archive_path

IMAGE = Image(
    reference="localhost/rookery/apps:0123",
    user="65532:65532",
    environment=(("LANG", "C.UTF-8"),),
    labels=(("org.opencontainers.image.title", "A title"),),
    epoch=1_793_491_200,
)


def test_the_image_has_what_pods_need_and_its_name_is_of_what_it_has() -> None:
    assert image_packages() == (
        "age",
        "ca-certificates",
        "ffmpeg",
        "fonts-dejavu-core",
        "nginx-light",
        "python3",
        "python3-aiohttp",
        "python3-boto3",
        "python3-fastapi",
        "python3-httptools",
        "python3-psycopg",
        "python3-psycopg-pool",
        "python3-uvicorn",
        "python3-uvloop",
    )
    paths = [file.path for file in image_files()]
    assert paths == sorted(set(paths))
    for path in (
        "usr/lib/rookery/apps/catalogue/__main__.py",
        "usr/lib/rookery/backup/backups/keep_etcd.py",
        "usr/lib/rookery/load/generator/__main__.py",
        "usr/lib/rookery/packing/pack_media.py",
        "usr/lib/rookery/publish/publish.py",
        "usr/lib/rookery/publish/serving.py",
        "usr/lib/rookery/streaming/cluster_channel.py",
        "usr/lib/rookery/streaming/cluster_lease.py",
        "usr/lib/rookery/streaming/folder.py",
    ):
        assert path in paths
    # What needs Ceph's own libraries is for the lab's servers.
    assert not {f"usr/lib/rookery/streaming/{name}.py" for name in ("lease", "share")} & set(paths)
    assert [path for path in paths if path.startswith("usr/share/rookery/site/assets/site.")]
    assert image_reference() == f"localhost/rookery/apps:{image_digest()}"
    assert len(image_digest()) == 12
    assert is_reference(image_reference())


@pytest.mark.parametrize(
    "name",
    [
        "apps:1",
        "localhost/rookery/apps:example",
        "registry.example.com:5000/a/b-c__d.e/apps:v1.2_3-4",
        f"Registry.example.com/apps@sha256:{'0a' * 32}",
        f"apps:1@sha256:{'0a' * 32}",
        "a:" + "t" * 128,
    ],
)
def test_an_image_is_named_with_its_version(name: str) -> None:
    assert is_reference(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "apps",
        "registry.example.com:5000/apps",
        "apps:",
        "apps:latest ",
        "apps:1\n",
        "Apps:1",
        "a//b:1",
        "/apps:1",
        "https://registry.example.com/apps:1",
        "apps:ä",
        "äpps:1",
        "apps@sha256:0a",
        "a:" + "t" * 129,
        f"{'a/' * 130}apps:1",
    ],
)
def test_what_is_no_image_with_a_version_is_known(name: str) -> None:
    assert not is_reference(name)


# Packing


def root(folder: Path) -> Path:
    """Return a small root with everything that needs care: links, rights, folders that others mount over."""
    made = folder / "root"
    for name in ("bin", "etc", "proc/1", "run/lock", "tmp"):
        (made / name).mkdir(parents=True)
    (made / "tmp").chmod(0o1777)
    (made / "bin/su").write_text("su")
    (made / "bin/su").chmod(0o4755)
    (made / "bin/sudo").hardlink_to(made / "bin/su")
    (made / "etc/motd").write_text("welcome")
    (made / "etc/link").symlink_to("motd")
    (made / "proc/1/status").write_text("of the machine that built it")
    os.mkfifo(made / "run/pipe")
    os.mkfifo(made / "bin/pipe")
    return made


def unpack(archive: Path) -> dict[str, bytes]:
    with tarfile.open(archive) as read:
        files = [member for member in read.getmembers() if member.isfile()]
        return {member.name: content.read() for member in files if (content := read.extractfile(member))}


def blob(files: dict[str, bytes], described: dict[str, Any]) -> bytes:
    """Return a blob, after looking that it is what its descriptor says."""
    algorithm, _, digest = described["digest"].partition(":")
    content = files[f"blobs/{algorithm}/{digest}"]
    assert (hashlib.sha256(content).hexdigest(), len(content)) == (digest, described["size"])
    return content


def test_an_archive_is_an_oci_image_whose_digests_are_right(tmp_path: Path) -> None:
    write_archive(root(tmp_path), tmp_path / "image.tar", IMAGE)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["image.tar", "root"]
    files = unpack(tmp_path / "image.tar")
    assert json.loads(files["oci-layout"]) == {"imageLayoutVersion": "1.0.0"}
    (described,) = json.loads(files["index.json"])["manifests"]
    assert described["annotations"] == {
        "io.containerd.image.name": IMAGE.reference,
        "org.opencontainers.image.ref.name": IMAGE.reference,
    }
    manifest = json.loads(blob(files, described))
    config = json.loads(blob(files, manifest["config"]))
    (layer,) = manifest["layers"]
    plain = gzip.decompress(blob(files, layer))
    assert config == {
        "architecture": architecture(),
        "os": "linux",
        "created": "2026-11-01T00:00:00Z",
        "config": {
            "User": "65532:65532",
            "Env": ["LANG=C.UTF-8"],
            "WorkingDir": "/",
            "Labels": {"org.opencontainers.image.title": "A title"},
        },
        "rootfs": {"type": "layers", "diff_ids": [f"sha256:{hashlib.sha256(plain).hexdigest()}"]},
        "history": [{"created": "2026-11-01T00:00:00Z", "created_by": "rookery image"}],
    }
    (tmp_path / "layer.tar").write_bytes(plain)
    with tarfile.open(tmp_path / "layer.tar") as read:
        members = read.getmembers()
    assert [(member.name, oct(member.mode), member.linkname) for member in members] == [
        ("bin", "0o755", ""),
        ("etc", "0o755", ""),
        ("proc", "0o755", ""),
        ("run", "0o755", ""),
        ("tmp", "0o1777", ""),
        ("bin/su", "0o755", ""),
        ("bin/sudo", "0o755", "bin/su"),
        ("etc/link", "0o777", "motd"),
        ("etc/motd", "0o644", ""),
    ]
    assert {(member.mtime, member.uname, member.gname) for member in members} == {(IMAGE.epoch, "", "")}


def test_the_same_root_gives_the_same_bytes(tmp_path: Path) -> None:
    archives = []
    for name in ("one", "other"):
        (tmp_path / name).mkdir()
        archive = tmp_path / f"{name}.tar"
        write_archive(root(tmp_path / name), archive, IMAGE)
        archives.append(archive.read_bytes())
    assert archives[0] == archives[1]


def test_an_archive_that_fails_is_absent(tmp_path: Path) -> None:
    made = root(tmp_path)
    # The layer is written by then; no date has this time.
    with pytest.raises(ValueError, match="out of range"):
        write_archive(made, tmp_path / "image.tar", replace(IMAGE, epoch=10**13))
    assert [path.name for path in tmp_path.iterdir()] == ["root"]


# The command


def test_an_image_that_is_there_is_copied_and_nothing_is_built(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))
    archive_path().parent.mkdir(parents=True)
    archive_path().write_bytes(b"an archive")
    built = build_image(to=tmp_path / "apps.tar", report=lambda _: None)
    assert (built.reference, built.archive, built.size) == (image_reference(), tmp_path / "apps.tar", 10)
    assert (tmp_path / "apps.tar").read_bytes() == b"an archive"
    with pytest.raises(InputError) as raised:
        build_image(to=tmp_path / "no" / "apps.tar", report=lambda _: None)
    assert str(raised.value) == (
        f"{tmp_path}/no/apps.tar cannot be written: No such file or directory\n"
        "  Name a file in a folder that is there."
    )


def run_command(*arguments: str, home: Path) -> subprocess.CompletedProcess[str]:
    source = Path(__file__).parents[1] / "src"
    environment = {**os.environ, "PYTHONPATH": str(source), "ROOKERY_HOME": str(home)}
    return subprocess.run(
        (sys.executable, "-m", "rookery", "image", *arguments),
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=60,
    )


def test_the_command_says_where_the_image_is_and_how_nodes_get_it(tmp_path: Path) -> None:
    assert run_command("--reference", home=tmp_path).stdout == f"{image_reference()}\n"
    archive = tmp_path / "images" / "containers" / f"apps-{image_digest()}.tar"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(bytes(1_500_000))
    done = run_command(home=tmp_path)
    name, pushed = image_reference(), image_reference().removeprefix("localhost/")
    assert (done.returncode, done.stderr) == (0, "")
    assert (
        done.stdout
        == f"""\
reference  {name}
archive    {archive}
size       2 MB

On a node of Kubernetes, as root, by what its container runtime reads:
  skopeo copy oci-archive:{archive} containers-storage:{name}     CRI-O
  podman load -i {archive}                                             CRI-O
  ctr -n k8s.io images import {archive}                                containerd
Or to a registry that the nodes reach; then `rookery render --image REGISTRY/{pushed}`:
  skopeo copy oci-archive:{archive} docker://REGISTRY/{pushed}
"""
    )
