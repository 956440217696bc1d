"""Who one is to Google: Application Default Credentials, or an access token, and the project that is meant.

Neither a token nor what a key file holds is ever in a text, or in a value that is shown.
"""

from __future__ import annotations

import ipaddress
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rookery.clouds.cloud import TokenError
from rookery.errors import InputError, MissingLibraryError

GOOGLE_API = "https://compute.googleapis.com"
PROJECT_API = "https://cloudresourcemanager.googleapis.com"
_SCOPE = "https://www.googleapis.com/auth/cloud-platform"
_PROJECTS = ("GOOGLE_CLOUD_PROJECT", "CLOUDSDK_CORE_PROJECT", "GCP_PROJECT")
_ENDPOINT = "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE"
_FILE, _TOKEN = "GOOGLE_APPLICATION_CREDENTIALS", "GOOGLE_OAUTH_ACCESS_TOKEN"
_HOW = (
    "`gcloud auth application-default login` makes credentials, or GOOGLE_APPLICATION_CREDENTIALS names the"
    " key file of a service account, or GOOGLE_OAUTH_ACCESS_TOKEN holds a token (`gcloud auth"
    " print-access-token`)."
    " On a machine of Google's with rights of its own, GOOGLE_CLOUD_PROJECT is enough."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """Credentials of google-auth's, the project, a zone where one is asked for, and where the APIs answer."""

    credentials: Any = field(repr=False)
    project: str
    zone: str = ""
    endpoint: str = GOOGLE_API
    project_endpoint: str = PROJECT_API


def find_access(environment: Mapping[str, str], home: Path, place: str) -> Access:
    """Return the access that the environment gives, for a region.

    Where nothing speaks of Google nothing is looked for: Google's library would ask the network for a while.

    Raises TokenError where there is none, InputError where it is contradicted or a token would be read by
    others, MissingLibraryError where nobody here has used Google yet.
    """
    if not _is_spoken_of(environment, home):
        raise TokenError("there are no credentials for Google", hint=_HOW)
    _require_library()
    endpoint = _safe(environment.get(_ENDPOINT, "").strip())
    credentials, own = _credentials(environment)
    project = next((environment[name] for name in _PROJECTS if environment.get(name)), own)
    if not project:
        raise InputError(
            "no project at Google is named, and the credentials name none",
            hint="Set GOOGLE_CLOUD_PROJECT to its id; `gcloud projects list` shows them.",
        )
    zone = environment.get("CLOUDSDK_COMPUTE_ZONE", "").strip()
    if zone and zone.rpartition("-")[0] != place:
        raise InputError(
            f"CLOUDSDK_COMPUTE_ZONE is {zone}, which is not in {place}",
            hint=f"Name a zone of {place} ({place}-a), or none: then one is chosen.",
        )
    own_apis = {"endpoint": endpoint, "project_endpoint": endpoint} if endpoint else {}
    return Access(credentials=credentials, project=project, zone=zone, **own_apis)


def _is_spoken_of(environment: Mapping[str, str], home: Path) -> bool:
    folder = environment.get("CLOUDSDK_CONFIG", "")
    own = (Path(folder) if folder else home / ".config/gcloud") / "application_default_credentials.json"
    return any(environment.get(name) for name in (_FILE, _TOKEN, *_PROJECTS)) or own.is_file()


def _require_library() -> None:
    try:
        found = find_spec("google.cloud.compute_v1")
    except ModuleNotFoundError:
        found = None
    if found is None:
        raise MissingLibraryError("Google's library for Compute Engine is not installed", extra="gcp")


def _credentials(environment: Mapping[str, str]) -> tuple[Any, str]:
    """Return the credentials, and the project that they are of, empty where they do not say."""
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError
    from google.oauth2.credentials import Credentials

    if token := environment.get(_TOKEN, "").strip():
        if not token.isascii() or not token.isprintable() or " " in token:
            raise TokenError(f"{_TOKEN} holds characters that no token has", hint=_HOW)
        return Credentials(token), ""
    try:
        with warnings.catch_warnings():
            # A person's credentials do as well: the warning is about quotas of services that share them.
            warnings.simplefilter("ignore")
            credentials, project = google.auth.default(scopes=[_SCOPE])
    except DefaultCredentialsError:
        # Its text may quote the file that it could not read.
        raise TokenError("there are no credentials for Google that can be used", hint=_HOW) from None
    return credentials, project or ""


def _safe(endpoint: str) -> str:
    """Return the address of an API without the path of its version; one is refused to which a token would go
    in the clear over somebody's network."""
    if not endpoint:
        return ""
    parts = urlsplit(endpoint)
    near = parts.scheme == "http" and _is_here(parts.hostname or "")
    if not parts.hostname or not (near or parts.scheme == "https"):
        raise InputError(
            f"{_ENDPOINT} is {endpoint}, where everybody on the way reads the token",
            hint="Use https; http only to this machine.",
        )
    return f"{parts.scheme}://{parts.netloc}"


def _is_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
