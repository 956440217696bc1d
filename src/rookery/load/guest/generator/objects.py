"""Objects: put, read and deleted at a rate, in a bucket that never holds more than its budget."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import hashlib
import io
import os
import random
import ssl
import time
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote, urlsplit
from xml.etree import ElementTree as ET

import aiohttp
from yarl import URL

from .ending import EndedError, Ending
from .meters import Meter
from .schedule import Arrivals
from .sigv4 import Keys, encoded_query, signed_headers
from .slots import LARGEST, SMALLEST, Shelf, Slot
from .web import FAILURES, describe

KINDS = ("puts", "gets", "deletes")
_WEIGHTS = (4, 4, 2)  # fills the budget, then turns over within it
_LIMITS = aiohttp.ClientTimeout(total=30, sock_connect=3, sock_read=15)
_CONNECTIONS = 24
_NAMESPACE = "{http://s3.amazonaws.com/doc/2006-03-01/}"


class RefusedError(Exception):
    """The gateway answered, and said no."""


class Bucket:
    """One bucket of an S3 service, over connections of its own."""

    def __init__(self, url: str, name: str, keys: Keys, *, context: ssl.SSLContext | None) -> None:
        self._url = url
        self._path = f"/{name}"
        self._keys = keys
        connector = aiohttp.TCPConnector(limit=_CONNECTIONS, ssl=context or False)
        # A type that is sent has to be signed; gateways of Ceph 20 refuse a put where it is not.
        self._session = aiohttp.ClientSession(
            connector=connector, timeout=_LIMITS, skip_auto_headers=("Content-Type",)
        )

    async def make(self) -> None:
        with contextlib.suppress(RefusedError):
            await self.send("PUT", "")
        await self.send("GET", "", query={"max-keys": "1", "list-type": "2"})

    async def clear(self) -> int:
        """Delete every object; return how many there were."""
        gone = 0
        while True:
            _, body = await self.send("GET", "", query={"list-type": "2", "max-keys": "500"})
            listed = ET.fromstring(body)  # noqa: S314 - what our own gateways answer, over verified TLS
            keys = [key.text or "" for key in listed.iter(f"{_NAMESPACE}Key")]
            if not keys:
                return gone
            await self._delete(keys)
            gone += len(keys)

    async def _delete(self, keys: list[str]) -> None:
        items = "".join(f"<Object><Key>{key}</Key></Object>" for key in keys)
        body = f"<Delete><Quiet>true</Quiet>{items}</Delete>".encode()
        digest = hashlib.md5(body, usedforsecurity=False).digest()
        await self.send(
            "POST",
            "",
            query={"delete": ""},
            body=body,
            more={"Content-MD5": base64.b64encode(digest).decode()},
        )

    async def send(
        self,
        method: str,
        key: str,
        *,
        query: Mapping[str, str] | None = None,
        body: bytes | memoryview = b"",
        more: Mapping[str, str] | None = None,
    ) -> tuple[Mapping[str, str], bytes]:
        """Send a signed request; return the answer's headers and body. Raises RefusedError."""
        path = self._path + (f"/{quote(key, safe='/-_.~')}" if key else "")
        at = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        host = urlsplit(self._url).netloc
        headers = signed_headers(self._keys, method=method, host=host, path=path, query=query or {}, at=at)
        url = f"{self._url}{path}" + (f"?{encoded_query(query)}" if query else "")
        data = io.BytesIO(body) if body else None
        sent = {**headers, **(more or {})}
        async with self._session.request(method, URL(url, encoded=True), headers=sent, data=data) as answer:
            content = await answer.read()
            if answer.status >= 300:
                raise RefusedError(f"HTTP {answer.status}{_code(content)}")
            return answer.headers, content

    async def close(self) -> None:
        await self._session.close()


def _code(content: bytes) -> str:
    """Return the reason that S3 gives in its answer, such as ` SlowDown`."""
    try:
        found = ET.fromstring(content).findtext("Code")  # noqa: S314 - see above
    except ET.ParseError:
        return ""
    return f" {found}" if found else ""


