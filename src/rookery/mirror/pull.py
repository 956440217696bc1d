"""Filling a mirror, and checking one.

What is there whole is left alone, by its digest. The rest is fetched, four at a time, each file complete or
absent; the index comes last. Killed anywhere, the same command goes on.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol, TypeVar

from rookery.drivers.machine.files import free_space, write_whole
from rookery.errors import NotPossibleError, RookeryError
from rookery.manifest import Remote
from rookery.mirror.downloads import Web
from rookery.mirror.fetch import Fetcher
from rookery.mirror.folder import (
    IMAGES,
    INDEX,
    Index,
    KeptFile,
    Key,
    Mirror,
    Thing,
    damage,
    read_index,
    render_index,
)
from rookery.mirror.helm_charts import ChartRepositories
from rookery.mirror.images import image_names
from rookery.mirror.registry import Blob, Image, Layout, Registries, parse_reference
from rookery.projections.kubernetes.sources import Sources, archive_url, is_tree
from rookery.units import GB, format_amount

AT_ONCE = 4
# Left free beside what is fetched; everything but images needs less than this.
_MARGIN = GB
_SHOWN_EVERY = 0.2  # seconds
_MOST_DETAILS = 20

T = TypeVar("T")


class Watcher(Protocol):
    """Who shows what happens; called by several threads."""

    def done(self, text: str) -> None:
        """Show that something is there now."""

    def under_way(self, text: str) -> None:
        """Show what happens until the next call."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pulled:
    """What a pull did: the mirror as it is now, and what is new in it, sorted."""

    mirror: Mirror
    new: tuple[Thing, ...]


