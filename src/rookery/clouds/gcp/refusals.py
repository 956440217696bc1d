"""What Google's answers that say no mean: each is one of the errors that every cloud has.

A request says it by a status and a reason, an operation that ends badly by a code; both speak of the same
things (`resourceNotReady`, `RESOURCE_NOT_READY`), so they are read by one table.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from rookery.clouds.cloud import BusyError, CloudError, SoldOutError, TokenError, UnsureError

_HINT_QUOTA = (
    "Quotas are raised in Google's console, IAM & Admin, Quotas; new projects wait longest. A smaller design"
    " fits sooner."
)
_HINT_ZONE = "Another zone may have some: CLOUDSDK_COMPUTE_ZONE names it."
_HINT_RIGHTS = (
    "Whoever the credentials are for needs the role Compute Admin (roles/compute.admin) in the project."
)
_LOCKED = {"RESOURCE_NOT_READY", "CONDITION_NOT_MET", "RESOURCE_OPERATION_RATE_EXCEEDED"}
_RATE = {"RATE_LIMIT_EXCEEDED", "USER_RATE_LIMIT_EXCEEDED"}
_SOLD_OUT = {"ZONE_RESOURCE_POOL_EXHAUSTED", "ZONE_RESOURCE_POOL_EXHAUSTED_WITH_DETAILS", "STOCKOUT"}
_IN_USE = {"RESOURCE_IN_USE_BY_ANOTHER_RESOURCE", "RESOURCE_IN_USE"}
_TAKEN = {"ALREADY_EXISTS", "RESOURCE_ALREADY_EXISTS", "MEMBER_ALREADY_EXISTS", "DUPLICATE"}
_GONE = {"NOT_FOUND", "RESOURCE_NOT_FOUND"}
_AWAY = {"INTERNAL_ERROR", "BACKEND_ERROR", "SERVICE_UNAVAILABLE", "TIMEOUT"}
_CLOSED = {"ACCESS_NOT_CONFIGURED", "SERVICE_DISABLED"}
_USER = re.compile(r"already being used by '([^']+)'")


class TakenError(CloudError):
    """There is one of that name already, or it is there already."""


class GoneError(CloudError):
    """There is none, or none any more."""


class InUseError(CloudError):
    """Something else uses it; `user` is the path of that, empty where nobody says."""

    def __init__(self, what: str, user: str) -> None:
        super().__init__(what)
        self.user = user


def told_apart(what: str, error: Any) -> Exception:
    """Return the error that an answer means (google-api-core's GoogleAPICallError)."""
    reasons = [str(one.get("reason", "")) for one in error.errors or () if isinstance(one, dict)]
    headers = getattr(error.response, "headers", None) or {}
    wait = str(headers.get("Retry-After", ""))
    return of_answer(
        what,
        status=int(error.code or 0),
        reason=reasons[0] if reasons else "",
        message=str(error.message),
        after=float(wait) if wait.isdigit() else 0.0,
    )


def of_operation(what: str, operation: Mapping[str, Any]) -> Exception | None:
    """Return the error that an operation ended with; None where it ended well."""
    errors = operation.get("error", {}).get("errors", [])
    if not errors:
        return None
    first = errors[0]
    status = int(operation.get("httpErrorStatusCode", 0))
    return of_answer(
        what, status=status, reason=first.get("code", ""), message=first.get("message", ""), ended=True
    )


def of_answer(
    what: str, *, status: int, reason: str, message: str, after: float = 0.0, ended: bool = False
) -> Exception:
    """Return the error of an answer; `ended` says that it is how an operation ended, which did not do it."""
    code = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", reason).upper()
    text = message.partition("\n")[0].rstrip(". ")
    said = f"{what}: {text or 'refused'} ({reason or status})"
    if code in _IN_USE:
        found = _USER.search(message)
        return InUseError(said, found[1] if found else "")
    if code in _TAKEN:
        return TakenError(said)
    if code in _GONE or (status == 404 and not ended):
        return GoneError(said)
    if code in _RATE or status == 429 or code in _LOCKED or status == 412:
        return BusyError(said, after=after)
    return _of_status(said, status, code, ended=ended)


def _of_status(said: str, status: int, code: str, *, ended: bool) -> Exception:
    if code in _SOLD_OUT:
        return SoldOutError(said, hint=_HINT_ZONE)
    if code == "QUOTA_EXCEEDED":
        return CloudError(said, hint=_HINT_QUOTA)
    if status in (401, 403):
        return _not_let_in(said, status, code)
    if code in _AWAY or (status >= 500 and not ended) or status == 408:
        return UnsureError(said)
    return CloudError(said)


def _not_let_in(said: str, status: int, code: str) -> TokenError:
    if code in _CLOSED:
        return TokenError(
            said, hint="`gcloud services enable compute.googleapis.com` opens it for the project."
        )
    if status == 401:
        return TokenError(
            "Google does not know the credentials (401)",
            hint="They may be over or withdrawn: `gcloud auth application-default login` makes new ones.",
        )
    return TokenError(said, hint=_HINT_RIGHTS)
