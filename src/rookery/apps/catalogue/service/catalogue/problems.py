"""Errors as answers: always a problem of RFC 9457, never a stack trace."""

from __future__ import annotations

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import Response

from .database import BusyError, UnavailableError
from .models import Flaw, Problem

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER = "1"  # seconds

_MEANINGS = {
    400: "The request cannot be read.",
    404: "There is no such title, or no such viewer.",
    409: "Another play has this id.",
    413: "The body is larger than the service takes.",
    422: "The request is not as this document has it; `errors` says where.",
    503: "The database cannot be reached. `Retry-After` says when to try again; with an id, a play may be \
sent again even where it had been recorded.",
}


class ProblemError(Exception):
    """A request that cannot be done; it becomes its answer."""

    def __init__(self, status: int, title: str, detail: str | None = None) -> None:
        super().__init__(title)
        self.problem = Problem(status=status, title=title, detail=detail)


def document(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """Return what the API's document says of errors with these statuses."""
    schema = {"$ref": "#/components/schemas/Problem"}
    return {
        status: {"description": _MEANINGS[status], "content": {MEDIA_TYPE: {"schema": schema}}}
        for status in statuses
    }


def problem_response(problem: Problem, headers: Mapping[str, str] | None = None) -> Response:
    """Return a problem as the answer that it is."""
    extra = dict(headers or {}) | {"Cache-Control": "no-store"}
    if problem.status == HTTPStatus.SERVICE_UNAVAILABLE:
        extra["Retry-After"] = RETRY_AFTER
    body = problem.model_dump_json(exclude_none=True)
    return Response(body, status_code=problem.status, media_type=MEDIA_TYPE, headers=extra)


def add_handlers(app: FastAPI) -> None:
    """Have every error that the service knows answered as a problem."""
    app.add_exception_handler(ProblemError, _stated)
    app.add_exception_handler(UnavailableError, _unavailable)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)


async def _stated(_request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return problem_response(error.problem)


async def _unavailable(_request: Request, error: Exception) -> Response:
    title = "The database is too busy" if isinstance(error, BusyError) else "The database cannot be reached"
    return problem_response(Problem(status=503, title=title, detail="Try again in a moment."))


async def _invalid(_request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if all(flaw["loc"][0] == "path" for flaw in found):
        # A name that no title can have is the name of no title.
        return problem_response(Problem(status=404, title="There is no such title"))
    flaws = [Flaw(at=".".join(map(str, flaw["loc"])), problem=flaw["msg"]) for flaw in found]
    title = "The request is not as /api/openapi.json has it"
    return problem_response(Problem(status=422, title=title, errors=flaws))


async def _refused(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return problem_response(
        Problem(status=error.status_code, title=HTTPStatus(error.status_code).phrase), error.headers
    )
