"""HTTP as a viewer's browser does it: connections of its own, limits on every wait, and errors counted."""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Mapping
from typing import Any

import aiohttp

from .ending import EndedError, Ending
from .meters import Meter

_LIMITS = aiohttp.ClientTimeout(total=20, sock_connect=3, sock_read=8)
FAILURES = (aiohttp.ClientError, OSError, TimeoutError, ValueError)


def tls_context(ca_file: str) -> ssl.SSLContext:
    """Return a context that trusts one authority."""
    return ssl.create_default_context(cafile=ca_file)


def describe(error: BaseException) -> str:
    """Return a failure in words that are the same for the same failure, so that they can be counted."""
    if isinstance(error, TimeoutError):
        return "no answer in time"
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return "the certificate is not accepted"
    if isinstance(error, aiohttp.ClientConnectorError):
        return f"cannot connect: {error.os_error.strerror or type(error.os_error).__name__}"
    if isinstance(error, aiohttp.ServerDisconnectedError | ConnectionResetError):
        return "the connection was closed"
    if isinstance(error, aiohttp.ClientPayloadError):
        return "the answer broke off"
    first = next(iter(str(error).splitlines()), "")
    return f"{type(error).__name__}: {first[:100]}".rstrip(": ")


class Browser:
    """One viewer's connections."""

    def __init__(self, context: ssl.SSLContext | None, ending: Ending) -> None:
        self._ending = ending
        connector = aiohttp.TCPConnector(limit=2, ssl=context or False)
        self._session = aiohttp.ClientSession(connector=connector, timeout=_LIMITS)

    async def get(self, meter: Meter, url: str, *, due: float | None = None) -> bytes | None:
        """Return what is at `url`, None for a failure, which `meter` has counted then."""
        return await self._send(meter, "GET", url, due=due)

    async def skim(self, meter: Meter, url: str, *, due: float | None = None) -> bool:
        """Receive what is at `url` without keeping it; tell whether all of it came."""
        return await self._send(meter, "GET", url, due=due, keep=False) is not None

    async def post(self, meter: Meter, url: str, data: Mapping[str, Any]) -> bool:
        return await self._send(meter, "POST", url, json=data) is not None

    async def close(self) -> None:
        await self._session.close()

    async def _send(
        self,
        meter: Meter,
        method: str,
        url: str,
        *,
        due: float | None = None,
        keep: bool = True,
        json: Mapping[str, Any] | None = None,
    ) -> bytes | None:
        if self._ending.event.is_set():
            raise EndedError
        began = time.monotonic()
        size, parts = 0, []
        try:
            async with self._session.request(method, url, json=json) as answer:
                async for part in answer.content.iter_any():
                    size += len(part)
                    if keep:
                        parts.append(part)
                if answer.status not in (200, 201):
                    meter.failed(f"HTTP {answer.status}")
                    return None
        except FAILURES as error:
            meter.failed(describe(error))
            return None
        meter.done(due=began if due is None else due, began=began, size=size)
        return b"".join(parts)


async def settle(tasks: set[asyncio.Task[None]], limit: float) -> None:
    """Wait up to `limit` seconds for tasks that end by themselves, then end those that did not."""
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=limit)
    for task in late:
        task.cancel()
    if late:
        await asyncio.wait(late, timeout=1)