class Objects:
    """The workload. `settings` are the job's `objects`; while `hold` is set, nothing is put."""

    def __init__(
        self,
        settings: Mapping[str, Any],
        keys: Keys,
        meters: Mapping[str, Meter],
        ending: Ending,
        *,
        context: ssl.SSLContext | None,
    ) -> None:
        self.shelf = Shelf(int(settings["budget"]))
        self.hold = False
        self._bucket = Bucket(settings["url"], settings["bucket"], keys, context=context)
        self._meters = meters
        self._ending = ending
        self._chance = random.Random()  # noqa: S311 - chance, no secret
        self._content = memoryview(os.urandom(LARGEST + 2 * SMALLEST))
        self._made = False
        self._returned = asyncio.Event()
        self._arrivals = Arrivals(
            rate=float(settings["rate"]),
            work=self._operate,
            missed=meters["puts"].failed,
            ending=ending.event,
            at_once=max(50, int(settings["rate"] * 30)),
        )

    async def run(self) -> None:
        """Make the bucket as soon as that can be done, empty it, then work at the rate until the end."""
        with contextlib.suppress(EndedError):
            while not self._made:
                try:
                    await self._bucket.make()
                    await self._bucket.clear()
                    self._made = True
                except (*FAILURES, RefusedError, ET.ParseError) as error:
                    self._meters["puts"].failed(_words(error))
                    await self._ending.pause(1)
            await self._arrivals.run()

    async def drain(self, limit: float) -> None:
        await self._arrivals.drain(limit)

    async def finish(self) -> str:
        """Remove the objects unless they are kept; return why some are left, empty where none is."""
        try:
            if self._ending.keep:
                return ""
            await self._bucket.clear()
            self.shelf.clear()
        except (*FAILURES, RefusedError, ET.ParseError) as error:
            return f"the objects are still in the bucket: {_words(error)}"
        else:
            return ""
        finally:
            await self._bucket.close()

    async def _operate(self, due: float) -> None:
        chosen = self._choose()
        while chosen is None:
            if self.hold:
                return
            # Every slot is in use: as with connections, who comes waits, and the wait counts.
            self._returned.clear()
            await self._returned.wait()
            chosen = self._choose()
        kind, slot = chosen
        work = {"puts": self._put, "gets": self._get, "deletes": self._delete}[kind]
        filled = True
        try:
            began = time.monotonic()
            filled = await work(slot)
            size = 0 if kind == "deletes" else slot.size
            self._meters[kind].done(due=due, began=began, size=size)
        except asyncio.CancelledError:
            self._meters[kind].failed("given up at the end of the run")
            raise
        except (*FAILURES, RefusedError) as error:
            self._meters[kind].failed(_words(error))
        finally:
            self.shelf.put_back(slot, filled=filled)
            self._returned.set()

    def _choose(self) -> tuple[str, Slot] | None:
        """Choose what to do, and take the slot for it; what cannot be read or deleted yet is put."""
        kind = self._chance.choices(KINDS, _WEIGHTS)[0]
        slot = None if kind == "puts" else self.shelf.take_filled(self._chance)
        if slot is None and not self.hold:
            kind, slot = "puts", self.shelf.take_to_put(self._chance)
        return None if slot is None else (kind, slot)

    async def _put(self, slot: Slot) -> bool:
        slot.etag = ""  # until it is acknowledged, nobody knows which content is there
        offset = self._chance.randrange(SMALLEST)
        headers, _ = await self._bucket.send("PUT", slot.key, body=self._content[offset : offset + slot.size])
        slot.etag = headers.get("ETag", "")
        return True

    async def _get(self, slot: Slot) -> bool:
        try:
            headers, body = await self._bucket.send("GET", slot.key)
        except RefusedError as error:
            # A put without an answer may not have been done.
            if slot.etag or not str(error).startswith("HTTP 404"):
                raise
            return False
        if len(body) != slot.size or (slot.etag and headers.get("ETag") != slot.etag):
            raise RefusedError("another content than was put")
        return True

    async def _delete(self, slot: Slot) -> bool:
        await self._bucket.send("DELETE", slot.key)
        return False


def _words(error: BaseException) -> str:
    return str(error) if isinstance(error, RefusedError) else describe(error)
