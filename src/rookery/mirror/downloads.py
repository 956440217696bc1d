"""Files over HTTP: bounded in retries and in time, gone on with where they broke off, checked by digest.

A file is complete or absent: it grows under another name beside its place, and is renamed when its digest is
right. What is half there is kept, and asked for from its end the next time.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urlsplit

import httpx

from rookery.drivers.machine.files import write_whole
from rookery.errors import NotPossibleError, RookeryError, WaitError

_CHUNK = 256 * 1024
# Content as it is: what a digest is of is not what a proxy packed.
_PLAIN = {"Accept-Encoding": "identity", "User-Agent": "rookery"}
_SHA256 = re.compile(r"\b[0-9a-f]{64}\b")
# Answers below 500 after which asking again makes sense.
_PASSING = (
    HTTPStatus.TOO_MANY_REQUESTS,
    HTTPStatus.REQUEST_TIMEOUT,
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
)
_REACH = "Is the internet reachable from here? HTTPS_PROXY names a proxy."
_LATER = "Run it again later; what has arrived is kept."

T = TypeVar("T")
Arrived = Callable[[int], None]
"""Told of bytes as they arrive; of a negative number where they were thrown away."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Patience:
    """How long a download may take, all in seconds.

    `pauses` lie between one attempt and the next: there is one attempt more than pauses. `connect` and
    `silence` end an attempt, `whole` ends the download of one file.
    """

    pauses: tuple[float, ...] = (1, 4, 10)
    connect: float = 10
    silence: float = 60
    whole: float = 7200


@dataclass(frozen=True, slots=True, kw_only=True)
class Digest:
    """What a file is known by: its SHA-256 in hexadecimal, and its length in bytes."""

    sha256: str
    size: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """A small answer: its content, and the content type that the server gave it."""

    content: bytes
    media_type: str


class _Passing(Exception):  # noqa: N818 - no error of the program: another attempt may succeed
    """A failure that may pass.

    `retry_after` is how long the server asks to wait, in seconds; `too_far` says that less is there than what
    was asked to be gone on with; `unreachable` that nothing else of this host need be tried.
    """

    def __init__(
        self,
        failure: RookeryError,
        *,
        retry_after: float = 0,
        too_far: bool = False,
        unreachable: bool = False,
    ) -> None:
        super().__init__(failure.what)
        self.unreachable = unreachable
        self.failure = failure
        self.retry_after = retry_after
        self.too_far = too_far


