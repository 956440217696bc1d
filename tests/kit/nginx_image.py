"""A real nginx for tests: that of the servers' image, which is the same as in our container image."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.kit.loopback import write_certificate
from tests.kit.servers_image import MISSING, entering

# Lays files over the image's, then becomes the command.
_LAID = 'cp -a /srv/laid/. / && exec "$@"'


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where nginx runs: the path of its configuration, the folder of tls.crt, tls.key and ca.crt, the folders
    that it may write to, and the number of its user, who is not root."""

    path: str
    tls: str
    writable: list[str]
    user: int


def check_configuration(folder: Path, text: str, place: Place, *, names: set[str]) -> str:
    """Return what `nginx -t` says of a configuration, empty where it finds nothing wrong.

    `names` are the hosts that it must find. Skips the test where there is no image of the servers, or nobody
    who may use it.
    """
    inside = entering(folder)
    if not inside:
        pytest.skip(f"there is no nginx: {MISSING}")
    for part in ("laid", "made"):
        (folder / part).mkdir()
    _lay(folder, text, place, names)
    ids = (f"--reuid={place.user}", f"--regid={place.user}", "--clear-groups")
    with (folder / "said").open("w") as said:
        # What it writes to is its user's, as a container's output is.
        os.fchown(said.fileno(), place.user, place.user)
        done = subprocess.run(
            ("unshare", "--net", *inside, "sh", "-c", _LAID, "sh", "setpriv", *ids,
             "/usr/sbin/nginx", "-t", "-q", "-e", "stderr", "-c", place.path),
            stdout=said, stderr=said, timeout=60, check=False,
        )  # fmt: skip
    text = (folder / "said").read_text()
    return text or ("" if done.returncode == 0 else f"exit status {done.returncode}")


@contextlib.contextmanager
def running_nginx(folder: Path, text: str, place: Place, *, port: int) -> Iterator[Path]:
    """Run nginx by a configuration until the test ends; it listens on this machine's loopback at `port`.

    Yields the file that has the certificate of who vouches for it. It runs as root, for it drops no rights.
    """
    inside = entering(folder)
    if not inside:
        pytest.skip(f"there is no nginx: {MISSING}")
    for part in ("laid", "made"):
        (folder / part).mkdir(exist_ok=True)
    _lay(folder, text, place, set())
    with (folder / "said").open("wb") as said:
        process = subprocess.Popen(
            (*inside, "sh", "-c", _LAID, "sh", "/usr/sbin/nginx", "-e", "stderr", "-c", place.path,
             "-g", "daemon off;"),
            stdout=said, stderr=said, start_new_session=True,
        )  # fmt: skip
    try:
        _await(port, process, folder / "said")
        yield folder / "made" / "ca.crt"
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(timeout=20)


def _await(port: int, process: subprocess.Popen[bytes], said: Path) -> None:
    for _ in range(200):
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return
        assert process.poll() is None, said.read_text()
        time.sleep(0.05)
    raise AssertionError(f"nginx does not listen: {said.read_text()}")


def _lay(folder: Path, text: str, place: Place, names: set[str]) -> None:
    write_certificate(folder / "made")
    certificates = {"ca.crt": "ca.crt", "tls.crt": "server.crt", "tls.key": "server.key"}
    files = {
        place.path: text,
        "/etc/hosts": "".join(f"127.0.0.1 {name}\n" for name in sorted(names)),
        **{f"{place.tls}/{name}": (folder / "made" / one).read_text() for name, one in certificates.items()},
    }
    for name, content in files.items():
        file = folder / "laid" / name.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content)
    for name in place.writable:
        path = folder / "laid" / name.lstrip("/")
        path.mkdir(parents=True, exist_ok=True)
        os.chown(path, place.user, place.user)
