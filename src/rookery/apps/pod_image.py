"""What our container image holds: one image for all pods of ours, Debian's packages and our programs.

It is made by `rookery image` and named by a hash of everything that goes into it: what a manifest names is
what was built from the same version of this program, and a node that has it never asks for it again.
"""

from __future__ import annotations

import hashlib
import re
from functools import cache
from importlib.resources import files

from rookery.apps.app import App
from rookery.apps.ground.pods import LOAD, PUBLISHER
from rookery.apps.table import APPS
from rookery.files import File, packaged
from rookery.versions import DEBIAN

NAME = "localhost/rookery/apps"
RECIPE = 1  # raise it when the build changes what comes out

# A name that container runtimes take, with a tag or a digest: without one it means another image each day.
_PART = r"[a-z0-9]+(?:(?:[._]|__|-+)[a-z0-9]+)*"
_REGISTRY = r"[A-Za-z0-9](?:[A-Za-z0-9.-]*[A-Za-z0-9])?(?::[0-9]+)?"
_LONGEST = 255  # characters
_TAG, _DIGEST = r":\w[\w.-]{0,127}", r"@sha256:[0-9a-f]{64}"
_REFERENCE = re.compile(
    rf"(?:{_REGISTRY}/)?{_PART}(?:/{_PART})*(?:{_TAG}(?:{_DIGEST})?|{_DIGEST})", flags=re.ASCII
)

# What our programs need of the system itself. nginx-light comes with the edges, ffmpeg with streaming.
_PACKAGES = ("ca-certificates", "python3", "python3-aiohttp", "python3-boto3")


def image_packages() -> tuple[str, ...]:
    """Return the Debian packages of the image, sorted."""
    return tuple(sorted({*_PACKAGES, *(package for app in APPS.values() for package in _packages(app))}))


def _packages(app: App) -> tuple[str, ...]:
    """Return which of an application's packages the image holds."""
    if not _files(app):
        return ()
    chosen = app.in_pods.image_packages if app.in_pods is not None else None
    return app.packages if chosen is None else chosen


def _files(app: App) -> tuple[File, ...]:
    """Return what the image holds of an application."""
    if app.in_pods is None or app.in_pods.image_files is None:
        return ()
    return app.in_pods.image_files()


def image_files() -> tuple[File, ...]:
    """Return the files of ours in the image, sorted by path."""
    publisher = PUBLISHER.strip("/").rpartition("/")[0]
    found = [
        *packaged(files("rookery.apps"), publisher, names=("serving.py",)),
        *packaged(files("rookery.apps") / "guest", publisher),
        *packaged(files("rookery") / "load/guest/generator", f"{LOAD.strip('/')}/generator"),
        *(file for app in APPS.values() for file in _files(app)),
    ]
    return tuple(sorted(found, key=lambda file: file.path))


@cache
def image_digest() -> str:
    """Return the hash over all that goes into the image, 12 hexadecimal digits."""
    digest = hashlib.sha256(f"{RECIPE} {DEBIAN} {' '.join(image_packages())}".encode())
    for file in image_files():
        digest.update(f"\0{file.path} {file.mode:o}\0".encode() + file.content)
    return digest.hexdigest()[:12]


def image_reference() -> str:
    """Return what pods name the image by: `localhost/rookery/apps:0123456789ab`."""
    return f"{NAME}:{image_digest()}"


def is_reference(name: str) -> bool:
    """Tell whether a container runtime takes this as the name of one version of an image."""
    return len(name) <= _LONGEST and _REFERENCE.fullmatch(name) is not None
