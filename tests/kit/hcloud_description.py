"""Hetzner's published description of its API, which answers are held against.

It is somebody else's, an OpenAPI document that Hetzner publishes beside its documentation, and lies in the
folder that ROOKERY_SCHEMAS names, as `hcloud-openapi.json`; its prose is not needed.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.kit.cluster_schemas import VARIABLE

_FILE = "hcloud-openapi.json"
_PARAMETER = re.compile(r"\{[^}]*\}")

# What the service answers and this version of its description has not yet.
_NEWER = {
    "server_type_location": ("available", "recommended"),
    "http": ("timeout_idle",),
}


def description_path() -> Path:
    return Path(os.environ.get(VARIABLE, "/nowhere")) / _FILE


needs_description = pytest.mark.skipif(
    not description_path().is_file(),
    reason=f"{VARIABLE} names no folder with {_FILE}, Hetzner's description of its API;"
    " HACKING.md, 'The stand-in for Hetzner', says where it comes from",
)


def problems(method: str, path: str, status: int, body: Any) -> Iterator[str]:
    """Yield where an answer is otherwise than described; `path` is below /v1, `body` None without one.

    A field that the description does not have is a problem, too.
    """
    responses = _responses(method, path)
    if responses is None:
        if status not in (404, 405, 410, 501):
            yield f"{method} {path} is not described, and was answered with {status}"
        return
    content = responses.get(str(status), responses.get(f"{status // 100}xx"))
    if content is None:
        yield f"{method} {path}: status {status} is not described"
        return
    schema = content.get("content", {}).get("application/json", {}).get("schema")
    if schema is None or body is None:
        if (schema is None) != (body is None):
            yield f"{method} {path}: a body is described and there is none, or the other way round"
        return
    for error in _validator(json.dumps(_plain(schema), sort_keys=True)).iter_errors(body):
        where = ".".join(str(part) for part in error.absolute_path)
        yield f"{method} {path} ({status}): {where}: {error.message[:300]}"


@cache
def _description() -> dict[str, Any]:
    read: dict[str, Any] = json.loads(description_path().read_text())
    return read


@cache
def _paths() -> tuple[tuple[re.Pattern[str], Mapping[str, Any]], ...]:
    found = []
    for path, item in _description()["paths"].items():
        pattern = _PARAMETER.sub(r"[^/]+", path)
        found.append((len(_PARAMETER.findall(path)), re.compile(pattern), item))
    found.sort(key=lambda one: one[0])
    return tuple((pattern, item) for _, pattern, item in found)


def _responses(method: str, path: str) -> Mapping[str, Any] | None:
    for pattern, item in _paths():
        if pattern.fullmatch(path) and method.lower() in item:
            responses: Mapping[str, Any] = item[method.lower()]["responses"]
            return responses
    return None


@cache
def _validator(schema: str) -> jsonschema.Draft202012Validator:
    components = {name: _plain(part, name) for name, part in _description()["components"]["schemas"].items()}
    whole = {**json.loads(schema), "components": {"schemas": components}}
    return jsonschema.Draft202012Validator(whole, format_checker=jsonschema.FormatChecker())


def _plain(schema: Any, name: str = "") -> Any:
    """Return a schema of OpenAPI 3.0 as JSON Schema: null where it may be, no fields without a name."""
    if isinstance(schema, list):
        return [_plain(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    found = {key: _plain(value) if key not in ("enum", "default") else value for key, value in schema.items()}
    nullable = found.pop("nullable", False)
    if "properties" in found:
        found["properties"] = {key: _plain(value) for key, value in schema["properties"].items()}
        for newer in _NEWER.get(name, ()):
            found["properties"].setdefault(newer, {})
        if "additionalProperties" not in found and not any(
            key in found for key in ("allOf", "anyOf", "oneOf")
        ):
            found["additionalProperties"] = False
    return {"anyOf": [{"type": "null"}, found]} if nullable else found
