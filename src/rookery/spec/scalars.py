"""Plain words as YAML 1.2 reads them, not 1.1: `1:30` is no 90, a date is a text, `no` is a text too.

A field that asks for a truth value still takes `no`, as it takes `"no"`; one that asks for text or a number
does not get another value than what stands there.
"""

from __future__ import annotations

import re
from typing import Any, Self

import yaml

_Base: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# YAML 1.2's core schema, 10.3.2 of its specification, by tag: the form of a plain scalar, and the characters
# that one may start with.
CORE = {
    "null": (r"null|Null|NULL|~|", ("n", "N", "~", "")),
    "bool": (r"true|True|TRUE|false|False|FALSE", tuple("tTfF")),
    "int": (r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", tuple("-+0123456789")),
    "float": (
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        tuple("-+.0123456789"),
    ),
}
PREFIX = "tag:yaml.org,2002:"
_BASES = {"0o": 8, "0x": 16}


class Loader(_Base):  # type: ignore[misc]  # which of two it is, is known at run time only
    """Reads plain scalars as YAML 1.2 does."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - yaml's own


for _name, (_form, _first) in CORE.items():
    Loader.add_implicit_resolver(PREFIX + _name, re.compile(f"(?:{_form})$"), list(_first))


class _Real(float):
    """A number with a point, which is shown as it was written: 1.30 is no 1.3 where a version was meant."""

    def __new__(cls, value: float, text: str) -> Self:
        found = super().__new__(cls, value)
        found.text = text
        return found

    text: str

    def __repr__(self) -> str:
        return self.text


def read_scalar(kind: str, text: str) -> object:
    """Return the value of a scalar whose tag ends in `kind`; raises KeyError where that is not of the core
    schema, ValueError where the text is none."""
    if kind == "int":
        base = _BASES.get(text[:2], 10)
        return int(text.replace("0o", "") if base == 8 else text, base)
    if kind == "float":
        return _Real(float(text.lower().replace(".inf", "inf").replace(".nan", "nan")), text)
    if kind == "bool":
        return {"true": True, "false": False}[text.lower()]
    return {"str": text, "null": None}[kind]
