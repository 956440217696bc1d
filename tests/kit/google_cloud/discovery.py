"""Google's own descriptions of its APIs, and whether a request or an answer is as they say.

They ship with google-api-python-client, so no network is asked. What a request has that they do not know, or
lacks of what they require, and every field of an answer that is not there or has another type, is a problem.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any
from uuid import UUID

Json = dict[str, Any]
_DOCUMENTS = "googleapiclient.discovery_cache.documents"
_APIS = ("compute.v1", "cloudresourcemanager.v1")
# What clients of Google's own kind ask for though it is said to be told: an empty group has no other network.
_ALL_THE_SAME = ("compute.instanceGroups.insert: field network is told, and not asked for",)


@dataclass(frozen=True, slots=True, kw_only=True)
class Method:
    """One method of an API: `id` (`compute.networks.insert`), how it is called, what it takes and gives."""

    id: str
    http: str
    path: re.Pattern[str]
    parameters: Mapping[str, Json]
    request: str
    response: str

    @property
    def collection(self) -> str:
        return self.id.split(".")[-2]

    @property
    def verb(self) -> str:
        return self.id.rpartition(".")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Description:
    """What an API has: its methods, the schemas of its values, the parameters that all methods take."""

    methods: tuple[Method, ...]
    schemas: Mapping[str, Json]
    common: Mapping[str, Json]


@cache
def describe() -> tuple[Description, ...]:
    """Return what is known of each API."""
    return tuple(_read(name) for name in _APIS)


def document(name: str) -> Json:
    """Return an API's own description as it is published (`compute.v1`)."""
    found: Json = json.loads(files(_DOCUMENTS).joinpath(f"{name}.json").read_text(encoding="utf-8"))
    return found


def match(http: str, path: str) -> tuple[Description, Method, dict[str, str]] | None:
    """Return the method that a request calls, with the parameters of its path; None where there is none."""
    for api in describe():
        for method in api.methods:
            if method.http == http and (found := method.path.fullmatch(path.lstrip("/"))):
                return api, method, found.groupdict()
    return None


def request_problems(
    api: Description, method: Method, path: Mapping[str, str], query: Mapping[str, list[str]], body: Any
) -> list[str]:
    """Return what is wrong with a request."""
    problems = [
        f"{method.id}: parameter {name} is required"
        for name, about in method.parameters.items()
        if about.get("required") and name not in path and name not in query
    ]
    for name, values in query.items():
        known = method.parameters.get(name) or api.common.get(name)
        if known is None:
            problems.append(f"{method.id}: there is no parameter {name}")
            continue
        problems += [f"{method.id}: {name}={value}" for value in values if not _fits(known, value)]
    for name, value in path.items():
        pattern = method.parameters[name].get("pattern", ".*")
        if not re.fullmatch(pattern, value):
            problems.append(f"{method.id}: {name}={value} is not {pattern}")
    if "requestId" in query and not _is_uuid(query["requestId"][0]):
        problems.append(f"{method.id}: requestId is no UUID")
    if not method.request:
        return problems if body is None else [*problems, f"{method.id}: takes no body"]
    if body is None:
        return [*problems, f"{method.id}: lacks its body"]
    schema = {"$ref": method.request}
    found = (*value_problems(api, schema, body), *_only_told(api, schema, body), *_missing(api, method, body))
    return problems + [f"{method.id}: {one}" for one in found if f"{method.id}: {one}" not in _ALL_THE_SAME]


def value_problems(api: Description, schema: Json, value: Any, where: str = "") -> Iterator[str]:
    """Yield what of a value is otherwise than its schema says."""
    if "$ref" in schema:
        schema = api.schemas[schema["$ref"]]
    kind = schema.get("type", "any")
    if kind == "object":
        yield from _object_problems(api, schema, value, where)
    elif kind == "array":
        if not isinstance(value, list):
            yield f"{where} is no list"
            return
        for number, one in enumerate(value):
            yield from value_problems(api, schema["items"], one, f"{where}[{number}]")
    elif not _is(schema, value):
        yield f"{where or 'it'} is {value!r}, and not {kind} {schema.get('format', '')}".rstrip()
    elif "enum" in schema and value not in schema["enum"]:
        yield f"{where} is {value!r}, and none of {schema['enum']}"


def _object_problems(api: Description, schema: Json, value: Any, where: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{where} is no object"
        return
    known, others = schema.get("properties", {}), schema.get("additionalProperties")
    for name, one in value.items():
        path = f"{where}.{name}" if where else name
        if about := known.get(name) or others:
            yield from value_problems(api, about, one, path)
        else:
            yield f"there is no field {path}"


def _only_told(api: Description, schema: Json, value: Any, where: str = "") -> Iterator[str]:
    """Yield the fields of a body that Google tells, and that nobody can ask for."""
    schema = api.schemas[schema["$ref"]] if "$ref" in schema else schema
    if isinstance(value, list):
        for one in value:
            yield from _only_told(api, schema.get("items", {}), one, where)
    for name, one in value.items() if isinstance(value, dict) else ():
        about, path = schema.get("properties", {}).get(name, {}), f"{where}.{name}" if where else name
        if about.get("readOnly") or about.get("description", "").startswith("[Output Only]"):
            yield f"field {path} is told, and not asked for"
        yield from _only_told(api, about, one, path)


def _missing(api: Description, method: Method, body: Json) -> Iterator[str]:
    """Yield the fields of a body that a method requires and that are not there."""
    for name, about in api.schemas[method.request].get("properties", {}).items():
        if method.id in about.get("annotations", {}).get("required", ()) and not body.get(name):
            yield f"field {name} is required"


def _is(schema: Json, value: Any) -> bool:
    kind, form = schema.get("type"), schema.get("format", "")
    if kind == "string":
        number = form in ("int64", "uint64")
        return isinstance(value, str) and (not number or value.lstrip("-").isdigit())
    if kind == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if kind == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return kind == "any" or isinstance(value, bool)


def _fits(about: Json, text: str) -> bool:
    """Whether a text in a query is a value of that type."""
    if about["type"] == "integer":
        return text.isdigit()
    if about["type"] == "boolean":
        return text in ("true", "false")
    return "enum" not in about or text in about["enum"]


def _is_uuid(text: str) -> bool:
    try:
        return UUID(text).int != 0
    except ValueError:
        return False


def _read(name: str) -> Description:
    found = document(name)
    base = found["servicePath"]
    return Description(
        methods=tuple(_methods(found["resources"], base)),
        schemas=found["schemas"],
        common=found["parameters"],
    )


def _methods(resources: Mapping[str, Json], base: str) -> Iterator[Method]:
    for resource in resources.values():
        for about in resource.get("methods", {}).values():
            # A parameter is one segment; only `{+name}` spans more, and nothing here is called by that.
            pattern = re.sub(
                r"\\{(\w+)\\}", r"(?P<\1>[^/:]+)", re.escape(base + about.get("flatPath", about["path"]))
            )
            yield Method(
                id=about["id"],
                http=about["httpMethod"],
                path=re.compile(pattern),
                parameters=about.get("parameters", {}),
                request=about.get("request", {}).get("$ref", ""),
                response=about.get("response", {}).get("$ref", ""),
            )
        yield from _methods(resource.get("resources", {}), base)
