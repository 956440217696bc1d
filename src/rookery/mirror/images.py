"""Which images a design uses: of our own objects, of others', of each chart as Helm renders it, of kubeadm.

Nothing here asks the net: a mirror that has everything else knows it by itself, also when it is only checked.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path

from rookery.drivers.machine.process import CommandError, run
from rookery.errors import NotPossibleError
from rookery.manifest import Remote
from rookery.mirror.folder import Mirror
from rookery.mirror.helm_charts import read_objects, render_chart
from rookery.projections.kubernetes.emit import dump
from rookery.projections.kubernetes.sources import Sources, images_of

_LIMIT = 120.0  # seconds for dpkg-deb or kubeadm


def image_names(mirror: Mirror, sources: Sources, report: Callable[[str], None]) -> tuple[str, ...]:
    """Return the full name of every image, sorted. The mirror must have everything but images."""
    found = {*sources.images, *_kubeadm_images(mirror, sources, report)}
    for remote in sources.remotes:
        found |= _remote_images(mirror, remote)
    helm = mirror.binary(next(one for one in sources.binaries if one.name == "helm"))
    with tempfile.TemporaryDirectory(prefix="rookery-") as scratch:
        values = Path(scratch) / "values.yaml"
        for release in sources.releases:
            report(f"which images {release.chart.name} uses")
            values.write_text(dump((release.values,)), encoding="utf-8")
            archive = mirror.chart(release.chart)
            found |= set(
                images_of(render_chart(helm, archive, release, values, kubernetes=sources.kubernetes))
            )
    return tuple(sorted(found))


def _remote_images(mirror: Mirror, remote: Remote) -> set[str]:
    paths = (mirror.folder / file.path for file in mirror.things["remote", remote.name, remote.tag].files)
    return {
        name
        for path in paths
        if path.suffix in (".yaml", ".yml")
        for name in images_of(read_objects(path.read_bytes(), what=str(path)))
    }


def _kubeadm_images(mirror: Mirror, sources: Sources, report: Callable[[str], None]) -> tuple[str, ...]:
    """Return the control plane's images of the kubeadm that nodes install: the newest, with its own list."""
    repository = next(one for one in sources.repositories if one.name == "kubernetes")
    files = mirror.things["packages", repository.name, repository.version].files
    package = next(mirror.folder / file.path for file in files if "/kubeadm_" in file.path)
    release = package.name.split("_")[1].rpartition("-")[0]
    if release == sources.kubernetes:
        return sources.control_plane
    report(f"which images kubeadm {release} uses")
    with tempfile.TemporaryDirectory(prefix="rookery-") as scratch:
        kubeadm = f"{scratch}/usr/bin/kubeadm"
        try:
            run(("dpkg-deb", "-x", str(package), scratch), timeout=_LIMIT)
            listed = run(
                (kubeadm, "config", "images", "list", f"--kubernetes-version=v{release}"), timeout=_LIMIT
            )
        except CommandError as error:
            raise NotPossibleError(
                f"kubeadm {release} cannot tell which images it uses",
                details=error.details or (error.what,),
                hint="Fill the mirror on a Linux machine with dpkg and the processor of the nodes.",
            ) from None
    return tuple(listed.split())
