"""Volumes brought back: an empty one is made, and the links of its chain are imported, one after the other.

`rbd import-diff` applies a difference to whatever has a snapshot of the right name, and says that it is done.
So it gets a volume of which nothing else is known but what was imported before it: one that was made here,
bears an own name until it is complete, ends with the snapshot that the difference starts from, and was not
written to since. And it gets the end of a difference, without which it makes no snapshot, once all of
it was found to be what was written.
"""

from __future__ import annotations

import contextlib
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from .block_chain import Link, links_of
from .block_images import Pool, opened_pool
from .block_stream import PIPE, receive
from .errors import BackupError
from .kind import Part, Work
from .labels import label_at
from .store import Store
from .tools import child

_RESERVE = 64 << 20  # bytes that shall be left in the pool
_AT_ONCE = 2  # volumes
_END = 600.0  # seconds; an import that has all it gets ends by then


def restore(work: Work, part: Part, wish: dict[str, Any]) -> dict[str, Any]:
    """Bring back the volume that `wish` names, or all of a part; return what was brought where.

    Raises BackupError before anything is done where there is no such volume, it is in use, or there is no
    room.
    """
    images = [wish["path"].strip("/")] if wish["path"].strip("/") else list(part["images"])
    unknown = [image for image in images if image not in part["images"]]
    if unknown:
        raise BackupError(
            f"set {part['snapshot']} has no volume {unknown[0]}",
            hint=f"It has: {', '.join(part['images'])}.",
            kind="input",
        )
    is_in_place = wish["to"] == "in-place"
    with opened_pool(work.told) as pool:
        _require_free(pool, images, part["snapshot"], is_in_place=is_in_place)
        _require_room(pool, part, images)
        with ThreadPoolExecutor(_AT_ONCE) as threads:
            bring = partial(_bring, work, pool, part, is_in_place=is_in_place)
            brought = list(threads.map(bring, images))
    aside = "".join(f"; {_aside(pool.name, one['aside'])}" for one in brought if one["aside"])
    places = ", ".join(f"{pool.name}/{one['image']}" for one in brought)
    return {"says": f"{places}, as of {part['moment']}{aside}", "set": part["snapshot"], "images": brought}


def _aside(pool: str, image: str) -> str:
    """Say where what was there is. The sets' snapshots hold a volume that they were taken of: nobody removes
    it while there is one, and rbd says no more than that it has snapshots."""
    return (
        f"what was there is {image}; once two more sets were taken it can be removed: rbd rm {pool}/{image}"
    )


def _require_free(pool: Pool, images: list[str], label: str, *, is_in_place: bool) -> None:
    """See that nobody has open what is to be replaced, and that nothing is where something is to go."""
    there = pool.images()
    for image in images:
        if is_in_place:
            users = pool.users(image) if image in there else []
            if users:
                raise BackupError(
                    f"{pool.name}/{image} is in use, by {', '.join(users)}",
                    hint="Stop what uses it and unmap it, then run the command again; or restore it beside:"
                    " --to scratch.",
                    kind="not-possible",
                )
        elif _scratch(image, label) in there:
            raise BackupError(
                f"{pool.name}/{_scratch(image, label)} is there already",
                hint=f"Remove it: rbd rm {pool.name}/{_scratch(image, label)}.",
                kind="not-possible",
            )


def _require_room(pool: Pool, part: Part, images: list[str]) -> None:
    needed: dict[str, int] = {}
    for image in images:
        links = links_of(part, image)
        data = min(links[-1]["size"], sum(link["data"] for link in links))
        pool_name = part["images"][image]["dataPool"]
        needed[pool_name] = needed.get(pool_name, 0) + data
    for pool_name, data in needed.items():
        room = pool.room(pool_name)
        if data + _RESERVE > room:
            raise BackupError(
                f"no room: {', '.join(images)} need {data >> 20} MiB, pool {pool_name or pool.name} has"
                f" {room >> 20} MiB",
                hint="Make room, or restore one volume at a time.",
                kind="not-possible",
            )


def _bring(work: Work, pool: Pool, part: Part, image: str, *, is_in_place: bool) -> dict[str, Any]:
    label, links = part["snapshot"], links_of(part, image)
    for name in pool.images():
        if name.startswith(f"restoring-{image}-"):  # an interrupted one's
            pool.remove(name)
    unfinished = f"restoring-{image}-{_time()}"
    pool.make(unfinished, links[0]["size"], part["images"][image])
    try:
        _import_all(work, pool, image, unfinished, links)
    except BackupError:
        pool.remove(unfinished)
        raise
    aside = _put_aside(pool, image, label) if is_in_place else ""
    target = image if is_in_place else _scratch(image, label)
    pool.rename(unfinished, target)
    if aside:
        pool.gather([image])
    return {"image": target, "aside": aside, "links": len(links), "size": links[-1]["size"]}


def _import_all(work: Work, pool: Pool, image: str, target: str, links: list[Link]) -> None:
    """Import a chain into an empty volume, and remove the snapshots that show how far it came."""
    for number, link in enumerate(links, 1):
        work.report(f"block: {image}, {number} of {len(links)}")
        _require_untouched(pool, target, link["from"])
        _import(work.store, pool, target, link, work.told.config["cluster"]["user"])
        _require_imported(pool, target, link)
    pool.forget_snaps(target)


def _put_aside(pool: Pool, image: str, label: str) -> str:
    """Rename the volume that is there, and return its name; empty where there is none."""
    if image not in pool.images():
        return ""
    _require_free(pool, [image], label, is_in_place=True)
    aside = f"{image}-until-{_time()}"
    pool.leave(image)
    pool.rename(image, aside)
    return aside


def _require_untouched(pool: Pool, image: str, start: str) -> None:
    """See that a volume is what its snapshot `start` is; that it is empty, where that is empty."""
    with pool.opened(image) as volume:
        names = [snap["name"] for snap in volume.list_snaps()]
        changed: list[int] = []
        if not start or start in names[-1:]:
            volume.diff_iterate(0, volume.size(), start or None, lambda offset, *_: changed.append(offset))
        if changed or names[-1:] != ([start] if start else []):
            raise BackupError(f"{pool.name}/{image} was changed while it was restored")


def _require_imported(pool: Pool, image: str, link: Link) -> None:
    with pool.opened(image) as volume:
        last = [(snap["name"], snap["size"]) for snap in volume.list_snaps()][-1:]
    if last != [(link["to"], link["size"])]:
        raise BackupError(
            f"rbd import-diff said that {link['key']} is imported, and its snapshot is not there"
        )


def _import(store: Store, pool: Pool, image: str, link: Link, user: str) -> None:
    """Apply a link to a volume."""
    argv = child("rbd", "--id", user, "import-diff", "--no-progress", "-", f"{pool.name}/{image}")
    process = subprocess.Popen(
        argv, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, pipesize=PIPE
    )
    assert process.stdin is not None
    assert process.stderr is not None
    try:
        with contextlib.suppress(BrokenPipeError):  # its exit status says why
            for piece in receive(store, link):
                process.stdin.write(piece)
            process.stdin.close()
        said = process.stderr.read().decode(errors="replace").strip().splitlines()
        if process.wait(timeout=_END):
            raise BackupError(
                f"rbd import-diff of {link['key']} failed (exit {process.returncode})",
                details=tuple(said[-4:]),
            )
    finally:
        process.kill()
        process.wait()
        process.stderr.close()
        with contextlib.suppress(OSError):
            process.stdin.close()


def _time() -> str:
    return label_at(time.time())


def _scratch(image: str, label: str) -> str:
    return f"restored-{image}-{label}"
