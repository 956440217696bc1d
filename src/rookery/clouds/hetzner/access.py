"""Who one is to Hetzner: a token out of the environment, or out of the configuration of the `hcloud` command.

The token goes into a header of each request, and nowhere else: no text, no value that is shown, has it.
"""

from __future__ import annotations

import ipaddress
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rookery.clouds.cloud import TokenError
from rookery.clouds.hetzner.prices import HETZNER_API
from rookery.errors import InputError

_HOW = (
    "Hetzner Console, the project, Security, API tokens makes one (Read & Write). Set HCLOUD_TOKEN to it, or"
    " give it to `hcloud context create NAME`."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A token, and where the API answers. `source` says where the token is from."""

    token: str = field(repr=False)
    endpoint: str
    source: str


def find_access(environment: Mapping[str, str], home: Path) -> Access:
    """Return the access that the variables HCLOUD_TOKEN and HCLOUD_ENDPOINT give, else the active context of
    hcloud's configuration file.

    Raises TokenError where there is none, InputError where the token would go over a line that others read.
    """
    token, source = environment.get("HCLOUD_TOKEN", "").strip(), "HCLOUD_TOKEN"
    endpoint = environment.get("HCLOUD_ENDPOINT", "").strip()
    if not token:
        path = _configuration(environment, home)
        context = _context(path, environment.get("HCLOUD_CONTEXT", ""))
        token, source = str(context.get("token", "")), f"{path}, context {context.get('name', '')}"
        endpoint = endpoint or str(context.get("endpoint", ""))
    if not token.isascii() or not token.isprintable() or " " in token:
        raise TokenError(f"{source} holds characters that no token has", hint=_HOW)
    return Access(token=token, endpoint=_safe(endpoint.rstrip("/") or HETZNER_API), source=source)


def _configuration(environment: Mapping[str, str], home: Path) -> Path:
    if named := environment.get("HCLOUD_CONFIG", ""):
        return Path(named)
    base = environment.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else home / ".config") / "hcloud" / "cli.toml"


def _context(path: Path, named: str) -> Mapping[str, Any]:
    """Return a context of hcloud's configuration: that of a name, or the active one."""
    try:
        data = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise TokenError("HCLOUD_TOKEN is not set, and hcloud has no configuration", hint=_HOW) from None
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError):
        # What is wrong with it might be said with a line of it.
        raise TokenError(f"HCLOUD_TOKEN is not set, and {path} cannot be read", hint=_HOW) from None
    name = named or data.get("active_context", "")
    contexts = data.get("contexts", [])
    found = next((one for one in contexts if isinstance(one, dict) and one.get("name") == name), None)
    if found is None or not found.get("token"):
        raise TokenError(f"HCLOUD_TOKEN is not set, and {path} has no active context with one", hint=_HOW)
    return found


def _safe(endpoint: str) -> str:
    """Refuse an address to which a token would go in the clear over somebody's network."""
    parts = urlsplit(endpoint)
    if parts.scheme == "https" and parts.hostname:
        return endpoint
    if parts.scheme == "http" and _is_near(parts.hostname or ""):
        return endpoint
    raise InputError(
        f"HCLOUD_ENDPOINT is {endpoint}, where everybody on the way reads the token",
        hint="Use https; http only to this machine or within a private network.",
    )


def _is_near(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_private
    except ValueError:
        return host == "localhost"
