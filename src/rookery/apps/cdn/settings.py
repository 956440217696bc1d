"""What a spec can say about the CDN."""

from __future__ import annotations

import re
from typing import Self

from pydantic import ByteSize, Field, field_validator, model_validator

from rookery.spec.model import AppSettings, Folder, Size

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9-]*")  # what headers are called in practice
_VALUE = re.compile(r"[ -~]+")  # what a header may say (RFC 9110), less what is not ASCII
# Those that say how an answer is sent, or what of a file: the edges know.
_OURS = {
    *("accept-ranges", "age", "cache-control", "connection", "content-encoding", "content-length"),
    *("content-range", "content-type", "date", "etag", "expires", "keep-alive", "last-modified", "location"),
    *("server", "trailer", "transfer-encoding", "upgrade", "vary", "x-cache", "x-served-by"),
}


class CdnSettings(AppSettings):
    """A CDN that serves a static website from an RGW bucket through caching edges."""

    edges: int | None = Field(None, ge=1, le=999, description="Edges, one on each worker by default.")
    site: Folder | None = Field(
        None,
        description="Folder to publish, relative to the spec, served as it is; by default a site about the "
        "demo itself.",
    )
    headers: dict[str, str] = Field(
        {},
        description="Headers that come with every page of `site`, like `Content-Security-Policy: default-src "
        "'self'`; none by default.",
    )
    cache: Size = Field(ByteSize(256 * 1000**2), ge=10**6, description="Cache on each edge's disk.")

    def __hash__(self) -> int:
        """Return a hash, as every part of a design has one: that of a mapping's pairs."""
        return hash((self.edges, self.site, tuple(sorted(self.headers.items())), self.cache))

    @field_validator("headers")
    @classmethod
    def _are_headers(cls, headers: dict[str, str]) -> dict[str, str]:
        for name, value in headers.items():
            if not _NAME.fullmatch(name):
                raise ValueError(f"{name!r} is no header's name: letters, digits and dashes")
            if name.lower() in _OURS:
                raise ValueError(f"{name} is what the edges say themselves; leave it out")
            if not _VALUE.fullmatch(value) or "$" in value or value != value.strip():
                raise ValueError(f"{name}: {value!r} is no value here: printable ASCII without $")
        return headers

    @model_validator(mode="after")
    def _are_of_a_site(self) -> Self:
        if self.headers and self.site is None:
            raise ValueError("headers belong to a folder of your own: name it by site, or leave them out")
        return self