def pull_mirror(
    folder: Path, sources: Sources, *, web: Web, watcher: Watcher, architecture: str = "amd64"
) -> Pulled:
    """Fetch what of `sources` is missing in a folder, or damaged, and everything that it leads to.

    RookeryError names all that could not be fetched; what could be is kept for the next time.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with _alone(folder):
            return _Pull(folder, web, watcher, architecture).run(sources)
    except OSError as error:
        raise NotPossibleError(
            f"{folder} cannot be written: {error.strerror or error}",
            hint="Name a folder that you may write to, with enough room. What arrived there is kept.",
        ) from None


def check_mirror(folder: Path, sources: Sources, *, watcher: Watcher) -> tuple[str, ...]:
    """Return everything that is missing or damaged, in words; nothing is fetched."""
    mirror = Mirror.open(folder)
    things = sorted(mirror.things.values(), key=lambda thing: thing.key)
    found: list[str] = []
    with ThreadPoolExecutor(AT_ONCE) as pool:
        for thing, problems in zip(things, pool.map(partial(_damage, folder), things), strict=True):
            watcher.under_way(thing.title)
            found += problems
    found += [f"missing: {words}" for words in mirror.missing(sources)]
    if not found:
        names = image_names(mirror, sources, watcher.under_way)
        found += [f"missing: {words}" for words in mirror.missing_images(names)]
    return tuple(found)


def _damage(folder: Path, thing: Thing) -> list[str]:
    return list(damage(folder, thing))


class _Stopped(Exception):  # noqa: N818 - no error: the command ends, and says why itself
    """Ends a download whose command ends."""


class _Meter:
    """Counts bytes as they arrive, and says so now and then."""

    def __init__(self, watcher: Watcher) -> None:
        self._watcher = watcher
        self._lock = threading.Lock()
        self._bytes = self._expected = 0
        self._shown = 0.0
        self._stopped = False

    def expect(self, size: int) -> None:
        """Begin anew, with so many bytes to come."""
        with self._lock:
            self._bytes, self._expected = 0, size

    def stop(self) -> None:
        """End every download when its next bytes arrive."""
        self._stopped = True

    def arrived(self, size: int) -> None:
        if self._stopped and size > 0:
            raise _Stopped
        now = time.monotonic()
        with self._lock:
            self._bytes += size
            if now - self._shown < _SHOWN_EVERY:
                return
            self._shown = now
            of = f" of {format_amount(self._expected)}" if self._expected else ""
            text = f"{format_amount(self._bytes)}{of}"
        self._watcher.under_way(text)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Job:
    """What makes things that are named by their keys; nothing is to be done where they are all whole."""

    keys: tuple[Key, ...]
    work: Callable[[], tuple[Thing, ...]]


class _Pull:
    """One pull into one folder."""

    def __init__(self, folder: Path, web: Web, watcher: Watcher, architecture: str) -> None:
        index = read_index(folder) or Index(architecture=architecture, things=())
        if index.architecture != architecture:
            raise NotPossibleError(
                f"{folder} is a mirror for {index.architecture}, not for {architecture}",
                hint="Name another folder.",
            )
        self._folder = folder
        self._watcher = watcher
        self._architecture = architecture
        self._meter = _Meter(watcher)
        self._registries = Registries(web, architecture=architecture)
        self._layout = Layout(folder / IMAGES)
        self._things = {thing.key: thing for thing in index.things}
        self._new: dict[Key, Thing] = {}
        self._fetcher = Fetcher(
            folder=folder,
            web=web,
            charts=ChartRepositories(web),
            architecture=architecture,
            known=dict(self._things),
            arrived=self._meter.arrived,
        )

    def run(self, sources: Sources) -> Pulled:
        self._need(0)
        self._all([partial(self._ensure, job) for job in list(self._jobs(sources))], self._keep)
        mirror = Mirror(self._folder, self._index())
        self._images(image_names(mirror, sources, self._watcher.under_way))
        index = self._index()
        write_whole(self._folder / INDEX, render_index(index))
        new = tuple(self._new[key] for key in sorted(self._new))
        return Pulled(mirror=Mirror(self._folder, index), new=new)

    def _jobs(self, sources: Sources) -> Iterator[_Job]:
        fetch = self._fetcher
        for one in sources.repositories:
            yield _Job(keys=(("packages", one.name, one.version),), work=partial(fetch.packages, one))
        for binary in sources.binaries:
            yield _Job(keys=(("binary", binary.name, binary.version),), work=partial(fetch.binary, binary))
        for chart in sources.charts:
            yield _Job(keys=(("chart", chart.name, chart.version),), work=partial(fetch.chart, chart))
        trees: dict[str, list[Remote]] = {}
        for remote in sources.remotes:
            if is_tree(remote):
                trees.setdefault(archive_url(remote), []).append(remote)
            else:
                yield _Job(keys=(("remote", remote.name, remote.tag),), work=partial(fetch.remote, remote))
        for url, remotes in trees.items():
            keys: tuple[Key, ...] = tuple(("remote", remote.name, remote.tag) for remote in remotes)
            yield _Job(keys=keys, work=partial(fetch.trees, url, remotes))

    def _ensure(self, job: _Job) -> tuple[Thing, ...]:
        return () if all(self._is_whole(key) for key in job.keys) else job.work()

    def _keep(self, things: tuple[Thing, ...]) -> None:
        for thing in things:
            self._things[thing.key] = self._new[thing.key] = thing
            self._watcher.done(f"{thing.title}  {format_amount(thing.size)}")

    def _images(self, names: Sequence[str]) -> None:
        wanted = [name for name in names if not self._is_whole(_image_key(name))]
        images: list[Image] = []
        self._all([partial(self._resolve, name) for name in wanted], images.append)
        blobs = {blob.digest: (image, blob) for image in images for blob in image.blobs}
        self._need(sum(blob.size for _, blob in blobs.values() if not self._is_there(blob)))
        self._meter.expect(sum(blob.size for _, blob in blobs.values()))
        waiting = {image.reference.name: {blob.digest for blob in image.blobs} for image in images}

        def arrived(blob: Blob) -> None:
            for name in [name for name, digests in waiting.items() if blob.digest in digests]:
                waiting[name].discard(blob.digest)
                if not waiting[name]:
                    self._watcher.done(f"image {name}")

        largest_first = sorted(blobs.values(), key=lambda pair: (-pair[1].size, pair[1].digest))
        self._all([partial(self._blob, image, blob) for image, blob in largest_first], arrived)
        for image in images:
            for text, content in image.texts:
                self._layout.write_text(text, content)
            thing = _image_thing(image)
            self._things[thing.key] = self._new[thing.key] = thing
        self._layout.add(images)

    def _resolve(self, name: str) -> Image:
        """Ask a registry for an image: for what it was before, where it is only damaged here."""
        known = self._things.get(_image_key(name))
        origin = known.source.rpartition("/")[2] if known else ""
        self._watcher.under_way(name)
        return self._registries.resolve(name, origin=origin)

    def _blob(self, image: Image, blob: Blob) -> Blob:
        self._registries.fetch(image, blob, self._layout.blob_path(blob.digest), self._meter.arrived)
        return blob

    def _is_there(self, blob: Blob) -> bool:
        path = self._layout.blob_path(blob.digest)
        return path.is_file() and path.stat().st_size == blob.size

    def _is_whole(self, key: Key) -> bool:
        thing = self._things.get(key)
        return thing is not None and not _damage(self._folder, thing)

    def _index(self) -> Index:
        things = tuple(self._things[key] for key in sorted(self._things))
        return Index(architecture=self._architecture, things=things)

    def _need(self, size: int) -> None:
        free = free_space(self._folder)
        if free < size + _MARGIN:
            raise NotPossibleError(
                f"{self._folder} has {format_amount(free)} free, and needs {format_amount(size + _MARGIN)}",
                hint="Free some room, or name a folder on a larger disk. What arrived is kept.",
            )

    def _all(self, jobs: Sequence[Callable[[], T]], then: Callable[[T], None]) -> None:
        """Do all jobs, a few at a time, and hand on what they return, one by one.

        What failed is one error at the end, so that all of it is known at once.
        """
        errors: list[RookeryError] = []
        try:
            for future in _outcomes(jobs):
                try:
                    then(future.result())
                except RookeryError as error:
                    errors.append(error)
        except BaseException:
            self._meter.stop()
            raise
        if errors:
            raise _together(errors, len(jobs))


def _outcomes(jobs: Sequence[Callable[[], T]]) -> Iterator[Future[T]]:
    """Yield how each job ended. Its threads end with the process: a server's silence holds up no Ctrl-C."""
    waiting: SimpleQueue[Callable[[], T]] = SimpleQueue()
    ended: SimpleQueue[Future[T]] = SimpleQueue()
    for job in jobs:
        waiting.put(job)

    def work() -> None:
        with contextlib.suppress(Empty):
            while True:
                job, future = waiting.get_nowait(), Future[T]()
                try:
                    future.set_result(job())
                except BaseException as error:  # noqa: BLE001 - raised again where the result is asked for
                    future.set_exception(error)
                ended.put(future)

    for _ in range(min(AT_ONCE, len(jobs))):
        threading.Thread(target=work, daemon=True).start()
    for _ in jobs:
        yield ended.get()


