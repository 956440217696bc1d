"""A mirror: a folder with everything that a design on Kubernetes needs from elsewhere.

`index.json` in it says what is there, with the digest of each file. It is written last, so where it is, all
that it names was there once. Who uses a mirror asks for things by what they are, never by their path.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, TypeAdapter, ValidationError

from rookery.errors import InputError
from rookery.manifest import Chart, Remote
from rookery.mirror.downloads import Digest, digest_of
from rookery.mirror.registry import Layout
from rookery.projections.kubernetes.sources import Binary, Repository, Sources, is_tree, remote_path

INDEX = "index.json"
IMAGES = "images"
Kind = Literal["binary", "chart", "image", "packages", "remote"]
Key = tuple[Kind, str, str]


def _inside(path: str) -> str:
    parts = PurePosixPath(path).parts
    if not parts or parts[0] == "/" or ".." in parts:
        raise ValueError("a path that leads out of the folder")
    return path


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptFile:
    """A file of a mirror; `path` is relative to its folder, `size` in bytes."""

    path: Annotated[str, AfterValidator(_inside)]
    sha256: str
    size: int

    @classmethod
    def of(cls, path: str, digest: Digest) -> Self:
        return cls(path=path, sha256=digest.sha256, size=digest.size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Thing:
    """Something that a mirror has, whole or not at all.

    `source` is the URL that it came from. The first of the `files` is the thing itself where it is one file,
    an image's manifest, a Debian repository's signed list.
    """

    kind: Kind
    name: str
    version: str
    source: str
    files: tuple[KeptFile, ...]

    @property
    def key(self) -> Key:
        return self.kind, self.name, self.version

    @property
    def title(self) -> str:
        """What messages call it; an image's name has its version in it."""
        return (
            f"{self.kind} {self.name}" if self.kind == "image" else f"{self.kind} {self.name} {self.version}"
        )

    @property
    def size(self) -> int:
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True, kw_only=True)
class Index:
    """What a mirror's index says; things are sorted by kind, name and version."""

    format: Literal[1] = 1
    architecture: str
    things: tuple[Thing, ...]


_INDEX = TypeAdapter(Index)


class Mirror:
    """A mirror's folder, opened. What it is asked for and does not have is an InputError."""

    def __init__(self, folder: Path, index: Index) -> None:
        self.folder = folder.absolute()
        self.architecture = index.architecture
        self.things = {thing.key: thing for thing in index.things}

    @classmethod
    def open(cls, folder: Path) -> Mirror:
        """Open a folder that was filled; InputError where it is none, or of another version."""
        index = read_index(folder)
        if index is None:
            raise InputError(
                f"{folder} is no mirror: it has no {INDEX}",
                hint=f"`rookery mirror pull {folder}` fills it where there is internet; one that was broken"
                " off goes on.",
            )
        return cls(folder, index)

    @property
    def images(self) -> Path:
        """The OCI image layout: `skopeo copy oci:IMAGES:NAME containers-storage:NAME`."""
        return self.folder / IMAGES

    def image_names(self) -> tuple[str, ...]:
        """Return the full name of every image, as pods name it, sorted."""
        return tuple(sorted(name for kind, name, _ in self.things if kind == "image"))

    def image_digest(self, name: str) -> str:
        """Return the digest that an image's name leads to here."""
        found = next((one for one in self.things.values() if one.kind == "image" and one.name == name), None)
        if found is None:
            raise self._missing(f"image {name}")
        return f"sha256:{found.files[0].sha256}"

    def chart(self, chart: Chart) -> Path:
        """Return a chart's archive, to be given to helm in place of its name."""
        return self._file("chart", chart.name, chart.version)

    def remote(self, remote: Remote) -> Path:
        """Return others' objects: a file for `kubectl apply -f`, or a folder for `kubectl apply -k`."""
        first = self._file("remote", remote.name, remote.tag)
        return self.folder / remote_path(remote) if is_tree(remote) else first

    def binary(self, binary: Binary) -> Path:
        """Return a program."""
        return self._file("binary", binary.name, binary.version)

    def packages(self, repository: Repository) -> Path:
        """Return the folder that is a Debian repository: `deb [signed-by=...] file:FOLDER /`."""
        return self._file("packages", repository.name, repository.version).parent

    def missing(self, sources: Sources) -> tuple[str, ...]:
        """Return what of a design's needs is not in the index, in words; which images charts use is not known
        here."""
        wanted: list[Key] = [
            *(("binary", one.name, one.version) for one in sources.binaries),
            *(("chart", one.name, one.version) for one in sources.charts),
            *(("packages", one.name, one.version) for one in sources.repositories),
            *(("remote", one.name, one.tag) for one in sources.remotes),
        ]
        words = [" ".join(key) for key in wanted if key not in self.things]
        return (*words, *self.missing_images(sources.images))

    def missing_images(self, names: tuple[str, ...]) -> tuple[str, ...]:
        """Return those of the images that are not in the index, in words."""
        there = set(self.image_names())
        return tuple(f"image {name}" for name in names if name not in there)

    def _file(self, kind: Kind, name: str, version: str) -> Path:
        thing = self.things.get((kind, name, version))
        if thing is None:
            raise self._missing(f"{kind} {name} {version}")
        path = self.folder / thing.files[0].path
        if not path.is_file():
            raise InputError(
                f"{path} is missing, though the mirror's index has it",
                hint=f"`rookery mirror pull {self.folder}` fetches it again.",
            )
        return path

    def _missing(self, what: str) -> InputError:
        return InputError(
            f"the mirror {self.folder} has no {what}",
            hint="`rookery mirror pull` with the same spec adds it where there is internet.",
        )


def read_index(folder: Path) -> Index | None:
    """Return a folder's index, None where there is none; InputError where it is none of this version."""
    path = folder / INDEX
    try:
        return _INDEX.validate_json(path.read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
    except ValidationError:
        raise InputError(
            f"{path} is not an index of this version",
            hint="Use the version of rookery that filled the folder, or fill another one.",
        ) from None


def render_index(index: Index) -> bytes:
    """Return the text of an index."""
    return _INDEX.dump_json(index, indent=1) + b"\n"


def damage(folder: Path, thing: Thing) -> Iterator[str]:
    """Yield what is wrong with a thing, in words: files that are missing, or have another digest."""
    for file in thing.files:
        path = folder / file.path
        if not path.is_file():
            yield f"missing: {file.path} of {thing.title}"
        elif path.stat().st_size != file.size or digest_of(path).sha256 != file.sha256:
            yield f"damaged: {file.path} of {thing.title}"
    if thing.kind == "image":
        named = Layout(folder / IMAGES).names().get(thing.name)
        if named != f"sha256:{thing.files[0].sha256}":
            yield f"damaged: {IMAGES}/index.json leads {thing.name} to {named or 'nothing'}"
