"""What tests turn over HTTP where the stand-in is a process of its own: faults, time, and what it has seen.

It is no part of Hetzner's API, asks for no token, and answers on the same address, which is a loopback one
unless told otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from dataclasses import asdict
from typing import Annotated, Any

from pydantic import Field, TypeAdapter, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from rookery.clouds.hetzner.fake.faults import Fault
from rookery.clouds.hetzner.fake.service import FakeHetzner

_FAULT = TypeAdapter(Fault)
_TURN = TypeAdapter(Annotated[float, Field(ge=0)])


def control_routes(fake: FakeHetzner) -> list[Route]:
    """Return the routes below /fake."""

    async def show(request: Request) -> Response:
        del request
        billed = fake.bill()
        return JSONResponse(
            {
                "counts": fake.counts(),
                "requests": len(fake.calls),
                "bill": [asdict(one) | {"amount": str(one.amount)} for one in billed],
                "amount": str(sum(one.amount for one in billed)),
            }
        )

    async def calls(request: Request) -> Response:
        del request
        return JSONResponse([asdict(one) for one in list(fake.calls)])

    async def plan(request: Request) -> Response:
        fake.plan(_FAULT.validate_python(await _said(request)))
        return JSONResponse({}, status_code=201)

    async def clear(request: Request) -> Response:
        del request
        with fake.lock:
            fake.faults.planned.clear()
        return Response(status_code=204)

    async def turn(request: Request) -> Response:
        fake.turn(_TURN.validate_python((await _said(request)).get("seconds")))
        return JSONResponse({})

    async def fail(request: Request) -> Response:
        said = await _said(request)
        fake.fail_action(str(said.get("command")), nth=int(said.get("nth", 1)))
        return JSONResponse({}, status_code=201)

    return [
        Route("/account", show),
        Route("/calls", calls),
        Route("/faults", _careful(plan), methods=["POST"]),
        Route("/faults", clear, methods=["DELETE"]),
        Route("/clock", _careful(turn), methods=["POST"]),
        Route("/actions", _careful(fail), methods=["POST"]),
    ]


Endpoint = Callable[[Request], Awaitable[Response]]


def _careful(endpoint: Endpoint) -> Endpoint:
    async def careful(request: Request) -> Response:
        try:
            return await endpoint(request)
        except (ValidationError, ValueError) as error:
            return JSONResponse({"error": str(error)}, status_code=422)

    return careful


async def _said(request: Request) -> dict[str, Any]:
    read = json.loads(await request.body() or b"{}")
    if not isinstance(read, dict):
        raise ValueError("a JSON object is needed")  # noqa: TRY004 - what was said is wrong
    return read
