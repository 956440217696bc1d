"""The API over HTTP, by Starlette: paths, headers, and answers that are cut off on purpose."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterator, Mapping
from typing import Any
from urllib.parse import urlencode

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.types import Receive, Scope, Send

from rookery.clouds.hetzner.fake.call import Answer
from rookery.clouds.hetzner.fake.connections import cut_connection
from rookery.clouds.hetzner.fake.control import control_routes
from rookery.clouds.hetzner.fake.errors import ApiError
from rookery.clouds.hetzner.fake.faults import Fault
from rookery.clouds.hetzner.fake.routes import ROWS, Row
from rookery.clouds.hetzner.fake.service import Asked, FakeHetzner

Endpoint = Callable[[Request], Awaitable[Response]]
PREFIX = "/v1"


def build_app(fake: FakeHetzner) -> Starlette:
    """Return the application that serves the API below /v1, and what tests turn below /fake."""

    async def refuse(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        code = "method_not_allowed" if error.status_code == 405 else "not_found"
        said = "the request method is not allowed" if error.status_code == 405 else "page not found"
        return await _serve(fake, ApiError(code, said), request)

    return Starlette(
        routes=[Mount(PREFIX, routes=list(_routes(fake))), Mount("/fake", routes=control_routes(fake))],
        exception_handlers={404: refuse, 405: refuse},
    )


def _routes(fake: FakeHetzner) -> Iterator[BaseRoute]:
    """Yield a route for each path, which knows all methods that it has."""
    paths: dict[str, dict[str, Row]] = {}
    for row in ROWS:
        paths.setdefault(row.path, {})[row.method] = row
    for path, rows in paths.items():
        yield Route(path, _endpoint(fake, rows), methods=list(rows))


def _endpoint(fake: FakeHetzner, rows: Mapping[str, Row]) -> Endpoint:
    async def endpoint(request: Request) -> Response:
        # Starlette lets HEAD come where GET does.
        return await _serve(fake, rows["GET" if request.method == "HEAD" else request.method], request)

    return endpoint


async def _serve(fake: FakeHetzner, row: Row | ApiError, request: Request) -> Response:
    path = request.url.path.removeprefix(PREFIX)
    content = await request.body()
    fault = fake.fault(request.method, path)
    if fault is not None and fault.when == "before":
        return _Spoiled(fault)
    query: dict[str, list[str]] = {}
    for name, value in request.query_params.multi_items():
        query.setdefault(name, []).append(value)
    asked = Asked(
        method=request.method,
        path=path,
        ids=dict(request.path_params),
        query=query,
        token=request.headers.get("Authorization", "").removeprefix("Bearer "),
        content=content,
    )
    answer, headers = fake.answer(row, asked)
    if fault is not None:
        return _Spoiled(fault)
    if answer.pages:
        headers["Link"] = ", ".join(_links(request, answer))
    if answer.body is None:
        return Response(status_code=answer.status, headers=headers)
    return JSONResponse(answer.body, status_code=answer.status, headers=headers)


def _links(request: Request, answer: Answer) -> Iterator[str]:
    kept = [
        (name, value)
        for name, value in request.query_params.multi_items()
        if name not in ("page", "per_page")
    ]
    for rel, page in answer.pages.items():
        query = urlencode([*kept, ("page", page), ("per_page", answer.page_size)])
        yield f'<{request.url.replace(query=query)}>; rel="{rel}"'


class _Spoiled(Response):
    """An answer that goes wrong as planned."""

    def __init__(self, fault: Fault) -> None:
        super().__init__()
        self._fault = fault

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        fault = self._fault
        if fault.kind == "status":
            await _failed(fault)(scope, receive, send)
            return
        if fault.kind == "hang":
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(_disconnected(receive), fault.seconds)
        cut_connection(scope)
        await _disconnected(receive)


def _failed(fault: Fault) -> Response:
    if fault.code:
        return JSONResponse(ApiError(fault.code, "failed on purpose").body, status_code=fault.status)
    page: Any = f"<html><body><h1>{fault.status} failed on purpose</h1></body></html>"
    return HTMLResponse(page, status_code=fault.status)


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
