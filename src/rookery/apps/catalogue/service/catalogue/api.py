"""The API: what can be asked of the catalogue, under /api."""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Depends, FastAPI, Header, Query, Request
from pydantic import BaseModel
from starlette.responses import Response

from . import queries
from .config import Config
from .database import Database
from .guard import Guard
from .models import Counts, Live, NewPlay, Play, Problem, Ready, Title, TitleId, Titles
from .problems import ProblemError, add_handlers, document

READ_FROM = "X-Read-From"
_FRESH = {"Cache-Control": "no-store"}
_SHARED = {"Cache-Control": "public, max-age=1"}

router = APIRouter(prefix="/api")


async def _database(request: Request) -> Database:
    database = request.app.state.database
    assert isinstance(database, Database)
    return database


async def _name(request: Request) -> str:
    return str(request.app.state.config.name)


Db = Annotated[Database, Depends(_database)]
Name = Annotated[str, Depends(_name)]
Stale = Annotated[
    bool, Query(description="Figures a moment old will do: a replica may answer. X-Read-From says who did.")
]
IfNoneMatch = Annotated[str | None, Header(description="Tags of answers that the client has.")]


@router.get(
    "/titles", response_model=Titles, responses={304: {"description": "Unchanged."}, **document(422, 503)}
)
async def list_titles(database: Db, *, stale: Stale = False, if_none_match: IfNoneMatch = None) -> Response:
    """List all titles, each with its plays."""
    body, side = await database.read(queries.list_titles, stale=stale)
    # The tag is the content's own: the same on every instance, whichever side of the database it is from.
    tag = f'"{hashlib.sha256(body.encode()).hexdigest()[:32]}"'
    headers = _SHARED | {"ETag": tag, READ_FROM: side}
    if if_none_match is not None and _matches(if_none_match, tag):
        return Response(status_code=304, headers=headers)
    return _json(body, headers=headers)


@router.get("/titles/{title}", response_model=Title, responses=document(404, 422, 503))
async def get_title(database: Db, title: TitleId, *, stale: Stale = False) -> Response:
    """Show one title with its plays."""
    found, side = await database.read(partial(queries.get_title, name=title), stale=stale)
    return _json(found, headers=_FRESH | {READ_FROM: side})


@router.post(
    "/titles/{title}/plays",
    response_model=Play,
    status_code=201,
    responses={
        200: {"model": Play, "description": "The play with this id was recorded before."},
        201: {"description": "The play is recorded; every read from now on counts it."},
        **document(400, 404, 409, 413, 422, 503),
    },
)
async def add_play(database: Db, title: TitleId, play: NewPlay) -> Response:
    """Record a play."""
    recorded, new = await database.write(partial(queries.add_play, title=title, new=play))
    return _json(recorded, status=201 if new else 200, headers=_FRESH)


@router.get("/counts", response_model=Counts, responses=document(422, 503))
async def count(database: Db, *, stale: Stale = False) -> Response:
    """Count titles, viewers and plays, exactly and as of one moment."""
    counts, side = await database.read(queries.count, stale=stale)
    return _json(counts, headers=_FRESH | {READ_FROM: side})


@router.get("/health/live", response_model=Live)
async def live(name: Name) -> Response:
    """Tell that the process answers; the database is not asked."""
    return _json(Live(name=name), headers=_FRESH)


@router.get("/health/ready", response_model=Ready, responses=document(503))
async def ready(database: Db, name: Name) -> Response:
    """Tell what can be done. Ready is who can read: while a primary is replaced, titles are still shown."""
    state = await database.state()
    if not state.reads:
        raise ProblemError(503, "The database cannot be reached", "Neither reads nor writes are possible.")
    return _json(
        Ready.model_validate({"name": name, "reads": state.reads, "writes": state.writes}), headers=_FRESH
    )


def create_app(config: Config) -> FastAPI:
    """Return the service; it opens its connections when it starts, and closes them when it ends."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        app.state.database = Database(config)
        await app.state.database.open()
        yield
        await app.state.database.close()

    app = _DocumentedApp(
        title="Catalogue", version="1", openapi_url="/api/openapi.json", docs_url=None, redoc_url=None,
        lifespan=lifespan, redirect_slashes=False,
    )  # fmt: skip
    app.state.config = config
    app.include_router(router)
    add_handlers(app)
    app.add_middleware(Guard, name=config.name)
    return app


class _DocumentedApp(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """Return the API's document, with the problem in it that all errors refer to."""
        if self.openapi_schema is None:
            made = super().openapi()
            template = "#/components/schemas/{model}"
            schema = Problem.model_json_schema(ref_template=template)
            schemas = made.setdefault("components", {}).setdefault("schemas", {})
            schemas.update(schema.pop("$defs", {}))
            schemas["Problem"] = schema
        assert self.openapi_schema is not None
        return self.openapi_schema


def _json(value: BaseModel | str, *, headers: dict[str, str], status: int = 200) -> Response:
    body = value if isinstance(value, str) else value.model_dump_json()
    return Response(body, status_code=status, media_type="application/json", headers=headers)


def _matches(wanted: str, tag: str) -> bool:
    """Compare weakly, as for If-None-Match: a cache that compressed the answer weakened its tag."""
    tags = (part.strip().removeprefix("W/") for part in wanted.split(","))
    return wanted.strip() == "*" or tag in tags
