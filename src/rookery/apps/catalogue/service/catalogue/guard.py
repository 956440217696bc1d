"""What holds for every request: a limit to its body, who served it, and no error that escapes."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import MutableMapping
from typing import Any

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from .models import Problem
from .problems import problem_response

_BODY_LIMIT = 64 * 1024  # bytes
_BODY_TIME = 10.0  # seconds from the head of a request to the end of its body

_log = logging.getLogger("catalogue")


class Guard:
    """Reads a request's body before anything else sees it, and marks and watches its answer."""

    def __init__(self, app: ASGIApp, *, name: str) -> None:
        self._app = app
        self._mark = (b"x-served-by", name.encode("latin-1", "replace"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun = False

        async def marked(message: Message) -> None:
            nonlocal begun
            if message["type"] == "http.response.start":
                begun = True
                message["headers"] = [*message.get("headers", ()), self._mark]
            await send(message)

        try:
            await self._guarded(scope, receive, marked)
        except Exception as error:
            _log.error("%s %s: %s", scope["method"], scope["path"], _one_line(error))
            if begun:
                raise
            await problem_response(Problem(status=500, title="The service failed"))(scope, receive, marked)

    async def _guarded(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(_BODY_TIME):
                body = await _read_body(receive)
        except TimeoutError:
            problem = Problem(status=408, title="The body did not arrive in time")
            await problem_response(problem, {"Connection": "close"})(scope, receive, send)
            return
        if body is None:
            problem = Problem(
                status=413, title="The body is too large", detail=f"{_BODY_LIMIT} bytes are taken."
            )
            await problem_response(problem, {"Connection": "close"})(scope, receive, send)
            return
        whole: list[MutableMapping[str, Any]] = [{"type": "http.request", "body": body, "more_body": False}]

        async def replay() -> Message:
            return whole.pop() if whole else await receive()

        await self._app(scope, replay, send)


async def _read_body(receive: Receive) -> bytes | None:
    """Return the whole body, or None where it is larger than the limit."""
    parts: list[bytes] = []
    size = 0
    more = True
    while more:
        message = await receive()
        if message["type"] != "http.request":
            break
        parts.append(message.get("body", b""))
        size += len(parts[-1])
        if size > _BODY_LIMIT:
            return None
        more = message.get("more_body", False)
    return b"".join(parts)


def _one_line(error: Exception) -> str:
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    where = f" ({trace.tb_frame.f_code.co_filename}:{trace.tb_lineno})" if trace is not None else ""
    return " ".join(f"{type(error).__name__}: {error}".split()) + where
