"""How each kind of thing gets into a mirror: programs, charts, others' objects, Debian packages.

What was fetched once is what it was then: a published version that changed since is refused, never taken
over in silence. Packages are the exception, whose list goes on while the minor version stays.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import tarfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from rookery.errors import RookeryError
from rookery.manifest import Chart, Remote
from rookery.mirror.debian_repository import (
    KEY,
    LISTS,
    SIGNED,
    Package,
    choose_packages,
    parse_packages,
    parse_signed,
)
from rookery.mirror.downloads import Arrived, Digest, Web, published_digest, write_content
from rookery.mirror.folder import KeptFile, Key, Kind, Thing
from rookery.mirror.helm_charts import ChartRepositories
from rookery.projections.kubernetes.sources import (
    Binary,
    Repository,
    archive_url,
    binary_path,
    chart_path,
    remote_path,
    repository_path,
)

_UNPACK: Mapping[str, Callable[[bytes], bytes]] = {
    "Packages": bytes,
    "Packages.gz": gzip.decompress,
    "Packages.xz": lzma.decompress,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetcher:
    """Fetches things into a folder. `known` is what its index has, whole or not; `arrived` hears of bytes."""

    folder: Path
    web: Web
    charts: ChartRepositories
    architecture: str
    known: Mapping[Key, Thing]
    arrived: Arrived

    def binary(self, binary: Binary) -> tuple[Thing]:
        """Fetch a program. Its publisher's digest is of what is published: it, or an archive with it."""
        path = binary_path(binary)
        target = self.folder / path
        known = self._known_digest("binary", binary.name, binary.version)
        published = published_digest(self.web, binary.checksum_url)
        if binary.member:
            archive = target.with_name(f".{binary.name}.archive")
            self.web.save(binary.url, archive, sha256=published, arrived=self.arrived)
            content = _member(archive, binary)
            _same(binary.url, {path: known}, {path: content})
            digest = write_content(target, content, mode=0o755)
            archive.unlink()
        else:
            digest = self.web.save(binary.url, target, sha256=known or published, arrived=self.arrived)
            target.chmod(0o755)
        return (
            Thing(
                kind="binary",
                name=binary.name,
                version=binary.version,
                source=binary.url,
                files=(KeptFile.of(path, digest),),
            ),
        )

    def chart(self, chart: Chart) -> tuple[Thing]:
        """Fetch a chart; its repository's index has its digest."""
        path = chart_path(chart)
        known = self._known_digest("chart", chart.name, chart.version)
        url, digest = self.charts.fetch(chart, self.folder / path, sha256=known, arrived=self.arrived)
        return (
            Thing(
                kind="chart",
                name=chart.name,
                version=chart.version,
                source=url,
                files=(KeptFile.of(path, digest),),
            ),
        )

    def remote(self, remote: Remote) -> tuple[Thing]:
        """Fetch others' objects that are one file. Nobody publishes a digest of it: the first one counts."""
        path = remote_path(remote)
        known = self._known_digest("remote", remote.name, remote.tag)
        digest = self.web.save(remote.url, self.folder / path, sha256=known, arrived=self.arrived)
        return (
            Thing(
                kind="remote",
                name=remote.name,
                version=remote.tag,
                source=remote.url,
                files=(KeptFile.of(path, digest),),
            ),
        )

    def trees(self, url: str, remotes: Sequence[Remote]) -> tuple[Thing, ...]:
        """Fetch the archive of a git repository, and keep those of its folders that are wanted."""
        archive = self.folder / f".{hashlib.sha256(url.encode()).hexdigest()[:16]}.archive"
        self.web.save(url, archive, arrived=self.arrived)
        found = tuple(self._tree(archive, url, remote) for remote in remotes)
        archive.unlink()
        return found

    def _tree(self, archive: Path, url: str, remote: Remote) -> Thing:
        base = remote_path(remote)
        inside = PurePosixPath(remote.path).as_posix()
        contents = {f"{base}/{name}": content for name, content in _folder(archive, url, inside).items()}
        known = self.known.get(("remote", remote.name, remote.tag))
        if known is not None:
            _same(url, {file.path: file.sha256 for file in known.files}, contents)
        files = [
            KeptFile.of(path, write_content(self.folder / path, contents[path])) for path in sorted(contents)
        ]
        return Thing(
            kind="remote",
            name=remote.name,
            version=remote.tag,
            source=archive_url(remote),
            files=tuple(files),
        )

    def packages(self, repository: Repository) -> tuple[Thing]:
        """Fetch packages with their signed list. What vouches for a package is that list's digest of it."""
        base, url = repository_path(repository), repository.url
        signed = self.web.read(f"{url}{SIGNED}").content
        key = self.web.read(f"{url}{KEY}").content
        digests = parse_signed(signed.decode(errors="replace"))
        lists = {name: digests[name] for name in LISTS if name in digests}
        if not lists:
            raise RookeryError(
                f"{url}{SIGNED} names no list of packages",
                hint="Does a proxy with a login page stand between?",
            )
        files = {name: self._save(url, base, name, digest) for name, digest in lists.items()}
        for package in self._chosen(repository, next(iter(lists))):
            files[package.path] = self._save(url, base, package.path, package.digest)
        files[KEY] = write_content(self.folder / base / KEY, key)
        first = KeptFile.of(f"{base}/{SIGNED}", write_content(self.folder / base / SIGNED, signed))
        self._drop_others(base, {*files, SIGNED})
        rest = [KeptFile.of(f"{base}/{path}", files[path]) for path in sorted(files)]
        return (
            Thing(
                kind="packages",
                name=repository.name,
                version=repository.version,
                source=url,
                files=(first, *rest),
            ),
        )

    def _save(self, url: str, base: str, path: str, digest: Digest) -> Digest:
        target = self.folder / base / path
        return self.web.save(f"{url}{path}", target, sha256=digest.sha256, arrived=self.arrived)

    def _chosen(self, repository: Repository, listed: str) -> tuple[Package, ...]:
        packed = (self.folder / repository_path(repository) / listed).read_bytes()
        text = _UNPACK[listed](packed).decode(errors="replace")
        packages = parse_packages(text, architecture=self.architecture)
        return choose_packages(packages, repository.packages, where=repository.url)

    def _drop_others(self, base: str, kept: set[str]) -> None:
        """Remove packages that an earlier list had."""
        folder = self.folder / base
        for path in folder.rglob("*"):
            if path.is_file() and path.relative_to(folder).as_posix() not in kept:
                path.unlink()

    def _known_digest(self, kind: Kind, name: str, version: str) -> str:
        thing = self.known.get((kind, name, version))
        return thing.files[0].sha256 if thing else ""


