"""Who encodes, on Kubernetes: a Lease of the API server's, renewed by whoever holds it.

Two rules make it safe. The API server takes a change only from who read the newest version, so of two that
take the Lease one fails. And nobody compares clocks: a holder counts its term from before it asked, another
host from when it first saw the Lease as it is; so the holder's term ends first, whatever time it is where.

What the lock in RADOS can do (lease.py) and this cannot is fencing. A holder whose write hangs in the kernel
stays able to write, and nothing here can stop it: its renaming of a playlist may reach CephFS after another
host leads. That is why the margin is wide: a holder writes nothing in the last seconds of its term, and looks
once more before each renaming (folder.py), so only a renaming that hung for the whole margin can come late.
It then puts an older playlist in the place of the newer, until its successor's next segment two seconds
later; segments have names of their own and are never overwritten. CephFS itself bounds the hanging: it evicts
a client that was silent for a minute or so, and what it still wanted to write is refused.
"""

from __future__ import annotations

import http.client
import json
import logging
import os
import ssl
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

LEASE = 12  # seconds that the Lease outlives its last renewal
MARGIN = 4.0  # seconds before the lease's end at which its holder has stopped
_LIMIT = 2.0  # seconds; a request without an answer by then failed
_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_ANSWER = 1 << 16  # bytes of an answer that are read; a Lease has some hundred

log = logging.getLogger("channel")


class ApiError(Exception):
    """The API server gave no answer, or not the one that was asked for."""

    def __init__(self, said: str, *, status: int = 0) -> None:
        super().__init__(said)
        self.status = status


class ApiServer:
    """The API server as a pod reaches it: its address and the pod's own credentials."""

    def __init__(self, host: str, port: int, *, account: Path = _ACCOUNT) -> None:
        self._host = host
        self._port = port
        self._account = account
        self._connection: http.client.HTTPSConnection | None = None

    @classmethod
    def of_this_pod(cls) -> ApiServer:
        """Return the API server that Kubernetes tells each pod of; raises ApiError elsewhere."""
        try:
            return cls(os.environ["KUBERNETES_SERVICE_HOST"], int(os.environ["KUBERNETES_SERVICE_PORT"]))
        except KeyError as error:
            raise ApiError(f"the environment has no {error.args[0]}: this is no pod") from None

    def request(self, method: str, path: str, body: Any = None) -> Any:
        """Return what is answered; raises ApiError."""
        try:
            # The kubelet renews the token and may renew the authority, so both are read each time.
            token = (self._account / "token").read_text(encoding="utf-8").strip()
            connection = self._connected()
            headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
            if body is not None:
                headers["Content-Type"] = "application/json"
            connection.request(method, path, None if body is None else json.dumps(body), headers)
            answer = connection.getresponse()
            text = answer.read(_ANSWER)
        except (OSError, http.client.HTTPException) as error:
            self.close()
            raise ApiError(f"{type(error).__name__}: {error}") from error
        if answer.will_close or not answer.isclosed():
            self.close()
        return _content(answer.status, text)

    def _connected(self) -> http.client.HTTPSConnection:
        if self._connection is None:
            trust = ssl.create_default_context(cafile=str(self._account / "ca.crt"))
            self._connection = http.client.HTTPSConnection(
                self._host, self._port, timeout=_LIMIT, context=trust
            )
        return self._connection

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def _content(status: int, text: bytes) -> Any:
    try:
        told = json.loads(text)
    except ValueError:
        told = None
    if status >= 400:
        message = told.get("message") if isinstance(told, dict) else ""
        raise ApiError(str(message or f"status {status}"), status=status)
    if not isinstance(told, dict):
        raise ApiError("the answer is no JSON object")
    return told


