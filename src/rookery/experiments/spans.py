"""Times as experiments have them: a number with its unit."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import BeforeValidator, WithJsonSchema

_FORM = re.compile(r"^([0-9]+(?:\.[0-9]+)?) ?(ms|s|min|h)$")
_SECONDS = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
_LONGEST = 24 * 3600.0
_HINT = "write a time with its unit, like 30s, 500ms or 2min"


def read_span(text: str) -> float:
    """Return the seconds of a time like `30s`, `500ms`, `2min`; raises ValueError for another text."""
    found = _FORM.match(text)
    if found is None:
        raise ValueError(f"is {text!r}; {_HINT}")
    return float(found[1]) * _SECONDS[found[2]]


def _seconds(value: object) -> float:
    if not isinstance(value, str):
        raise ValueError(f"is {value!r}; {_HINT}")  # noqa: TRY004 - pydantic reads ValueError only
    seconds = read_span(value)
    if seconds > _LONGEST:
        raise ValueError(f"is {value}; no part of an experiment takes more than a day")
    return seconds


Span = Annotated[
    float,
    BeforeValidator(_seconds),
    WithJsonSchema({"type": "string", "pattern": r"^[0-9]+(\.[0-9]+)? ?(ms|s|min|h)$"}),
]
"""Seconds, written with a unit."""
