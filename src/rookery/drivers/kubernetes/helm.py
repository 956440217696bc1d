"""Helm releases: what is installed, and with which values."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rookery.drivers.machine.process import run

_QUICK = 60.0  # seconds


@dataclass(frozen=True, slots=True, kw_only=True)
class Installed:
    """A release as Helm lists it: `chart` is name and version with a dash between, `status` Helm's word."""

    name: str
    namespace: str
    chart: str
    status: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Helm:
    """Helm, on one cluster."""

    kubeconfig: Path
    program: str = "helm"

    def _argv(self, *words: str) -> tuple[str, ...]:
        return (self.program, "--kubeconfig", str(self.kubeconfig), *words)

    def releases(self) -> tuple[Installed, ...]:
        """Return every release of all namespaces, whatever its state; raises CommandError."""
        listed = json.loads(
            run(self._argv("list", "--all-namespaces", "--all", "-o", "json"), timeout=_QUICK)
        )
        return tuple(
            Installed(name=one["name"], namespace=one["namespace"], chart=one["chart"], status=one["status"])
            for one in listed
        )

    def values(self, name: str, namespace: str) -> Any:
        """Return the values that a release was given."""
        return json.loads(
            run(self._argv("get", "values", name, "--namespace", namespace, "-o", "json"), timeout=_QUICK)
        )

    def upgrade(
        self,
        name: str,
        *,
        namespace: str,
        chart: str,
        values: Mapping[str, Any],
        options: tuple[str, ...] = (),
        limit: float,
    ) -> None:
        """Install a release, or make it what it should be; raises CommandError.

        `chart` is a path or a name; with a name, `options` say where it comes from (`--repo`, `--version`).
        A release that an interrupted command left pending is rolled back by the next one first.
        """
        words = ("upgrade", "--install", name, chart, "--namespace", namespace, "--values", "-", *options)
        run(self._argv(*words), stdin=json.dumps(values), timeout=limit)

    def unlock(self, name: str, namespace: str) -> None:
        """Free a release that a killed command left `pending`: Helm refuses to touch one as it is."""
        history = json.loads(
            run(self._argv("history", name, "--namespace", namespace, "-o", "json"), timeout=_QUICK)
        )
        good = [one["revision"] for one in history if one["status"] in ("deployed", "superseded")]
        if good:
            run(self._argv("rollback", name, str(good[-1]), "--namespace", namespace), timeout=_QUICK)
        else:
            self.uninstall(name, namespace)

    def uninstall(self, name: str, namespace: str) -> None:
        words = ("uninstall", name, "--namespace", namespace, "--ignore-not-found")
        run(self._argv(*words), timeout=_QUICK * 5)
