"""HTTP as a client of the system does it: over TLS, trusting the system's own authority alone."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import httpx

from rookery.drivers.machine.waiting import awaited


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a server answered; `status` is 0 where there was no answer, and `error` says why."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    error: str = ""


class Browser:
    """A client that trusts one authority. It finds the hosts in `addresses` there, whatever DNS says."""

    def __init__(
        self, ca_file: str, addresses: Mapping[str, str] | None = None, *, limit: float = 10.0
    ) -> None:
        self._limit = limit  # seconds for each part of an answer
        self._addresses = dict(addresses or {})
        self._context = ssl.create_default_context(cafile=ca_file)
        self._client = self._new_client()
        # One for each name: several may lead to one address, and a connection that was made for one name
        # would be used for another, which whoever goes by names (SNI) has long decided.
        self._named = {name: self._new_client() for name in self._addresses}

    def _new_client(self) -> httpx.Client:
        return httpx.Client(
            verify=self._context, timeout=self._limit, follow_redirects=False, trust_env=False
        )

    def get(self, url: str, *, headers: Mapping[str, str] | None = None, method: str = "GET") -> Answer:
        """Ask for `url`; a refused or broken connection is an answer with status 0."""
        return self.send(method, url, headers=headers)

    def send(
        self, method: str, url: str, *, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        """Send a request with a body; failures are answers, as with `get`."""
        sent, told = dict(headers or {}), {}
        target = httpx.URL(url)
        client = self._named.get(target.host, self._client)
        if target.host in self._addresses:
            # The name goes into the request and into TLS, which checks the certificate against it.
            sent["Host"], told = target.netloc.decode(), {"sni_hostname": target.host}
            target = target.copy_with(host=self._addresses[target.host])
        try:
            with awaited(f"an answer of {url}"):
                response = client.request(method, target, headers=sent, content=body or None, extensions=told)
        except httpx.HTTPError as error:
            return Answer(status=0, headers={}, body=b"", error=f"{type(error).__name__}: {error}")
        return Answer(status=response.status_code, headers=response.headers, body=response.content)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        for client in (self._client, *self._named.values()):
            client.close()
