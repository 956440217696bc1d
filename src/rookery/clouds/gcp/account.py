"""A project at Google over its SDK: each call is one request, and what it begins is waited for.

Values are those of the REST API, by its own names. The SDK's are the same in other words, and two sorts of
them beside each other would be one too many. Its own retries are off: who tries again is
`clouds/patience.py`, which looks in between.
"""

from __future__ import annotations

import json
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from rookery.clouds.cloud import BusyError, TokenError, UnsureError
from rookery.clouds.gcp.access import Access
from rookery.clouds.gcp.refusals import GoneError, of_operation, told_apart

Json = dict[str, Any]
T = TypeVar("T")

_TIMEOUT = 60.0  # seconds to connect, and without a byte of the answer
_WAIT = 150.0  # Google answers a wait after two minutes at the latest
_SLOWEST = 900.0  # seconds after which an operation is not waited for any more
_AT_ONCE = 16
_WAITS_AT_ONCE = 48
_PAGE = 500
_SINGULAR = {"addresses": "Address", "resourcePolicies": "ResourcePolicy"}

# What one asks for by its name, by the name of the parameter.
ONE = {
    "instances": "instance",
    "disks": "disk",
    "resourcePolicies": "resourcePolicy",
    "networks": "network",
    "regionBackendServices": "backendService",
    "regionHealthChecks": "healthCheck",
    "addresses": "address",
    "instanceGroups": "instanceGroup",
    "forwardingRules": "forwardingRule",
    "subnetworks": "subnetwork",
    "firewalls": "firewall",
    "targetPools": "targetPool",
    "routes": "route",
}


class Account:
    """The requests of one project. Its methods are called from many threads at once.

    `adapter` carries the SDK's requests; as the SDK has it where there is none.
    """

    def __init__(self, access: Access, *, adapter: Any = None) -> None:
        self.access = access
        self.project = access.project
        self._adapter = adapter
        self._clients: dict[str, Any] = {}
        self._lock = threading.Lock()
        self._turns = threading.BoundedSemaphore(_AT_ONCE)
        self._waits = threading.BoundedSemaphore(_WAITS_AT_ONCE)
        # By what they ask for: the numbers of requests of which nobody knows whether they took effect.
        self._open: dict[str, str] = {}

    # --- Looking

    def get(self, service: str, **where: str) -> Json:
        """Return one thing, `where` says which; raises GoneError where there is none."""
        return self._call(service, "get", self._what(service, where), where)

    def find(self, service: str, **where: str) -> Json | None:
        """Return one thing; None where there is none."""
        try:
            return self.get(service, **where)
        except GoneError:
            return None

    def all(self, service: str, *, only: str = "", **where: str) -> list[Json]:
        """Return all of a place, or with no place all of the project; `only` is a filter of Google's."""
        is_global = service in ("networks", "firewalls", "routes", "zones")
        method = "list" if where or is_global else "aggregated_list"
        found = []
        for page in self._pages(service, method, {**where, **({"filter": only} if only else {})}):
            items = page.get("items", [])
            if isinstance(items, dict):
                items = [one for scope in items.values() for one in scope.get(service, ())]
            found += items
        return found

    def _pages(self, service: str, method: str, asked: Json) -> Iterator[Json]:
        token = ""
        while True:
            more = {"pageToken": token} if token else {}
            page = self._call(
                service, method, f"the list of {service}", {**asked, "maxResults": _PAGE, **more}
            )
            yield page
            token = page.get("nextPageToken", "")
            if not token:
                return

    def ask(self, service: str, method: str, body: Json | None = None, /, **where: str) -> Json:
        """Send a request that changes nothing, and return its answer."""
        return self._call(service, method, self._what(service, where), where, body)

    # --- Changing

    def change(self, service: str, method: str, body: Json | None = None, /, **where: str) -> None:
        """Send a request that changes something, and wait until that is done.

        The same request gets the same number until it is known how it ended: by that Google knows it again.
        """
        what = self._what(service, where, body)
        key = json.dumps([service, method, where, body], sort_keys=True)
        with self._lock:
            number = self._open.setdefault(key, str(uuid.UUID(bytes=secrets.token_bytes(16), version=4)))
        try:
            operation = self._call(service, method, what, {**where, "requestId": number}, body)
            self.wait(operation, what)
        except (UnsureError, BusyError):
            raise
        except BaseException:
            self._settle(key)
            raise
        self._settle(key)

    def _settle(self, key: str) -> None:
        with self._lock:
            self._open.pop(key, None)

    def wait(self, operation: Json, what: str) -> None:
        """Wait until an operation is done; raises what it ended with, UnsureError at the limit."""
        until = time.monotonic() + _SLOWEST
        service, where = _place_of_operation(operation)
        while operation.get("status") != "DONE":
            if time.monotonic() > until:
                raise UnsureError(f"{what}: still under way after {_SLOWEST:.0f} s")
            try:
                operation = self._call(service, "wait", what, {**where, "operation": operation["name"]})
            except GoneError:
                # Operations are kept for days; one that nobody knows did end.
                raise UnsureError(f"{what}: Google knows nothing of the operation any more") from None
        if (error := of_operation(what, operation)) is not None:
            raise error

    def _what(self, service: str, where: Json, body: Json | None = None) -> str:
        name = (body or {}).get("name") or next(
            (value for key, value in where.items() if key not in ("zone", "region")), ""
        )
        return f"{service} {name}".strip()

    # --- The SDK

    def _call(self, service: str, method: str, what: str, asked: Json, body: Json | None = None) -> Json:
        """Send one request, once, and return its answer as the REST API has it."""
        turns = self._waits if method == "wait" else self._turns
        with turns:
            return _translated(what, lambda: self._sent(service, method, asked, body))

    def _sent(self, service: str, method: str, asked: Json, body: Json | None) -> Json:
        from google.cloud import compute_v1
        from google.protobuf import json_format

        request = _request_type(compute_v1, service, method)
        message = request.pb()()
        fields = {field.json_name for field in message.DESCRIPTOR.fields}
        sent: Json = dict(asked)
        if "project" in fields:
            sent.setdefault("project", self.project)
        if body is not None:
            sent[next(one for one in fields if one.endswith("Resource"))] = body
        json_format.ParseDict(sent, message)
        client = self._client(service)
        call = getattr(client, f"{method}_unary", None) or getattr(client, method)
        timeout = _WAIT if method == "wait" else _TIMEOUT
        answer = call(request=request.wrap(message), retry=None, timeout=timeout)
        if method in ("list", "aggregated_list", "list_instances"):
            answer = next(iter(answer.pages))
        found: Json = json_format.MessageToDict(type(answer).pb(answer))
        return found

    def _client(self, service: str) -> Any:
        from google.cloud import compute_v1

        with self._lock:
            if service not in self._clients:
                made = getattr(compute_v1, f"{service[0].upper()}{service[1:]}Client")(
                    credentials=self.access.credentials,
                    transport="rest",
                    client_options={"api_endpoint": self.access.endpoint},
                )
                self._prepare(made.transport._session)  # noqa: SLF001 - no public setting keeps connections
                self._clients[service] = made
            return self._clients[service]

    def _prepare(self, session: Any) -> None:
        import requests.adapters

        adapter = self._adapter or requests.adapters.HTTPAdapter(
            pool_connections=1, pool_maxsize=_WAITS_AT_ONCE, max_retries=0
        )
        session.mount("https://", adapter)
        session.mount("http://", adapter)

    def rights(self, permissions: list[str]) -> frozenset[str]:
        """Return which of these permissions one has in the project; of this, another API tells.

        Raises CloudError where that is closed.
        """
        from google.auth.transport.requests import AuthorizedSession

        what = "the rights in the project"
        session = AuthorizedSession(self.access.credentials)
        self._prepare(session)
        url = f"{self.access.project_endpoint}/v1/projects/{self.project}:testIamPermissions"

        def ask() -> Json:
            from google.api_core.exceptions import from_http_response

            response = session.post(url, json={"permissions": permissions}, timeout=_TIMEOUT)
            if response.status_code != 200:
                raise from_http_response(response)
            found: Json = response.json()
            return found

        with self._turns:
            return frozenset(_translated(what, ask).get("permissions", ()))