class Web:
    """A client for downloads.

    `through` is the URL of a cache that is asked for HOST/PATH instead of HOST itself.
    """

    def __init__(self, *, patience: Patience | None = None, through: str = "") -> None:
        self.patience = patience or Patience()
        self._unreachable: dict[str, RookeryError] = {}
        timeout = httpx.Timeout(self.patience.silence, connect=self.patience.connect)
        self._client = httpx.Client(
            timeout=timeout,
            follow_redirects=True,
            max_redirects=10,
            headers=_PLAIN,
            transport=_Through(through) if through else None,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._client.close()

    def read(
        self, url: str, *, most: int = 64 * 1024**2, accept: str = "", auth: httpx.Auth | None = None
    ) -> Fetched:
        """Return what is at `url`, which is refused where it is larger than `most` bytes."""
        headers = {"Accept": accept} if accept else {}

        def attempt() -> Fetched:
            content = bytearray()
            with self.answer(url, headers, auth) as answer:
                for chunk in answer.iter_raw():
                    content += chunk
                    if len(content) > most:
                        raise RookeryError(
                            f"{url} is larger than {most} bytes", hint="It is not what it should be."
                        )
                return Fetched(content=bytes(content), media_type=answer.headers.get("Content-Type", ""))

        return self._attempts(url, attempt)

    def save(
        self,
        url: str,
        path: Path,
        *,
        sha256: str = "",
        auth: httpx.Auth | None = None,
        arrived: Arrived = lambda _: None,
    ) -> Digest:
        """Bring what is at `url` to `path`, and return what it is known by.

        Where `sha256` is known, what is there already is not fetched, an earlier attempt is gone on with, and
        anything else is thrown away.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        if sha256 and path.is_file() and (there := digest_of(path)).sha256 == sha256:
            arrived(there.size)
            return there
        deadline = time.monotonic() + self.patience.whole

        def attempt() -> Digest:
            download = _Download(self, url, path, sha256, deadline)
            try:
                return download.run(auth, arrived)
            except BaseException as error:
                arrived(-download.arrived)
                if isinstance(error, _Passing) and error.too_far:
                    download.forget()
                raise

        return self._attempts(url, attempt)

    def _attempts(self, url: str, attempt: Callable[[], T]) -> T:
        count, host = len(self.patience.pauses) + 1, urlsplit(url).netloc
        for pause in (*self.patience.pauses, None):
            if host in self._unreachable:
                raise self._unreachable[host]
            try:
                return attempt()
            except _Passing as passing:
                failure, wanted = passing.failure, passing.retry_after
                unreachable = passing.unreachable
            if pause is None:
                failure.what = f"{failure.what}; tried {count} times" if count > 1 else failure.what
                if unreachable:
                    self._unreachable[host] = failure
                raise failure
            time.sleep(min(max(pause, wanted), self.patience.silence))
        raise AssertionError(url)

    @contextlib.contextmanager
    def answer(self, url: str, headers: dict[str, str], auth: httpx.Auth | None) -> Iterator[httpx.Response]:
        """Ask once, and give the answer where it is a good one; its content is still to be read."""
        host = urlsplit(url).netloc
        try:
            with self._client.stream("GET", url, headers=headers, auth=auth) as answer:
                _refuse(url, answer)
                yield answer
        except httpx.TimeoutException as error:
            limit = (
                self.patience.connect if isinstance(error, httpx.ConnectTimeout) else self.patience.silence
            )
            raise _Passing(
                WaitError(f"waited {limit:g} s for {host} to send {url}, in vain", hint=_REACH),
                unreachable=isinstance(error, httpx.ConnectTimeout),
            ) from None
        except httpx.TooManyRedirects:
            raise RookeryError(
                f"{url} leads from one address to the next without an end", hint=_LATER
            ) from None
        except httpx.TransportError as error:
            happened = "broke off" if _was_connected(error) else "cannot be reached for"
            raise _Passing(
                RookeryError(f"{host} {happened} {url}: {_reason(error)}", hint=_REACH),
                unreachable=isinstance(error, httpx.ConnectError),
            ) from None
        except (httpx.InvalidURL, httpx.HTTPError) as error:
            raise RookeryError(f"{url} cannot be asked for: {error}") from None


class _Download:
    """One attempt at one file."""

    def __init__(self, web: Web, url: str, path: Path, sha256: str, deadline: float) -> None:
        self._web = web
        self._url = url
        self._path = path
        self._part = path.with_name(f".{path.name}.part")
        self._sha256 = sha256
        self._deadline = deadline
        self.arrived = 0

    def run(self, auth: httpx.Auth | None, arrived: Arrived) -> Digest:
        digest = hashlib.sha256()
        there = self._begun(digest)
        if digest.hexdigest() == self._sha256:
            self._count(there, arrived)
        else:
            headers = {"Range": f"bytes={there}-"} if there else {}
            with self._web.answer(self._url, headers, auth) as answer:
                if there and not _goes_on(answer, there):
                    there, digest = 0, hashlib.sha256()
                self._count(there, arrived)
                self._write(answer, there, digest, arrived)
        return self._finish(digest.hexdigest(), resumed=there > 0)

    def forget(self) -> None:
        """Throw away what is there from earlier attempts."""
        self._part.unlink(missing_ok=True)

    def _begun(self, digest: hashlib._Hash) -> int:
        """Return how much is there from an earlier attempt, and take it into the digest."""
        if not self._sha256 or not self._part.exists():
            return 0
        with self._part.open("rb") as file:
            while chunk := file.read(_CHUNK):
                digest.update(chunk)
            return file.tell()

    def _write(self, answer: httpx.Response, there: int, digest: hashlib._Hash, arrived: Arrived) -> None:
        with self._part.open("ab" if there else "wb") as file:
            for chunk in answer.iter_raw():
                file.write(chunk)
                file.flush()  # what has arrived is there, whatever ends this
                digest.update(chunk)
                self._count(len(chunk), arrived)
                if time.monotonic() > self._deadline:
                    raise WaitError(
                        f"{self._url} had not arrived after {self._web.patience.whole:g} s",
                        details=(f"seen last: {file.tell()} bytes",),
                        hint="Run it again to go on from there.",
                    )

    def _count(self, size: int, arrived: Arrived) -> None:
        self.arrived += size
        arrived(size)

    def _finish(self, found: str, *, resumed: bool) -> Digest:
        if self._sha256 and found != self._sha256:
            self.forget()
            failure = RookeryError(
                f"{self._url} is not what was announced",
                details=(f"expected sha256:{self._sha256}", f"received sha256:{found}"),
                hint="What arrived was thrown away. A proxy may change files on the way, or it was replaced"
                " where it is published.",
            )
            # What was there before may be what was wrong.
            raise _Passing(failure) if resumed else failure
        size = self._part.stat().st_size
        self._part.replace(self._path)
        return Digest(sha256=found, size=size)


class _Through(httpx.BaseTransport):
    """Asks one cache for everything: `https://HOST/PATH` is there `CACHE/HOST/PATH`."""

    def __init__(self, cache: str) -> None:
        self._cache = httpx.URL(cache.rstrip("/"))
        self._inner = httpx.HTTPTransport()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.host != self._cache.host or request.url.port != self._cache.port:
            host = request.url.netloc.decode()
            prefix = self._cache.raw_path.rstrip(b"/") + f"/{host}".encode()
            url = self._cache.copy_with(raw_path=prefix + request.url.raw_path)
            request.headers["Host"] = url.netloc.decode()
            request = httpx.Request(
                request.method,
                url,
                headers=request.headers,
                stream=request.stream,
                extensions=request.extensions,
            )
        return self._inner.handle_request(request)

    def close(self) -> None:
        self._inner.close()


def digest_of(path: Path) -> Digest:
    """Return what a file is known by."""
    with path.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
        return Digest(sha256=found, size=file.tell())


def write_content(path: Path, content: bytes, *, mode: int = 0o644) -> Digest:
    """Write a file whole, and return what it is known by."""
    write_whole(path, content, mode=mode)
    return Digest(sha256=hashlib.sha256(content).hexdigest(), size=len(content))


def published_digest(web: Web, url: str) -> str:
    """Return the SHA-256 that a publisher's checksum file has: the first in it."""
    text = web.read(url, most=64 * 1024).content.decode(errors="replace")
    found = _SHA256.search(text)
    if found is None:
        raise RookeryError(f"{url} has no SHA-256 in it", hint=_LATER)
    return found.group()


def _goes_on(answer: httpx.Response, there: int) -> bool:
    return answer.status_code == HTTPStatus.PARTIAL_CONTENT and answer.headers.get(
        "Content-Range", ""
    ).startswith(f"bytes {there}-")


def _refuse(url: str, answer: httpx.Response) -> None:
    status = answer.status_code
    if status in (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT):
        return
    host = urlsplit(url).netloc
    if status in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
        raise RookeryError(f"{url} is not there ({status})", hint="Was it renamed or withdrawn there?")
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        raise NotPossibleError(
            f"{host} refuses {url} ({status})", hint="It may not be public, or a proxy stands between."
        )
    failure = RookeryError(f"{host} answered {status} to {url}", hint=_LATER)
    if status < HTTPStatus.INTERNAL_SERVER_ERROR and status not in _PASSING:
        raise failure
    after = answer.headers.get("Retry-After", "")
    raise _Passing(
        failure,
        retry_after=float(after) if after.isdigit() else 0,
        too_far=status == HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE,
    )


def _was_connected(error: httpx.TransportError) -> bool:
    return isinstance(error, httpx.ReadError | httpx.RemoteProtocolError)


def _reason(error: httpx.TransportError) -> str:
    return str(error) or type(error).__name__
