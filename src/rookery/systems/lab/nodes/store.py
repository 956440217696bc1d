"""The store of images that all servers of all labs on Kubernetes share: unpacked once, read by everybody.

CRI-O takes what is there as its own, read-only, so seven servers neither pull nor unpack anything. What is
there is noted in `imported.json` beside it, as name and digest.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator, Mapping
from pathlib import Path

from rookery.drivers.containers.runc import NO_NETWORK, Container, Runc
from rookery.drivers.machine.files import alone, write_whole
from rookery.mirror.folder import Mirror
from rookery.systems.home import home
from rookery.systems.lab.paths import LabPaths
from rookery.systems.lab.roots import lay_root
from rookery.systems.protocol import Report
from rookery.units import GIB

_IMPORTER = "images"
_LIMIT = 1800.0  # seconds: some tens of images are unpacked on whatever disk there is
_MEMORY = 2 * GIB


def store_folder() -> Path:
    return home() / "image-store"


def wanted_images(mirror: Mirror, archive: Path | None, reference: str) -> dict[str, str]:
    """Return the images of a mirror, and ours in its archive, each with what tells its content."""
    found = {name: mirror.image_digest(name) for name in mirror.image_names()}
    if archive is not None:
        found[reference] = archive.name  # which has a hash of all that goes into it
    return found


def missing_images(wanted: Mapping[str, str]) -> dict[str, str]:
    """Return those that the store does not have as they are wanted."""
    there = _noted()
    return {name: digest for name, digest in wanted.items() if there.get(name) != digest}


def _noted() -> dict[str, str]:
    try:
        return dict(json.loads((store_folder() / "imported.json").read_text(encoding="utf-8")))
    except FileNotFoundError:
        return {}


def import_images(
    wanted: Mapping[str, str],
    *,
    mirror: Mirror,
    archive: Path | None,
    reference: str,
    image: Path,
    paths: LabPaths,
    runc: Runc,
    report: Report,
) -> None:
    """Unpack what the store does not have, by the programs of the servers' root `image`."""
    store = store_folder()
    (store / "storage").mkdir(parents=True, exist_ok=True)
    with alone(store / ".lock"):
        missing = missing_images(wanted)
        if not missing:
            return
        place = paths.server(_IMPORTER)
        lay_root(place, (), image=image)
        binds = [("/srv/storage", str(store / "storage")), ("/srv/images", str(mirror.images))]
        if archive is not None:
            binds.append(("/srv/archive", str(archive.parent)))
        script = "\n".join(_script(missing, archive, reference))
        container = Container(
            id=paths.container(_IMPORTER),
            hostname=_IMPORTER,
            root=place.root,
            namespace=NO_NETWORK,
            argv=("/bin/sh", "-euc", script),
            cgroup=paths.cgroup(_IMPORTER),
            memory=_MEMORY,
            cpus=4,
            binds=tuple(binds),
            fuse=False,
        )
        runc.run(container, bundle=place.folder, report=report, timeout=_LIMIT)
        note = json.dumps({**_noted(), **missing}, indent=1, sort_keys=True)
        write_whole(store / "imported.json", note.encode())


def _script(missing: Mapping[str, str], archive: Path | None, reference: str) -> Iterator[str]:
    for name in missing:
        ours = archive is not None and name == reference
        source = f"oci-archive:/srv/archive/{archive.name}" if ours and archive else f"oci:/srv/images:{name}"
        target = f"containers-storage:[overlay@/srv/storage+/run/storage]{name}"
        yield f"echo {shlex.quote(name)}"
        yield f"skopeo --insecure-policy copy --quiet {shlex.quote(source)} {shlex.quote(target)}"
