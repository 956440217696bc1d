"""The same tree for GitOps with Flux: one Kustomization for each item, each depending on the one before.

Nothing is written twice: Flux' objects point at the stages' own files, values included. Flux waits for what a
Kustomization applied before it goes on, which takes the place of most of the script's waits.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rookery.design.model import Design
from rookery.files import File
from rookery.manifest import Chart, Manifest, NeededSecrets, Objects, Release, Remote, jobs_of, manifest
from rookery.projections.kubernetes.emit import dump
from rookery.projections.kubernetes.placed import Placed

FOLDER = "flux"
NAMESPACE = "flux-system"
SOURCE = "rookery"
_KUSTOMIZE = "kustomize.toolkit.fluxcd.io/v1"
_SOURCE_API = "source.toolkit.fluxcd.io/v1"
_HELM_API = "helm.toolkit.fluxcd.io/v2"
_INTERVAL = "10m"
_TIMEOUT = "20m"

_SYNC = """\
The order of everything: one Kustomization for each item of the stages, each after the one before it is ready.
Put this tree into a git repository, change `url` in source.yaml to it (and `path` below, where the tree is
not at the top), install Flux, make the secrets that the guide names, then `kubectl apply -f
flux/source.yaml -f flux/repositories.yaml -f flux/sync.yaml`."""


def render_flux(design: Design, placed: tuple[Placed, ...]) -> Iterator[File]:
    """Yield Flux' files."""
    yield _file("source.yaml", [_source(design)], "Where Flux reads this tree from.")
    yield _file("repositories.yaml", _repositories(placed), "Where charts and others' objects come from.")
    applied = [one for one in placed if isinstance(one.item, Objects | Release | Remote)]
    chain = [
        _kustomization(one, before.id if before else "")
        for before, one in zip([None, *applied], applied, strict=False)
    ]
    yield _file("sync.yaml", chain, _SYNC)
    for one in applied:
        yield from _item_files(one)


def _file(name: str, documents: list[Manifest], comment: str) -> File:
    return File.text(f"{FOLDER}/{name}", dump(documents, comment=comment))


def _source(design: Design) -> Manifest:
    spec = {
        "interval": "1m",
        "url": f"https://git.example.com/{design.name}.git",
        "ref": {"branch": "main"},
    }
    return manifest(_SOURCE_API, "GitRepository", SOURCE, namespace=NAMESPACE, spec=spec)


def _repositories(placed: tuple[Placed, ...]) -> list[Manifest]:
    charts = {
        _repository_name(one.item.chart): one.item.chart for one in placed if isinstance(one.item, Release)
    }
    remotes = {_remote_name(one.item): one.item for one in placed if isinstance(one.item, Remote)}
    return [
        *(
            manifest(
                _SOURCE_API,
                "HelmRepository",
                name,
                namespace=NAMESPACE,
                spec={"interval": "1h", "url": chart.repository},
            )
            for name, chart in sorted(charts.items())
        ),
        *(
            manifest(
                _SOURCE_API,
                "GitRepository",
                name,
                namespace=NAMESPACE,
                spec={"interval": "1h", "url": remote.repository, "ref": {"tag": remote.tag}},
            )
            for name, remote in sorted(remotes.items())
        ),
    ]


def _repository_name(chart: Chart) -> str:
    """Return a name for a chart's repository: its host and path with dashes."""
    return chart.repository.removeprefix("https://").replace("/", "-").replace(".", "-")


def _remote_name(remote: Remote) -> str:
    return remote.repository.rpartition("/")[2]


def _kustomization(one: Placed, before: str) -> Manifest:
    remote = one.item if isinstance(one.item, Remote) else None
    spec: dict[str, Any] = {
        "interval": _INTERVAL,
        "timeout": _TIMEOUT,
        "retryInterval": "1m",
        "sourceRef": {"kind": "GitRepository", "name": _remote_name(remote) if remote else SOURCE},
        "path": remote.path if remote else f"./{FOLDER}/{one.id}",
        # What holds data is never removed because a file was. A Job of another name that did the same before
        # is: one that ended would keep its work from being done when it is wanted again.
        "prune": isinstance(one.item, Objects) and any(jobs_of(one.item)),
        "wait": not isinstance(one.item, Release) or one.item.waits,
    }
    if before:
        spec["dependsOn"] = [{"name": before}]
    return manifest(_KUSTOMIZE, "Kustomization", one.id, namespace=NAMESPACE, spec=spec)


def _item_files(one: Placed) -> Iterator[File]:
    item = one.item
    if isinstance(item, Remote | NeededSecrets):
        return
    folder = f"{FOLDER}/{one.id}"
    kustomization: dict[str, Any] = {"apiVersion": "kustomize.config.k8s.io/v1beta1", "kind": "Kustomization"}
    if isinstance(item, Release):
        values = f"{item.name}-values"
        kustomization["namespace"] = item.namespace
        kustomization["resources"] = ["release.yaml"]
        kustomization["configMapGenerator"] = [
            {
                "name": values,
                "files": [f"values.yaml=../../{one.path}"],
                # With it Flux upgrades a release when its values change, not at its next interval.
                "options": {
                    "labels": {"reconcile.fluxcd.io/watch": "Enabled"},
                    "disableNameSuffixHash": True,
                },
            }
        ]
        yield File.text(f"{folder}/release.yaml", dump((_release(item, values),), comment=item.why))
    else:
        kustomization["resources"] = [f"../../{one.path}"]
    yield File.text(f"{folder}/kustomization.yaml", dump((kustomization,)))


def _release(item: Release, values: str) -> Manifest:
    chart = item.chart
    source = {"kind": "HelmRepository", "name": _repository_name(chart), "namespace": NAMESPACE}
    spec = {
        "interval": _INTERVAL,
        "timeout": _TIMEOUT,
        "releaseName": item.name,
        "chart": {"spec": {"chart": chart.name, "version": chart.version, "sourceRef": source}},
        "install": {"disableWait": not item.waits, "remediation": {"retries": 3}},
        "upgrade": {"disableWait": not item.waits, "remediation": {"retries": 3}},
        "valuesFrom": [{"kind": "ConfigMap", "name": values}],
    }
    return manifest(_HELM_API, "HelmRelease", item.name, namespace=item.namespace, spec=spec)
