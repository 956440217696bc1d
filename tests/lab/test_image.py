"""The container image of our pods, built and run: as nobody, without rights, on a root that is read-only."""

from __future__ import annotations

import gzip
import json
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from rookery.apps.ground.pods import USER
from rookery.apps.pod_image import image_reference
from rookery.drivers.containers.runc import NO_NETWORK, Container, build_config
from rookery.units import GIB
from tests.kit.labs import rookery


@dataclass(frozen=True, kw_only=True)
class Unpacked:
    """The image as a file, and its layer as a folder."""

    archive: Path
    root: Path
    config: dict[str, object]


@pytest.fixture(scope="module", name="image")
def _image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Unpacked]:
    folder = tmp_path_factory.mktemp("image")
    archive, root = folder / "apps.tar", folder / "root"
    done = rookery("image", "-o", str(archive))
    assert done.code == 0, done.err
    assert done.out.startswith(f"reference  {image_reference()}\narchive    {archive}\n")
    with tarfile.open(archive) as read:

        def blob(digest: str) -> bytes:
            content = read.extractfile(f"blobs/{digest.replace(':', '/')}")
            assert content is not None
            return content.read()

        index = read.extractfile("index.json")
        assert index is not None
        manifest = json.loads(blob(json.loads(index.read())["manifests"][0]["digest"]))
        config = json.loads(blob(manifest["config"]["digest"]))
        (folder / "layer.tar").write_bytes(gzip.decompress(blob(manifest["layers"][0]["digest"])))
    root.mkdir()
    subprocess.run(
        ("tar", "-xf", folder / "layer.tar", "-C", root, "--numeric-owner"), check=True, timeout=120
    )
    yield Unpacked(archive=archive, root=root, config=config["config"])
    shutil.rmtree(folder)


def run_in(image: Unpacked, folder: Path, *argv: str) -> tuple[int, str]:
    """Run a command in the image as a pod of ours does; /work and /tmp are its own."""
    work = folder / "work"
    work.mkdir(exist_ok=True)
    work.chmod(0o777)
    name = f"test-image-{folder.name}"
    config = build_config(
        Container(
            id=name,
            hostname="pod",
            root=image.root,
            namespace=NO_NETWORK,
            argv=argv,
            cgroup=f"/rookery/{name}",
            memory=GIB,
            cpus=2,
            binds=(("/work", str(work)),),
            fuse=False,
        )
    )
    config["root"]["readonly"] = True
    config["process"] |= {
        "user": {"uid": USER, "gid": USER},
        "env": image.config["Env"],
        "noNewPrivileges": True,
        "capabilities": {},
    }
    (folder / "config.json").write_text(json.dumps(config))
    done = subprocess.run(
        ("runc", "--root", str(folder / "state"), "run", "--bundle", str(folder), name),
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        stdin=subprocess.DEVNULL,
    )
    return done.returncode, done.stdout + done.stderr


def test_skopeo_reads_and_copies_it(image: Unpacked, tmp_path: Path) -> None:
    if shutil.which("skopeo") is None:
        pytest.skip("there is no skopeo: apt-get install skopeo")
    told = subprocess.run(
        ("skopeo", "inspect", "--config", f"oci-archive:{image.archive}"),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert json.loads(told.stdout)["config"] == image.config
    subprocess.run(
        ("skopeo", "copy", "--quiet", f"oci-archive:{image.archive}", f"dir:{tmp_path}/copy"),
        check=True,
        timeout=120,
    )
    assert (tmp_path / "copy/manifest.json").is_file()


def test_nothing_in_it_raises_rights(image: Unpacked) -> None:
    raising = [path for path in image.root.rglob("*") if path.is_file() and path.lstat().st_mode & 0o6000]
    assert (raising, image.config["User"]) == ([], f"{USER}:{USER}")


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("id",), f"uid={USER}(rookery) gid={USER}(rookery)"),
        (("nginx", "-v"), "nginx version: nginx/"),
        (("ffmpeg", "-version"), "ffmpeg version"),
        (("python3", "-c", "import fastapi, psycopg, psycopg_pool, uvicorn, uvloop, httptools"), ""),
        (
            ("python3", "-c", "import boto3; print(boto3.client('s3', region_name='x').meta.service_model)"),
            "s3",
        ),
        (("python3", "/usr/lib/rookery/packing/pack_media.py", "--help"), "usage: pack_media.py"),
        (("python3", "/usr/lib/rookery/publish/publish.py", "--help"), "usage: publish.py"),
        (("python3", "/usr/lib/rookery/streaming/cluster_channel.py", "--help"), "usage: cluster_channel.py"),
        (("env", "PYTHONPATH=/usr/lib/rookery/apps", "python3", "-c", "import catalogue.api"), ""),
        (("env", "PYTHONPATH=/usr/lib/rookery/load", "python3", "-c", "import generator.program"), ""),
        # Byte code that does not fit its source would be made anew at each start.
        (
            ("python3", "-c", "import boto3; print(open(boto3.__cached__, 'rb').read(8)[4] & 1, 'hashed')"),
            "1 hashed",
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
def test_programs_run_as_nobody_on_a_root_that_is_read_only(
    image: Unpacked, tmp_path: Path, argv: tuple[str, ...], said: str
) -> None:
    code, out = run_in(image, tmp_path, *argv)
    assert (code, said in out) == (0, True), out


def test_the_channels_encoder_makes_segments(image: Unpacked, tmp_path: Path) -> None:
    """With the libraries of graphics cards left out: it draws, writes text and encodes by itself."""
    program = (
        "import sys; sys.path.insert(0, '/usr/lib/rookery/streaming'); import pathlib, time, encoder\n"
        "made = encoder.Encoder(host='worker-a', width=320, height=180, folder=pathlib.Path('/work/out'))\n"
        "made.start(); limit = time.monotonic() + 30\n"
        "while not (made.folder / 'local.m3u8').exists() and time.monotonic() < limit: time.sleep(0.1)\n"
        "print(sorted(path.name for path in made.folder.iterdir())[:1], made.running); made.kill()\n"
    )
    code, out = run_in(image, tmp_path, "python3", "-c", program)
    assert (code, out) == (0, "['0.ts'] True\n")
