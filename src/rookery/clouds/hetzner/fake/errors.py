"""What the API says when it refuses: each code with the status that Hetzner's description gives it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

_STATUS: Mapping[str, int] = {
    "json_error": 400,
    "unauthorized": 401,
    "token_readonly": 401,
    "forbidden": 403,
    "maintenance": 403,
    "resource_limit_exceeded": 403,
    "not_found": 404,
    "firewall_resource_not_found": 404,
    "method_not_allowed": 405,
    "uniqueness_error": 409,
    "conflict": 409,
    "deprecated_api_endpoint": 410,
    "resource_unavailable": 412,
    "source_port_already_used": 412,
    "primary_ip_version_mismatch": 412,
    "locked": 423,
    "protected": 423,
    "rate_limit_exceeded": 429,
    "server_error": 500,
    "unsupported_here": 501,
    "bad_gateway": 502,
    "unavailable": 503,
    "timeout": 504,
}
_UNPROCESSABLE = 422  # all codes that are of one operation, and invalid_input


class ApiError(Exception):
    """A refusal: the code that a client looks at, a sentence, and details whose form depends on the code."""

    def __init__(self, code: str, message: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details

    @property
    def status(self) -> int:
        return _STATUS.get(self.code, _UNPROCESSABLE)

    @property
    def body(self) -> dict[str, Any]:
        """The answer's body, as the description has it."""
        return {"error": {"code": self.code, "message": self.message, "details": self.details}}


def invalid(*problems: tuple[str, str]) -> ApiError:
    """Return the error for fields that are wrong: (field, what is wrong with it)."""
    fields: dict[str, list[str]] = {}
    for name, message in problems:
        fields.setdefault(name, []).append(message)
    names = ", ".join(f"'{name}'" for name in fields)
    detail = f": {problems[0][1]}" if len(problems) == 1 else ""
    return ApiError(
        "invalid_input",
        f"invalid input in field{'s' if len(fields) > 1 else ''} {names}{detail}",
        {"fields": [{"name": name, "messages": messages} for name, messages in fields.items()]},
    )


def not_found(kind: str, wanted: object) -> ApiError:
    """Return the error for a thing that is not there."""
    return ApiError("not_found", f"{kind} with ID '{wanted}' not found")


def not_unique(field: str, message: str) -> ApiError:
    """Return the error for a name or key that another thing has."""
    return ApiError("uniqueness_error", message, {"fields": [{"name": field}]})


def limit_exceeded(name: str) -> ApiError:
    """Return the error for a limit of the account."""
    said = name.replace("_", " ")
    return ApiError("resource_limit_exceeded", f"{said} exceeded", {"limits": [{"name": name}]})


def missing_here(what: str) -> ApiError:
    """Return the error for what Hetzner has and this stand-in has not; Hetzner itself never says this."""
    return ApiError("unsupported_here", f"rookery's stand-in for Hetzner has no {what}")


def locked(kind: str, ids: Sequence[int]) -> ApiError:
    """Return the error for a thing on which an action is running."""
    said = ", ".join(map(str, ids))
    return ApiError("locked", f"{kind} {said} is locked: another action is running")