class ClusterLease:
    """The Lease, as one pod sees it. Its times are those of `clock`, this host's own that is never set.

    It is there already and stays: this pod may read and change it, and no other.
    """

    error: type[Exception] = ApiError
    renew_every = 2.0
    try_every = 1.0

    def __init__(
        self,
        server: ApiServer,
        *,
        namespace: str,
        name: str,
        identity: str,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._server = server
        self._path = f"/apis/coordination.k8s.io/v1/namespaces/{namespace}/leases/{name}"
        self._identity = identity
        self._clock = clock
        self._renewed: float | None = None
        self._known: dict[str, Any] | None = None  # the Lease as this pod wrote it last
        self._seen: tuple[object, ...] = ()  # another's Lease, and since when it is like that
        self._since = 0.0
        self._trouble = ""

    @property
    def unknown(self) -> str:
        """Why the last try did not tell who holds it; empty where it did."""
        return f"the API server: {self._trouble}" if self._trouble else ""

    @property
    def held(self) -> bool:
        """Whether this pod may write: its last renewal is younger than the lease less the margin."""
        renewed = self._renewed
        return renewed is not None and self._clock() < renewed + LEASE - MARGIN

    def take(self) -> bool:
        """Take or renew the Lease; False where another holds it, or `unknown` says why that is not known."""
        try:
            taken = self._take()
        except ApiError as error:
            self._known = None
            if str(error) != self._trouble:
                self._trouble = str(error)
                log.warning("the lease cannot be asked for: %s", error)
            return False
        self._trouble = ""
        return taken

    def _take(self) -> bool:
        if self._known is None:
            found = self._server.request("GET", self._path)
            if not self._is_free(found):
                return False
        else:
            found = self._known
        # From when it is asked, not from when it is answered: others' time begins in between.
        asked = self._clock()
        try:
            self._known = self._server.request("PUT", self._path, self._mine(found))
        except ApiError as error:
            # Somebody was first, or edited the Lease: the next look tells who has it.
            if error.status == http.client.CONFLICT:
                self._known = None
                return False
            raise
        self._renewed = asked
        return True

    def _is_free(self, found: dict[str, Any]) -> bool:
        """Whether the Lease is this pod's, nobody's, or has been left alone for as long as it is good for."""
        spec = found.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        if holder in ("", self._identity):
            return True
        state = (holder, spec.get("renewTime"), spec.get("leaseTransitions"))
        now = self._clock()
        if state != self._seen:
            self._seen, self._since = state, now
        return now > self._since + max(LEASE, spec.get("leaseDurationSeconds") or 0)

    def _mine(self, found: dict[str, Any]) -> dict[str, Any]:
        """Return the Lease as this pod's; its resourceVersion stays, so a change meanwhile is noticed."""
        spec = found.get("spec") or {}
        now = _now()
        fresh = spec.get("holderIdentity") != self._identity
        mine = {
            "holderIdentity": self._identity,
            "leaseDurationSeconds": LEASE,
            "acquireTime": now if fresh else spec.get("acquireTime") or now,
            "renewTime": now,
            "leaseTransitions": int(spec.get("leaseTransitions") or 0) + fresh,
        }
        return {**found, "spec": {**spec, **mine}}

    def last_writer(self) -> None:
        """Nobody signs here, as nobody could be fenced by it."""

    def sign(self, address: str, *, done: bool) -> None:
        """A pod has nothing to sign with; see the module's docstring."""

    def fence(self, address: str) -> None:
        """Nothing here fences; see the module's docstring."""
        raise ApiError(f"{address} cannot be fenced from a pod")

    def release(self) -> None:
        """Give the Lease up; where that fails, it runs out by itself."""
        self._renewed = None
        known, self._known = self._known, None
        if known is None:
            return
        free = {**known, "spec": {**known["spec"], "holderIdentity": "", "leaseDurationSeconds": 1}}
        try:
            self._server.request("PUT", self._path, free)
        except ApiError as error:
            # A conflict says that another has it already, which is what giving it up is for.
            if error.status != http.client.CONFLICT:
                log.warning("the lease could not be given up: %s", error)

    def close(self) -> None:
        self._server.close()


def _now() -> str:
    """Return the time for people who look at the Lease; nothing is decided by it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")  # noqa: TID251 - a program of its own
