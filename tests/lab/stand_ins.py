"""A mirror with stand-ins: signed repositories of packages whose programs do nothing."""

from __future__ import annotations

import gzip
import hashlib
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rookery.mirror.downloads import Digest
from rookery.mirror.folder import INDEX, Index, KeptFile, Mirror, Thing, render_index
from rookery.projections.kubernetes.sources import Repository, node_repositories, repository_path
from rookery.versions import KUBERNETES

_UNIT = "[Service]\nExecStart=/bin/sleep infinity\n[Install]\nWantedBy=multi-user.target\n"


def make_mirror(folder: Path) -> Mirror:
    """Make a mirror with the packages that nodes have, and no image."""
    with _keyring(folder / "keyring") as home:
        things = tuple(_repository(folder / "mirror", home, one) for one in node_repositories(KUBERNETES))
    index = Index(architecture="amd64", things=things)
    (folder / "mirror" / INDEX).write_bytes(render_index(index))
    (folder / "mirror" / "images").mkdir()
    return Mirror.open(folder / "mirror")


def _repository(mirror: Path, home: Path, repository: Repository) -> Thing:
    base = repository_path(repository)
    place = mirror / base
    place.mkdir(parents=True)
    packages = [
        build_package(place, name, f"{repository.version}.2-1.1", _content(name))
        for name in repository.packages
    ]
    listed = "\n".join(_entry(path) for path in packages).encode()
    (place / "Packages").write_bytes(listed)
    (place / "Packages.gz").write_bytes(gzip.compress(listed))
    digests = "".join(
        f" {hashlib.sha256((place / name).read_bytes()).hexdigest()} {(place / name).stat().st_size} {name}\n"
        for name in ("Packages", "Packages.gz")
    )
    (place / "Release").write_text(f"Origin: test\nSHA256:\n{digests}")
    _gpg(home, "--clearsign", "--output", str(place / "InRelease"), str(place / "Release"))
    (place / "Release.key").write_bytes(_gpg(home, "--armor", "--export", "test"))
    names = ("InRelease", "Packages", "Packages.gz", "Release.key", *(path.name for path in packages))
    files = tuple(_kept(mirror, f"{base}/{name}") for name in names)
    return Thing(
        kind="packages",
        name=repository.name,
        version=repository.version,
        source=repository.url,
        files=files,
    )


def build_package(
    folder: Path, name: str, version: str, content: Mapping[str, str], *, architecture: str = "all"
) -> Path:
    """Build a package of these files in a folder, and return where it is."""
    root = folder / f"{name}.build"
    for path, text in content.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o755 if path.startswith("usr/bin/") else 0o644)
    (root / "DEBIAN").mkdir(parents=True, exist_ok=True)
    fields = (
        f"Package: {name}\nVersion: {version}\nArchitecture: {architecture}\n"
        f"Maintainer: test <test@example.org>\nDescription: stands in for {name}\n"
    )
    (root / "DEBIAN/control").write_text(fields)
    archive = folder / f"{name}_{version}_{architecture}.deb"
    _run(("dpkg-deb", "--root-owner-group", "--build", str(root), str(archive)))
    _run(("rm", "-r", str(root)))
    return archive


def _content(name: str) -> dict[str, str]:
    if name in ("kubelet", "cri-o"):
        unit = "crio" if name == "cri-o" else name
        return {f"lib/systemd/system/{unit}.service": _UNIT}
    return {f"usr/bin/{name}": "#!/bin/sh\n"}


def _entry(package: Path) -> str:
    """Return a package's entry in the list of a flat repository."""
    digest = hashlib.sha256(package.read_bytes()).hexdigest()
    fields = _run(("dpkg-deb", "--field", str(package))).decode()
    return f"{fields}Filename: ./{package.name}\nSize: {package.stat().st_size}\nSHA256: {digest}\n"


def _kept(mirror: Path, path: str) -> KeptFile:
    content = (mirror / path).read_bytes()
    return KeptFile.of(path, Digest(sha256=hashlib.sha256(content).hexdigest(), size=len(content)))


@contextmanager
def _keyring(home: Path) -> Iterator[Path]:
    """Make a key, and let no agent of GnuPG go on behind it, which else lives as long as its folder."""
    home.mkdir(mode=0o700, parents=True)
    try:
        _gpg(home, "--passphrase=", "--quick-generate-key", "test", "default", "default")
        yield home
    finally:
        _run(("gpgconf", "--homedir", str(home), "--kill", "all"))


def _gpg(home: Path, *words: str) -> bytes:
    return _run(("gpg", "--batch", "--homedir", str(home), *words))


def _run(argv: Sequence[str]) -> bytes:
    return subprocess.run(argv, check=True, capture_output=True, timeout=120).stdout
