"""Block volumes: snapshots of one moment, and chains of what differs between them.

The moment is a snapshot of the RBD group that all volumes are in. For each volume, what differs from the set
before goes to the store, in the format of `rbd export-diff` and compressed by zstd; `zstd -d | rbd
import-diff` brings it back by hand. On the volume the snapshots stay that the next difference can start from.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from . import block_restore
from .block_chain import FOLDER, Link, all_links, base_of, find_breaks, links_of, new_key
from .block_images import Pool, opened_pool, read_difference
from .block_stream import receive, send
from .errors import BackupError
from .kind import Part, Problem, Work, now
from .store import Store

_AT_ONCE = 2  # volumes; while one waits for its last part to be stored, the other one is read


class Block:
    """RBD volumes."""

    name = "block"

    def mark(self, work: Work, label: str) -> dict[str, Any]:
        """Take a snapshot of all volumes that are backed up."""
        with opened_pool(work.told) as pool:
            images = pool.gather(work.told.config["block"]["images"])
            moment = now()
            pool.snap(label)
        return {"moment": moment, "images": images}

    def keep(self, work: Work, label: str, mark: dict[str, Any], last: Part | None) -> Part:
        """Store what differs from the last set, of each volume.

        Of the cluster's snapshots two stay: this one, and the last whole set's, from which the next one goes
        on where this set does not become whole.
        """
        with opened_pool(work.told) as pool:
            pool.drop_snaps(keep=(label, last["snapshot"] if last else label))

            def keep(image: str) -> dict[str, Any]:
                work.report(f"block: {image}")
                return _keep(work, pool, image, label, last)

            with ThreadPoolExecutor(_AT_ONCE) as threads:
                images = dict(zip(mark["images"], threads.map(keep, mark["images"]), strict=True))
        return {
            "moment": mark["moment"],
            "moved": sum(image["links"][-1]["stored"] for image in images.values()),
            "whole": sum(content(image["links"]) for image in images.values()),
            "snapshot": label,
            "images": images,
        }

    def check(self, work: Work, parts: dict[str, Part], *, deep: bool) -> list[Problem]:
        """Look whether every link of each chain is there and follows the one before; `deep` reads each."""
        there = stored(work.store)
        problems: dict[Problem, None] = {}  # a link is one of many chains: what ails it is said once
        for label, part in parts.items():
            for image in part["images"]:
                problems.update(dict.fromkeys(find_breaks(label, image, links_of(part, image), there)))
        if deep:
            for link in all_links(parts).values():
                if link["key"] in there:
                    problems.update(dict.fromkeys(_read_whole(work, link)))
        return list(problems)

    def prune(self, work: Work, kept: dict[str, Part], dropped: dict[str, Part]) -> None:
        """Remove the links that no kept set needs, and what interrupted runs left."""
        del dropped
        needed = all_links(kept)
        work.store.delete(*(key for key in stored(work.store) if key not in needed))

    def restore(self, work: Work, part: Part, wish: dict[str, Any]) -> dict[str, Any]:
        """Bring back a volume, or all: as others beside them, or in their place."""
        return block_restore.restore(work, part, wish)


def end(work: Work) -> None:
    """Remove all snapshots: one that stays holds what is overwritten for ever."""
    with opened_pool(work.told) as pool:
        pool.gather(())
        pool.drop_snaps(keep=())


def stored(store: Store, image: str = "") -> dict[str, int]:
    """Return the bytes of each difference that is stored, by its key: of one volume, of all by default."""
    folder = f"{FOLDER}{image}/" if image else FOLDER
    return {entry.key: entry.size for entry in store.list(folder)}


def content(links: list[Link]) -> int:
    """Return the bytes of content that a chain makes, at most."""
    return min(int(links[-1]["size"]), sum(int(link["data"]) for link in links))


def _keep(work: Work, pool: Pool, image: str, label: str, last: Part | None) -> dict[str, Any]:
    moments = pool.moments(image)
    if label not in moments:
        raise BackupError(f"{pool.name}/{image} has no snapshot {label}: it was removed meanwhile")
    identities = {name: moment.identity for name, moment in moments.items()}
    chain = base_of(last, image, identities, stored(work.store, image))
    start = chain[-1]["to"] if chain else ""
    most = moments[label].size
    link = send(work.store, new_key(image, label), read_difference(pool, image, start, label), most=most)
    return {
        "snapshot": label,
        "identity": moments[label].identity,
        **pool.shape(image),
        "links": [*chain, link],
    }


def _read_whole(work: Work, link: Link) -> list[Problem]:
    work.report(f"block: reading {link['key']}")
    try:
        for _ in receive(work.store, link):
            pass
    except BackupError as error:
        return [error.what if link["key"] in error.what else f"{link['key']}: {error.what}"]
    return []