def _member(archive: Path, binary: Binary) -> bytes:
    try:
        with tarfile.open(archive) as opened:
            file = opened.extractfile(binary.member)
            if file is not None:
                return file.read()
    except (tarfile.TarError, KeyError, EOFError, OSError):
        pass
    raise RookeryError(f"{binary.url} has no {binary.member} in it")


def _folder(archive: Path, url: str, inside: str) -> dict[str, bytes]:
    """Return the files below a folder of a git repository's archive, whose own first folder has any name."""
    found = {}
    try:
        with tarfile.open(archive) as opened:
            for entry in opened:
                name = entry.name.partition("/")[2]
                if entry.isreg() and name.startswith(f"{inside}/") and ".." not in name.split("/"):
                    file = opened.extractfile(entry)
                    assert file is not None, "regular files have content"
                    found[name.removeprefix(f"{inside}/")] = file.read()
    except (tarfile.TarError, EOFError):
        raise RookeryError(
            f"{url} is no archive", hint="Does a proxy with a login page stand between?"
        ) from None
    if not found:
        raise RookeryError(f"{url} has no folder {inside} in it")
    return found


def _same(url: str, known: Mapping[str, str], contents: Mapping[str, bytes]) -> None:
    """Refuse what is another than at the first time; nothing is known of a path without a digest."""
    if not any(known.values()):
        return
    now = {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()}
    changed = sorted(path for path in {*known, *now} if known.get(path) != now.get(path))
    if changed:
        raise RookeryError(
            f"{url} is not what it was when the mirror was filled",
            details=tuple(f"differs: {path}" for path in changed[:5]),
            hint="What is published should not change. To take it all the same, fill an empty folder.",
        )
