"""What the API takes and gives: these classes check it, and are its document."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Path
from pydantic import BaseModel, BeforeValidator, ConfigDict, Field
from pydantic_core import PydanticCustomError

_LARGEST_VIEWER = 2**31 - 1
_DAY = 86_400  # seconds

TitleId = Annotated[
    str, Path(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]{0,99}$", description="The title's id.", examples=["dawn"])
]


def _number(value: object) -> object:
    # JSON's own numbers, and 7.0 is the same integer as 7; "7" and true are none.
    if isinstance(value, (bool, str)):
        raise PydanticCustomError("int_type", "Input should be a valid integer")
    return value


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Title(_Part):
    """One title; `plays` is how often it was played, exactly."""

    id: str
    name: str
    kind: Literal["video", "audio"]
    seconds: Annotated[int, Field(ge=0, description="How long it plays.")]
    added: datetime
    plays: Annotated[int, Field(ge=0)]


class Titles(_Part):
    """All titles that are listed, by name."""

    titles: list[Title]


class NewPlay(_Part):
    """A play to record, and how many seconds of it. The same `id` again is the same play, counted once."""

    id: Annotated[UUID | None, Field(description="Made by the client, so that it can try again.")] = None
    viewer: Annotated[int, Field(ge=1, le=_LARGEST_VIEWER), BeforeValidator(_number)] | None = None
    seconds: Annotated[int, Field(ge=0, le=_DAY), BeforeValidator(_number)] | None = None


class Play(_Part):
    """A play that is recorded; `at` is when, by the database's clock."""

    id: UUID
    title: str
    viewer: int | None
    seconds: int | None
    at: datetime


class Counts(_Part):
    """How much the catalogue holds: listed titles, viewers, and plays, those of titles now gone included."""

    titles: int
    viewers: int
    plays: int


class Live(_Part):
    """The process answers."""

    name: str
    status: Literal["live"] = "live"


class Ready(_Part):
    """What can be done now. `reads` is who serves them; without `writes`, plays are refused with 503."""

    name: str
    reads: Literal["primary", "replica"]
    writes: bool


class Flaw(_Part):
    """One thing that is wrong with a request, and where."""

    at: str
    problem: str


class Problem(BaseModel):
    """An error, as RFC 9457 has it. Its title says what is wrong, its detail about what."""

    type: str = "about:blank"
    title: str
    status: int
    detail: str | None = None
    errors: list[Flaw] | None = None
