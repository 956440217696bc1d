"""KubeOne: told by its manifest, and followed line by line.

It looks at the servers itself before it changes anything, so running it again goes on where it was stopped.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

from rookery.drivers.machine.process import run, run_heard

PROGRAM = "kubeone"
_LIMIT = 3600.0  # seconds: packages and images of every server are fetched meanwhile
_QUICK = 60.0
_SAID = re.compile(r"[A-Z]+\[[^\]]*\]\s*(?P<text>.*)")  # `INFO[21:03:04 UTC] Joining worker node`


def apply_manifest(manifest: Path, report: Callable[[str], None]) -> None:
    """Make or mend the cluster of a manifest; `report` hears what KubeOne says. Raises CommandError.

    A backup of the cluster's keys, `NAME.tar.gz`, and `NAME-kubeconfig` come to lie beside the manifest.
    """

    def hear(line: str) -> None:
        said = _SAID.fullmatch(line)
        if said is not None:
            report(said["text"])

    argv = (PROGRAM, "apply", "--manifest", str(manifest), "--auto-approve")
    run_heard(argv, hear, folder=manifest.parent, timeout=_LIMIT)


def read_kubeconfig(manifest: Path) -> str:
    """Return the administrator's kubeconfig, fetched from the first control plane. Raises CommandError."""
    return run((PROGRAM, "kubeconfig", "--manifest", str(manifest)), timeout=_QUICK)
