"""A Kubernetes cluster, asked through kubectl: whatever is done here, a person can do by hand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from rookery.drivers.machine.process import ENDS_WITH_US, CommandError, plain_environment, run, run_fed
from rookery.errors import RookeryError
from rookery.manifest import Wait

_MANAGER = "rookery"
_QUICK = 30.0  # seconds for a request that only reads
_APPLY = 120.0
_FORWARD = 15.0  # seconds for a port-forward to listen


@dataclass(frozen=True, slots=True, kw_only=True)
class Kubectl:
    """One cluster, by the kubeconfig that leads to it."""

    kubeconfig: Path
    program: str = "kubectl"

    def _argv(self, *words: str, namespace: str = "") -> tuple[str, ...]:
        place = ("--namespace", namespace) if namespace else ()
        return (self.program, "--kubeconfig", str(self.kubeconfig), *place, *words)

    def run(self, *words: str, namespace: str = "", stdin: str = "", limit: float = _QUICK) -> str:
        """Run a command of kubectl's and return its output; raises CommandError."""
        return run(self._argv(*words, namespace=namespace), stdin=stdin, timeout=limit)

    def reachable(self) -> bool:
        """Whether an API server answers that it is ready."""
        try:
            return self.run("get", "--raw", "/readyz", limit=10.0).strip() == "ok"
        except CommandError:
            return False

    def apply(self, source: str, *, stdin: str = "") -> None:
        """Apply a file, a URL, or with `-` what stands in `stdin`; a URL with `?ref=` is kustomize's, and so
        is a folder."""
        self.run("apply", *_on_the_server(source), stdin=stdin, limit=_APPLY)

    def differs(self, source: str, *, stdin: str = "") -> bool:
        """Whether applying this would change something, or cannot be told.

        `kubectl diff` exits with 1 where there is a difference, above that where it could not look.
        """
        try:
            self.run("diff", *_on_the_server(source), stdin=stdin, limit=_APPLY)
        except CommandError:
            return True
        return False

    def get(self, kind: str, name: str = "", *, namespace: str = "", selector: str = "") -> dict[str, Any]:
        """Return an object, or a list of a kind: of a namespace, or of all where none is given.

        Raises CommandError where it is not there, or its kind is not known.
        """
        words = ["get", kind, *([name] if name else []), "--output", "json"]
        if selector:
            words += ["--selector", selector]
        if not namespace and not name:
            words.append("--all-namespaces")
        found: dict[str, Any] = json.loads(self.run(*words, namespace=namespace))
        return found

    def find(self, kind: str, name: str, *, namespace: str = "") -> dict[str, Any] | None:
        """Return an object, None where there is none, or its kind is not known."""
        try:
            return self.get(kind, name, namespace=namespace)
        except CommandError as error:
            if "NotFound" in error.output or "the server doesn't have a resource type" in error.output:
                return None
            raise

    def make_secret(
        self, name: str, content: Mapping[str, str], *, namespace: str, labels: Mapping[str, str]
    ) -> None:
        """Make a secret, one of basic-auth where it has a user's name. It goes by standard input: arguments
        show to everyone who looks."""
        document = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": name, "namespace": namespace, "labels": dict(labels)},
            "type": "kubernetes.io/basic-auth" if "username" in content else "Opaque",
            "stringData": dict(content),
        }
        self.run("create", "-f", "-", stdin=json.dumps(document))

    def wait(self, item: Wait, *, seconds: int) -> None:
        """Wait for what an object that is there must come to, up to `seconds`; raises CommandError there."""
        self.run(*item.words(seconds), namespace=item.namespace, limit=seconds + _QUICK)

    def exec_argv(self, target: str, *command: str, namespace: str, tty: bool = False) -> tuple[str, ...]:
        """Return the command that runs another in a pod (`deploy/NAME`, `pod/NAME`) with a pipe to it."""
        flags = ("--stdin", "--tty") if tty else ("--stdin",)
        return self._argv("exec", *flags, target, "--", *command, namespace=namespace)

    def feed(
        self,
        target: str,
        command: Sequence[str],
        write: Callable[[IO[bytes]], None],
        *,
        namespace: str,
        limit: float,
    ) -> str:
        """Run a command in a pod with what `write` writes as its standard input, and return what it said;
        raises CommandError."""
        return run_fed(self.exec_argv(target, *command, namespace=namespace), write, timeout=limit)

    @contextmanager
    def forwarded(self, target: str, port: int, *, namespace: str) -> Iterator[int]:
        """Open a port of this machine that leads to one of a Service or pod; it ends with the block."""
        argv = self._argv("port-forward", "--address=127.0.0.1", target, f":{port}", namespace=namespace)
        with subprocess.Popen(
            (*ENDS_WITH_US, *argv),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            env=plain_environment(),
        ) as process:
            try:
                yield _listening_port(process, target)
            finally:
                process.terminate()


def _listening_port(process: subprocess.Popen[str], target: str) -> int:
    """Return the port that kubectl chose; raises RookeryError where it does not come to listen."""
    assert process.stdout is not None
    timer = threading.Timer(_FORWARD, process.kill)
    timer.start()
    try:
        line = process.stdout.readline()
    finally:
        timer.cancel()
    found = re.search(r"127\.0\.0\.1:(\d+)", line)
    if found is None:
        assert process.stderr is not None
        process.kill()
        said = process.stderr.read().strip() or f"nothing within {_FORWARD:.0f} s"
        raise RookeryError(f"no way to {target}: {said}")
    return int(found[1])


def find_kubeconfig() -> Path | None:
    """Return the kubeconfig that kubectl itself would use on this machine, where there is one."""
    named = os.environ.get("KUBECONFIG", "")
    path = Path(named.partition(":")[0]) if named else Path.home() / ".kube" / "config"
    return path if path.is_file() else None


def _on_the_server(source: str) -> tuple[str, ...]:
    """Return the options by which the API server merges what is applied, as this program's."""
    option = "-k" if "?ref=" in source or Path(source).is_dir() else "-f"
    return ("--server-side", "--force-conflicts", f"--field-manager={_MANAGER}", option, source)
