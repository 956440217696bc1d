"""Where a served mirror answers, as servers are told: its URL, and whether it is the mirror meant."""

from __future__ import annotations

import hashlib
import ipaddress
from pathlib import Path
from urllib.parse import urlsplit

import httpx

from rookery.errors import InputError, RookeryError
from rookery.mirror.folder import INDEX

_LIMIT = 10.0  # seconds, for each step of asking


def parse_mirror_url(text: str) -> str:
    """Return the URL of a served mirror without a slash at its end; InputError where it is none.

    It has no path: registries are asked at the root of a host. One that leads each server to itself is
    refused, and so is an address that runtimes refuse as a part of an image's name.
    """
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    host = parts.hostname or ""
    extra = parts.path.strip("/") or parts.query or parts.fragment or "@" in parts.netloc
    if parts.scheme not in ("http", "https") or not host or extra or port == 0:
        raise InputError(
            f"{text} is no URL of a mirror",
            hint="Write http://ADDRESS:PORT, where `rookery mirror serve` answers: http://10.0.0.5:5080.",
        )
    if ":" in host:
        raise InputError(
            f"{text} has an IPv6 address, which names of images cannot have",
            hint="Write a name that leads there, which the servers know.",
        )
    if host == "localhost" or _is_loopback(host):
        raise InputError(
            f"{text} leads each server to itself",
            hint="Name an address of the machine that serves the mirror which all servers reach.",
        )
    return f"{parts.scheme}://{parts.netloc}"


def _is_loopback(host: str) -> bool:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    return address.is_loopback or address.is_unspecified


def require_served(url: str, folder: Path) -> None:
    """Ask a URL whether it serves the mirror in a folder, by its index.

    Raises RookeryError where nothing answers, InputError where something else does, or another mirror.
    """
    ours = (folder / INDEX).read_bytes()
    found = hashlib.sha256()
    try:
        # No proxy: the servers have none on the way to their neighbour.
        with (
            httpx.Client(timeout=_LIMIT, trust_env=False) as client,
            client.stream("GET", f"{url}/{INDEX}") as answer,
        ):
            status, size = answer.status_code, 0
            for chunk in answer.iter_raw():
                found.update(chunk)
                size += len(chunk)
                if size > len(ours):
                    break
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        raise RookeryError(
            f"no mirror answers at {url}: {error}",
            hint=f"Let `rookery mirror serve {folder}` run where servers reach it, as long as they do.",
        ) from None
    if status != httpx.codes.OK:
        raise InputError(
            f"{url} serves no mirror: it answered {status} to /{INDEX}",
            hint=f"`rookery mirror serve {folder}` serves one.",
        )
    if found.digest() != hashlib.sha256(ours).digest():
        raise InputError(
            f"{url} serves another mirror than {folder}: their indexes differ",
            hint="Name the folder that is served there, or a copy of it as it is now.",
        )
