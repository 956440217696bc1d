"""The container image of our pods, built here: Debian, our programs, nobody's rights.

The archive is complete or absent. It is kept below rookery's home under the hash that its reference has, so
it is built once for each version of this program that changes it.
"""

from __future__ import annotations

from pathlib import Path

from rookery.apps.ground.pods import USER
from rookery.apps.pod_image import image_digest, image_files, image_packages, image_reference
from rookery.drivers.containers.debian import DebianRoot, find_mirror, make_root
from rookery.drivers.containers.oci import Image, write_archive
from rookery.drivers.machine.files import alone, remove_tree, write_files
from rookery.drivers.machine.process import run
from rookery.systems.home import image_folder
from rookery.systems.preflight import BUILD_TOOLS, require_root, require_tools
from rookery.systems.protocol import Report
from rookery.versions import DEBIAN

# The time of every file in the image, in seconds since 1970: 2026-11-01.
_EPOCH = 1_793_491_200
# What takes space and serves nobody: drivers of graphics cards, which ffmpeg would load where a display were;
# descriptions of all services of AWS but S3; manuals and translations.
_EXCLUDED = (
    "/usr/share/doc/*",
    "/usr/share/info/*",
    "/usr/share/lintian/*",
    "/usr/share/locale/*",
    "/usr/share/man/*",
    "/usr/lib/*/dri/*",
    "/usr/lib/*/libLLVM*",
    "/usr/lib/*/libgallium*",
    "/usr/lib/*/libz3*",
    "/usr/lib/python3/dist-packages/botocore/data/*/*",
)
# Licences stay with what they are for.
_INCLUDED = ("/usr/share/doc/*/copyright", "/usr/lib/python3/dist-packages/botocore/data/s3/*")
# What packages make when they are installed and a container does not use, or that tells where it was built.
_DROP = ("etc/apt", "var/cache", "var/lib/apt", "var/lib/systemd", "var/log", "var/www")
_DROP_FILES = ("etc/hostname", "etc/resolv.conf", "etc/fstab")
_COMPILE_LIMIT = 300.0  # seconds


def archive_path() -> Path:
    """Return where the archive is, once it is built."""
    return image_folder() / "containers" / f"apps-{image_digest()}.tar"


def require_image_machine() -> None:
    """Raise NotPossibleError where the image is not there, and cannot be built here."""
    if archive_path().is_file():
        return
    require_root(
        "the container image of the applications has files of other users, which only root may make",
        hint="Build it once, as root: `sudo ./rookery image`.",
        first=("image",),
    )
    require_tools((("setpriv", "util-linux"), *BUILD_TOOLS))


def ensure_archive(report: Report) -> Path:
    """Build the image's archive if it is not there, and return where it is.

    Raises NotPossibleError where this machine cannot build it, or Debian's mirror cannot be reached.
    """
    archive = archive_path()
    if archive.is_file():
        return archive
    require_image_machine()
    archive.parent.mkdir(parents=True, exist_ok=True)
    with alone(archive.parent / ".lock"):
        if not archive.is_file():
            _build(archive, report)
    return archive


def _build(archive: Path, report: Report) -> None:
    building = archive.with_suffix(".building")
    mirror = find_mirror()
    report(f"installing Debian's packages from {mirror}; this takes a minute or two")
    wanted = DebianRoot(
        suite=DEBIAN,
        variant="essential",
        packages=image_packages(),
        excluded=_EXCLUDED,
        included=_INCLUDED,
        epoch=_EPOCH,
    )
    make_root(wanted, building, mirror=mirror, what="the container image")
    try:
        _finish(building)
        report("packing the layer")
        write_archive(building, archive, _image())
    finally:
        remove_tree(building)


def _image() -> Image:
    return Image(
        reference=image_reference(),
        user=f"{USER}:{USER}",
        environment=(
            ("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"),
            ("LANG", "C.UTF-8"),
            ("HOME", "/nonexistent"),
            # The root file system is read-only.
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("PYTHONUNBUFFERED", "1"),
        ),
        labels=(
            ("org.opencontainers.image.title", "rookery's applications"),
            ("org.opencontainers.image.description", "Programs of the demo's site, on Debian"),
            ("org.opencontainers.image.base.name", f"debian:{DEBIAN}"),
            ("org.opencontainers.image.revision", image_digest()),
        ),
        epoch=_EPOCH,
    )


def _finish(root: Path) -> None:
    """Lay our files into a fresh root, drop what no pod needs, and compile what will run."""
    for name in _DROP:
        remove_tree(root / name)
    for name in _DROP_FILES:
        (root / name).write_text("", encoding="utf-8")
    for folder in ("cache", "log"):
        (root / "var" / folder).mkdir(exist_ok=True)
    for old in sorted((root / "etc").glob("*-")) + sorted((root / "var/lib/dpkg").glob("*-old")):
        old.unlink()
    write_files(root, image_files(), users={"root": (0, 0)})
    for name, line in (
        ("passwd", f"rookery:x:{USER}:{USER}::/nonexistent:/usr/sbin/nologin"),
        ("group", f"rookery:x:{USER}:"),
    ):
        with (root / "etc" / name).open("a", encoding="utf-8") as file:
            file.write(f"{line}\n")
    run(
        (
            *("chroot", str(root), "python3", "-m", "compileall", "-q"),
            *("--invalidation-mode", "checked-hash", "/usr/lib/rookery"),
        ),
        timeout=_COMPILE_LIMIT,
    )