def _translated(what: str, call: Callable[[], T]) -> T:
    """Return what a request returns; what the SDK raises is told in our words."""
    import requests
    from google.api_core.exceptions import GoogleAPICallError
    from google.auth.exceptions import GoogleAuthError, TransportError

    try:
        return call()
    except GoogleAPICallError as error:
        raise told_apart(what, error) from None
    except requests.exceptions.Timeout:
        raise UnsureError(f"{what}: no answer came in time") from None
    except (requests.exceptions.RequestException, TransportError) as error:
        raise UnsureError(f"{what}: the connection failed ({type(error).__name__})") from None
    except GoogleAuthError as error:
        raise TokenError(
            f"Google gives no token for these credentials ({type(error).__name__})",
            hint="They may be over or withdrawn: `gcloud auth application-default login` makes new ones.",
        ) from None


def _request_type(module: Any, service: str, method: str) -> Any:
    """Return the SDK's type of a request: `InsertInstanceRequest`, `AggregatedListInstancesRequest`."""
    plural = f"{service[0].upper()}{service[1:]}"
    one = _SINGULAR.get(service, plural.removesuffix("s"))
    words = "".join(word.capitalize() for word in method.split("_"))
    return getattr(module, f"{words}{plural if 'List' in words else one}Request")


def _place_of_operation(operation: Json) -> tuple[str, dict[str, str]]:
    if zone := operation.get("zone"):
        return "zoneOperations", {"zone": zone.rpartition("/")[2]}
    if region := operation.get("region"):
        return "regionOperations", {"region": region.rpartition("/")[2]}
    return "globalOperations", {}
