"""Helm: charts from repositories over HTTP, and what a chart becomes with its values."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urljoin

import yaml

from rookery.drivers.machine.process import CommandError, run
from rookery.errors import NotPossibleError, RookeryError
from rookery.manifest import Chart, Release
from rookery.mirror.downloads import Arrived, Digest, Web

_RENDER_LIMIT = 120.0  # seconds
_LARGEST_INDEX = 128 * 1024**2
# What the cluster will have by the time a chart is installed: charts look before they use it.
_APIS = ("monitoring.coreos.com/v1", "gateway.networking.k8s.io/v1", "cert-manager.io/v1")
_Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


class ChartRepositories:
    """The repositories of charts, each index of which is read once."""

    def __init__(self, web: Web) -> None:
        self._web = web
        self._indices: dict[str, dict[str, Any]] = {}

    def find(self, chart: Chart) -> tuple[str, str]:
        """Return the URL of a chart's archive and its SHA-256, which is empty where none is published."""
        base = f"{chart.repository.rstrip('/')}/"
        for entry in self._entries(base).get(chart.name) or ():
            if str(entry.get("version")) == chart.version and entry.get("urls"):
                return urljoin(base, str(entry["urls"][0])), str(entry.get("digest") or "")
        raise RookeryError(
            f"{chart.repository} has no chart {chart.name} {chart.version}",
            hint="It may have been withdrawn. Versions are pinned in src/rookery/versions.py.",
        )

    def fetch(self, chart: Chart, path: Path, *, sha256: str, arrived: Arrived) -> tuple[str, Digest]:
        """Bring a chart's archive to `path`; return where it came from and what it is known by.

        `sha256` is what it was known by before; empty where it is fetched for the first time.
        """
        url, published = self.find(chart)
        wanted = sha256 or published.removeprefix("sha256:")
        return url, self._web.save(url, path, sha256=wanted, arrived=arrived)

    def _entries(self, base: str) -> dict[str, Any]:
        if base not in self._indices:
            url = f"{base}index.yaml"
            content = self._web.read(url, most=_LARGEST_INDEX).content
            try:
                self._indices[base] = dict(yaml.load(content, Loader=_Loader)["entries"])  # noqa: S506 - a safe one
            except (yaml.YAMLError, KeyError, TypeError, ValueError):
                raise RookeryError(
                    f"{url} is no index of charts", hint="Does a proxy with a login page stand between?"
                ) from None
        return self._indices[base]


def render_chart(
    helm: Path, archive: Path, release: Release, values: Path, *, kubernetes: str
) -> Sequence[dict[str, Any]]:
    """Return the objects that a release would make, hooks included, by Helm itself and without a cluster.

    `values` is the file with the release's values, `kubernetes` the release of the cluster (`1.36.5`).
    """
    argv = (
        *(str(helm), "template", release.name, str(archive)),
        *("--namespace", release.namespace, "--values", str(values)),
        *("--kube-version", f"v{kubernetes}", "--skip-tests"),
        *(word for api in _APIS for word in ("--api-versions", api)),
    )
    try:
        text = run(argv, timeout=_RENDER_LIMIT)
    except CommandError as error:
        raise NotPossibleError(
            f"helm cannot tell which images {release.chart.name} {release.chart.version} uses",
            details=error.details or (error.what,),
            hint="Fill the mirror on a Linux machine with the processor of the nodes.",
        ) from None
    return read_objects(text, what=f"what helm makes of {release.chart.name} {release.chart.version}")


def read_objects(text: str | bytes, *, what: str) -> list[dict[str, Any]]:
    """Return the objects of a YAML text, those of lists among them; errors call the text `what`."""
    try:
        documents = list(yaml.load_all(text, Loader=_Loader))
    except yaml.YAMLError as error:
        raise RookeryError(f"{what} is no YAML", details=tuple(str(error).splitlines()[:5])) from None
    found: list[dict[str, Any]] = []
    for document in documents:
        if not isinstance(document, dict):
            continue
        items = document.get("items")
        is_list = str(document.get("kind", "")).endswith("List") and isinstance(items, list)
        found += items if is_list and items else [document]
    return found
