"""Labels and the language that selects by them, as Hetzner's description gives both.

`k=v`, `k==v`, `k!=v`, `k`, `!k`, `k in (v1,v2)`, `k notin (v1,v2)`; of several with commas between them, all
must hold.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from rookery.clouds.hetzner.fake.errors import ApiError, invalid

Selector = Callable[[Mapping[str, str]], bool]

_NAME = r"[a-z0-9A-Z](?:[a-z0-9A-Z._-]{0,61}[a-z0-9A-Z])?"
_DNS = r"[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_KEY = rf"(?:(?P<prefix>{_DNS}(?:\.{_DNS})*)/)?{_NAME}"
_VALUE = rf"(?:{_NAME})?"
_KEY_ONLY = re.compile(_KEY)
_VALUE_ONLY = re.compile(_VALUE)
_PREFIX_LIMIT = 253
_RESERVED = "hetzner.cloud"
_LONGEST = 1000

_ABSENT = re.compile(rf"!\s*(?P<key>{_KEY})")
_PRESENT = re.compile(rf"(?P<key>{_KEY})")
_EQUAL = re.compile(rf"(?P<key>{_KEY})\s*(?P<op>==|=|!=)\s*(?P<value>{_VALUE})")
_AMONG = re.compile(rf"(?P<key>{_KEY})\s+(?P<op>in|notin)\s*\((?P<values>[^()]*)\)")


def check_labels(labels: Mapping[str, Any]) -> None:
    """Raise ApiError where a label's key or value is not one that Hetzner takes."""
    problems = [problem for key, value in labels.items() for problem in _label_problems(key, value)]
    if problems:
        raise invalid(*problems)


def _label_problems(key: str, value: object) -> Iterator[tuple[str, str]]:
    found = _KEY_ONLY.fullmatch(key)
    prefix = found["prefix"] or "" if found else ""
    if found is None or len(prefix) > _PREFIX_LIMIT:
        yield f"labels.{key}", "is not a valid label key"
    elif prefix == _RESERVED:
        yield f"labels.{key}", f"has the prefix {_RESERVED}/, which is reserved"
    if not isinstance(value, str) or _VALUE_ONLY.fullmatch(value) is None:
        yield f"labels.{key}", "is not a valid label value"


def parse_selector(text: str) -> Selector:
    """Return what tells whether labels are selected; an empty text selects all. ApiError where it is none."""
    if not text.strip():
        return lambda labels: True  # noqa: ARG005 - selects whatever the labels are
    if len(text) > _LONGEST:
        raise invalid(("label_selector", f"is longer than {_LONGEST} characters"))
    parts = [_parse_part(part.strip()) for part in _split(text)]
    return lambda labels: all(part(labels) for part in parts)


def _split(text: str) -> Iterator[str]:
    """Yield what stands between the commas that are in no parentheses."""
    depth, begin = 0, 0
    for index, char in enumerate(text):
        depth += {"(": 1, ")": -1}.get(char, 0)
        if char == "," and depth == 0:
            yield text[begin:index]
            begin = index + 1
    yield text[begin:]


def _parse_part(part: str) -> Selector:
    if found := _AMONG.fullmatch(part):
        key, among = found["key"], [value.strip() for value in found["values"].split(",")]
        if any(_VALUE_ONLY.fullmatch(value) is None for value in among):
            raise _no_selector(part)
        if found["op"] == "in":
            return lambda labels: labels.get(key) in among
        return lambda labels: labels.get(key) not in among
    if found := _EQUAL.fullmatch(part):
        key, value = found["key"], found["value"]
        if found["op"] == "!=":
            return lambda labels: labels.get(key) != value
        return lambda labels: labels.get(key) == value
    if found := _ABSENT.fullmatch(part):
        key = found["key"]
        return lambda labels: key not in labels
    if found := _PRESENT.fullmatch(part):
        key = found["key"]
        return lambda labels: key in labels
    raise _no_selector(part)


def _no_selector(part: str) -> ApiError:
    return invalid(("label_selector", f"cannot be parsed at '{part}'"))
