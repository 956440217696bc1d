"""An account at Hetzner over its SDK: each call is one request, and each way to fail is told apart.

The SDK sends a request again that ran into its time limit, a creation too, and does not for a service that is
away; and its values load what they lack by calls that nobody sees. So of it is used what sends a request and
reads the answer, with its own retries off: who tries again is `clouds/patience.py`, which looks in between.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import hcloud
import requests

from rookery import __version__
from rookery.clouds.cloud import BusyError, CloudError, SoldOutError, TokenError, UnsureError
from rookery.clouds.hetzner.access import Access

Json = Mapping[str, Any]

_TIMEOUT = (10.0, 60.0)  # seconds to connect, and without a byte of the answer
_PAGE = 50
_AT_ONCE = 10  # connections that the SDK's session keeps open
_POLL = 0.25  # seconds between two looks at what is under way, for each page of it
_SLOWEST = 900.0  # seconds after which an action is not waited for any more

_RATE_PAUSE = 5.0  # seconds: one request a second comes back


class TakenError(CloudError):
    """There is one of that name already."""


class GoneError(CloudError):
    """There is none any more."""


class Account:
    """The requests of one token. Its methods are called from many threads at once."""

    def __init__(self, access: Access, *, poll: float = _POLL) -> None:
        self.access = access
        client = hcloud.Client(
            token=access.token,
            api_endpoint=access.endpoint,
            application_name="rookery",
            application_version=__version__,
            timeout=_TIMEOUT,
        )
        # A test holds it to that: no public setting turns the retries off.
        client._client._retry_max_retries = 0  # noqa: SLF001
        self._client = client
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._actions = _Actions(self._action_list, poll)

    def call(self, method: str, path: str, what: str, **more: Any) -> dict[str, Any]:
        """Send one request and return the answer; `what` is for errors. Raises as `Cloud` says."""
        with self._turns:
            try:
                return self._client.request(method, path, **more)
            except hcloud.APIException as error:
                raise _told_apart(what, error) from None
            except requests.exceptions.Timeout:
                raise UnsureError(f"{what}: no answer came in time") from None
            except requests.exceptions.RequestException as error:
                raise UnsureError(f"{what}: the connection failed ({type(error).__name__})") from None

    def all(self, kind: str, *, selector: str = "", **query: Any) -> list[dict[str, Any]]:
        """Return everything of a kind (`servers`), or what has the labels that a selector says."""
        return [one for page in self._pages(kind, selector, query) for one in page]

    def _pages(self, kind: str, selector: str, query: Mapping[str, Any]) -> Iterator[list[dict[str, Any]]]:
        page: int | None = 1
        while page is not None:
            params = {**query, "page": page, "per_page": _PAGE}
            if selector:
                params["label_selector"] = selector
            answer = self.call("GET", f"/{kind}", f"the list of {kind}", params=params)
            yield answer[kind]
            page = ((answer.get("meta") or {}).get("pagination") or {}).get("next_page")

    def named(self, kind: str, name: str) -> dict[str, Any] | None:
        """Return what has a name within its kind; None where nothing has."""
        return next((one for one in self.all(kind, name=name) if one["name"] == name), None)

    def act(self, path: str, what: str, body: Json | None = None) -> None:
        """Begin an action on something, and wait until it is finished."""
        self.finish(self.call("POST", path, what, json=dict(body or {})), what)

    def finish(self, answer: Json, what: str) -> None:
        """Wait for all actions that an answer speaks of; raises what they failed with."""
        actions = [answer.get("action"), *(answer.get("actions") or ()), *(answer.get("next_actions") or ())]
        running = [one["id"] for one in actions if one and one["status"] == "running"]
        for one in actions:
            _refuse_failed(one, what)
        self.wait(running, what)

    def wait(self, actions: Sequence[int], what: str) -> None:
        """Wait until actions are finished; raises what they failed with, UnsureError at the limit."""
        for number in actions:
            _refuse_failed(self._actions.wait(number, what), what)

    def _action_list(self, numbers: Sequence[int]) -> list[dict[str, Any]]:
        found = []
        for start in range(0, len(numbers), _PAGE):
            params = {"id": list(numbers[start : start + _PAGE]), "per_page": _PAGE}
            found += self.call("GET", "/actions", "a look at what is under way", params=params)["actions"]
        return found


class _Actions:
    """Waits for actions, however many threads do: one looks for all, so that few requests are made."""

    def __init__(self, ask: Callable[[Sequence[int]], list[dict[str, Any]]], pause: float) -> None:
        self._ask = ask
        self._pause = pause
        self._news = threading.Condition()
        self._waited: Counter[int] = Counter()
        self._ended: dict[int, dict[str, Any]] = {}
        self._is_looked = False
        self._next = 0.0

    def wait(self, number: int, what: str) -> dict[str, Any]:
        """Return an action once it is finished, well or not."""
        until = time.monotonic() + _SLOWEST
        with self._news:
            self._waited[number] += 1
            try:
                while number not in self._ended:
                    if time.monotonic() > until:
                        raise UnsureError(f"{what}: still under way after {_SLOWEST:.0f} s")
                    if self._is_looked:
                        self._news.wait()
                    else:
                        self._look()
                return self._ended[number]
            finally:
                self._waited[number] -= 1
                if not self._waited[number]:
                    del self._waited[number]
                    self._ended.pop(number, None)

    def _look(self) -> None:
        """Look once, for all that is waited for by then; the others wait for the news meanwhile."""
        self._is_looked = True
        found: list[dict[str, Any]] = []
        pause = self._pause
        try:
            self._news.release()
            try:
                time.sleep(max(0.0, self._next - time.monotonic()))
                numbers = sorted(set(self._waited) - set(self._ended))
                pause *= -(-len(numbers) // _PAGE)
                found = self._ask(numbers)
            finally:
                self._news.acquire()
        except (BusyError, UnsureError):
            # What is waited for goes on all the same; the look is made again.
            pause *= 4
        finally:
            self._next = time.monotonic() + pause
            self._ended |= {one["id"]: one for one in found if one["status"] != "running"}
            self._is_looked = False
            self._news.notify_all()


def _refuse_failed(action: Json | None, what: str) -> None:
    if action is None or action["status"] != "error":
        return
    error = action.get("error") or {}
    raise _of_code(str(error.get("code", "")), str(error.get("message", "it failed")), what)


# What an answer without a code of the API's means by its status alone.
_CODES = {401: "unauthorized", 403: "forbidden", 404: "not_found", 423: "locked", 429: "rate_limit_exceeded"}
# https://docs.hetzner.cloud/reference/cloud#error-codes, by what follows from each.
_BUSY = ("locked", "conflict", "rate_limit_exceeded", "maintenance", "resource_in_use")
_UNSURE = ("service_error", "server_error", "unavailable", "timeout", "bad_gateway")
_SOLD_OUT = ("resource_unavailable", "placement_error", "no_space_left_in_location")
_REFUSED = ("unauthorized", "forbidden", "token_readonly")
_KINDS: Mapping[str, type[CloudError]] = {
    **dict.fromkeys(_BUSY, BusyError),
    **dict.fromkeys(_UNSURE, UnsureError),
    **dict.fromkeys(_SOLD_OUT, SoldOutError),
    "uniqueness_error": TakenError,
    "not_found": GoneError,
}
_HINTS = {
    **dict.fromkeys(_SOLD_OUT, "`rookery prices refresh --provider hetzner` sees what is in stock now."),
    "resource_limit_exceeded": "The project's limits are in Hetzner Console, Limits; a request there raises"
    " them, often within a day. Smaller designs fit sooner.",
    "protected": "Its protection is switched off in Hetzner Console.",
}


def _told_apart(what: str, error: hcloud.APIException) -> Exception:
    """Return the error that an answer means: its code says more than its status, where it has one."""
    if isinstance(error.code, str):
        return _of_code(error.code, error.message, what, _details(error.details))
    status = int(error.code)
    if status in _CODES:
        return _of_code(_CODES[status], f"answered {status}", what)
    if status >= 500 or status == 408:
        return UnsureError(f"{what}: Hetzner answered {status}")
    return CloudError(f"{what}: Hetzner answered {status}, without a reason")


def _of_code(code: str, message: str, what: str, details: tuple[str, ...] = ()) -> Exception:
    if code in _REFUSED:
        return _refused(code)
    said = f"{what}: {message} ({code})"
    if code == "rate_limit_exceeded":
        return BusyError(said, after=_RATE_PAUSE)
    error = _KINDS.get(code, CloudError)(said, details=details)
    error.hint = _HINTS.get(code, "")
    return error


def _refused(code: str) -> TokenError:
    if code == "token_readonly":
        return TokenError(
            "Hetzner's token may only read, and nothing can be made or removed with it",
            hint="A token with the right Read & Write does: Hetzner Console, Security, API tokens.",
        )
    return TokenError(
        f"Hetzner does not know the token ({code})",
        hint="It may be mistyped, deleted, or of another project than was meant. Nothing was changed.",
    )


def _details(details: object) -> tuple[str, ...]:
    """Return what an answer says of single fields; nothing else of it."""
    fields = details.get("fields", []) if isinstance(details, dict) else []
    if not isinstance(fields, list):
        return ()
    return tuple(
        f"{one.get('name', '')}: {', '.join(map(str, one.get('messages', [])))}"
        for one in fields
        if isinstance(one, dict)
    )
