"""Content as this machine has it, brought into its bucket on Kubernetes: what a tree has, and what none can.

Whether it is there, the bucket itself says, through Rook's toolbox, which needs no way to the gateways: it
has these files with these digests, and no others.
"""

from __future__ import annotations

import contextlib
import io
import json
import tarfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rookery.apps.app import Sending
from rookery.apps.ground.names import NAMESPACE, ROOK, STORE, TOOLBOX
from rookery.apps.pod_image import image_reference
from rookery.apps.table import APPS
from rookery.design.model import AppDesign, Design
from rookery.drivers.clients.s3 import Upload
from rookery.drivers.kubernetes.kubectl import Kubectl
from rookery.drivers.machine.process import CommandError
from rookery.errors import InputError
from rookery.manifest import Wait
from rookery.projections.kubernetes.emit import dump
from rookery.systems.content import app_content
from rookery.systems.protocol import Pages, Report

_OBJECT = 1  # the category of what is an object, and not a part of one that is on its way
_READY = 180  # seconds for a pod that takes files: its image is on the nodes
_GONE = 60.0  # seconds for it to be gone


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What an application sends; `pages` are those that it gets beside its own."""

    design: Design
    app: AppDesign
    sending: Sending
    kubectl: Kubectl
    pages: Pages

    def is_current(self) -> bool:
        """Whether the bucket holds the content and nothing else."""
        if self.kubectl.find("objectbucketclaim", self.sending.bucket, namespace=NAMESPACE) is None:
            return False
        try:
            return self._there() == {item.path: item.md5() for item in self._items()}
        # Ceph does not answer, or the user's folder is not there: sending says so.
        except (CommandError, InputError):
            return False

    def send(self, report: Report) -> None:
        """Make the bucket hold the content and nothing else.

        Raises CommandError, and InputError where the user's folder is not there.
        """
        items, rules = self._items(), self.sending.rules(self.app)
        size = sum(_size(item) for item in items)
        self._remove()
        try:
            self.kubectl.apply("-", stdin=dump((self.sending.job(size, image_reference()),)))
            report("a pod that takes the files")
            self.kubectl.wait(self._takes_files(), seconds=_READY)
            report(f"{len(items)} files to {self.sending.bucket}")
            said = self.kubectl.feed(
                f"job/{self.sending.name}",
                self.sending.command,
                lambda out: write_archive(items, self.sending.rules_file, rules, out),
                namespace=NAMESPACE,
                limit=self.sending.limit,
            )
            report(said.strip().rpartition("\n")[2])
        finally:
            # Where this is not possible the Job ends by itself, and the next run begins with it.
            with contextlib.suppress(CommandError):
                self._remove()

    def _there(self) -> dict[str, str]:
        """Return each object in the bucket with its digest."""
        words = ("radosgw-admin", f"--rgw-realm={STORE}", f"--rgw-zone={STORE}", "bucket", "list")
        options = (f"--bucket={self.sending.bucket}", "--max-entries=1000000")
        found = json.loads(self.kubectl.run("exec", TOOLBOX, "--", *words, *options, namespace=ROOK))
        return {one["name"]: one["meta"]["etag"] for one in found if one["meta"]["category"] == _OBJECT}

    def _items(self) -> tuple[Upload, ...]:
        return dict(app_content(self.design, self.app, self.pages))[self.sending.bucket]

    def _takes_files(self) -> Wait:
        ready = "jsonpath={.status.ready}=1"
        return Wait(kind="job", name=self.sending.name, condition=ready, seconds=_READY, namespace=NAMESPACE)

    def _remove(self) -> None:
        """Remove the pod; it has ended before anything else is done."""
        words = ("delete", "job", self.sending.name, "--ignore-not-found", "--cascade=foreground")
        self.kubectl.run(*words, namespace=NAMESPACE, limit=_GONE)


def sent_content(design: Design, kubectl: Kubectl, pages: Pages) -> Mapping[str, Content]:
    """Return what the applications of a design send, by their names."""
    found = {}
    for app in design.apps:
        pods = APPS[app.name].in_pods
        if pods is not None and pods.sending is not None:
            found[app.name] = Content(
                design=design, app=app, sending=pods.sending, kubectl=kubectl, pages=pages
            )
    return found


def write_archive(items: Sequence[Upload], rules_file: str, rules: str, out: IO[bytes]) -> None:
    """Write the files as a tar archive, and the rules at its end."""
    with tarfile.open(fileobj=out, mode="w|", encoding="utf-8") as archive:
        for item in items:
            _add(archive, item.path, item.source)
        _add(archive, rules_file, rules.encode())


def _add(archive: tarfile.TarFile, name: str, source: bytes | Path) -> None:
    entry = tarfile.TarInfo(name)
    with io.BytesIO(source) if isinstance(source, bytes) else source.open("rb") as file:
        entry.size = file.seek(0, io.SEEK_END)
        file.seek(0)
        archive.addfile(entry, file)


def _size(item: Upload) -> int:
    return len(item.source) if isinstance(item.source, bytes) else item.source.stat().st_size
