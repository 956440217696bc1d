"""HTTP as a client of the system does it: over TLS, trusting the system's own authority alone."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import httpx


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered; `status` is 0 where there was no answer, and `error` says why."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    error: str = ""


class Browser:
    """A client that trusts one authority."""

    def __init__(self, ca_file: str) -> None:
        context = ssl.create_default_context(cafile=ca_file)
        self._client = httpx.Client(verify=context, timeout=10, follow_redirects=False, trust_env=False)

    def get(self, url: str, *, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        """Ask for `url`; a refused or broken connection is an answer with status 0."""
        return self.send(method, url, headers=headers)

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send a request with a body; failures are answers, as with `get`."""
        try:
            response = self._client.request(method, url, headers=dict(headers or {}), content=body or None)
        except httpx.HTTPError as error:
            return Answer(status=0, headers={}, body=b"", error=f"{type(error).__name__}: {error}")
        return Answer(status=response.status_code, headers=response.headers, body=response.content)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self._client.close()