def _image_key(name: str) -> Key:
    reference = parse_reference(name)
    return "image", name, reference.tag or reference.digest


def _image_thing(image: Image) -> Thing:
    kind, name, version = _image_key(image.reference.name)
    blobs = {blob.digest: blob for blob in (*(text for text, _ in image.texts), *image.blobs)}
    files = tuple(
        KeptFile(path=f"{IMAGES}/blobs/sha256/{blob.sha256}", sha256=blob.sha256, size=blob.size)
        for blob in blobs.values()
    )
    source = f"{image.reference.url}/manifests/{image.origin}"
    return Thing(kind=kind, name=name, version=version, source=source, files=files)


def _together(errors: Sequence[RookeryError], of: int) -> RookeryError:
    """Return one error for all; several that say the same are said once."""
    lines = dict.fromkeys("; ".join((error.what, *error.details)) for error in errors)
    hints = dict.fromkeys(error.hint for error in errors if error.hint)
    more = len(lines) - _MOST_DETAILS
    shown = (*list(lines)[:_MOST_DETAILS], *((f"and {more} more",) if more > 0 else ()))
    advice = f" {next(iter(hints))}" if len(hints) == 1 else ""
    kind = NotPossibleError if all(isinstance(one, NotPossibleError) for one in errors) else RookeryError
    return kind(
        f"{len(errors)} of {of} could not be fetched",
        details=shown,
        hint=f"What arrived is kept: the same command goes on.{advice}",
    )


@contextlib.contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Fill a folder alone; the lock dies with the process."""
    handle = os.open(folder / ".lock", os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise NotPossibleError(
            f"another command fills {folder}", hint="Wait until it ends, or end it, then run this again."
        ) from None
    finally:
        os.close(handle)
