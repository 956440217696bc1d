"""What Kubernetes and the pinned charts accept, for tests: built-in kinds, custom resources, chart values.

Built-in kinds come with the package kubernetes-validate. Custom resource definitions and chart values are
thousands of lines of other projects': they lie in a folder that ROOKERY_SCHEMAS names (`GROUP/KIND.json`,
`helm/CHART.values.json`, `helm/CHART.schema.json`), and tests that need them are skipped where it is not set.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from rookery.versions import KUBERNETES

VARIABLE = "ROOKERY_SCHEMAS"

needs_schemas = pytest.mark.skipif(
    not Path(os.environ.get(VARIABLE, "/nowhere")).is_dir(),
    reason=f"{VARIABLE} names no folder with the definitions of Rook's and the charts' custom resources;"
    " HACKING.md, 'The Kubernetes tree', says what it holds and where that comes from",
)

# The library parses all definitions of a version anew, a megabyte or two, for each object that it looks at.
kubernetes_validate.utils.schema_contents = cache(kubernetes_validate.utils.schema_contents)

# Cilium's definitions are not among the schemas; its objects are checked as far as every object is.
UNKNOWN = {"cilium.io"}


def folder() -> Path:
    return Path(os.environ[VARIABLE])


def plain(value: Any) -> Any:
    """Return a value as JSON has it: tuples become lists."""
    return json.loads(json.dumps(value))


def problems(document: Mapping[str, Any], version: str = KUBERNETES) -> tuple[str, ...]:
    """Return what is wrong with an object, strictly: a field that its kind does not have is an error.

    Built-in kinds are those of that minor version of Kubernetes. Most designs have most objects in common:
    each is looked at once.
    """
    return _problems(json.dumps(document, sort_keys=True), version)


@cache
def _problems(text: str, version: str) -> tuple[str, ...]:
    return tuple(_look_for_problems(json.loads(text), version))


def _look_for_problems(document: Mapping[str, Any], version: str) -> Iterator[str]:
    api, kind = document["apiVersion"], document["kind"]
    group = api.rpartition("/")[0]
    where = f"{kind}/{document['metadata']['name']}"
    if group in UNKNOWN:
        return
    if group and "." in group and not group.endswith(".k8s.io"):
        yield from (f"{where}: {text}" for text in _custom_problems(document))
        return
    try:
        kubernetes_validate.validate(document, version, strict=True)
    except kubernetes_validate.SchemaNotFoundError:
        yield from (f"{where}: {text}" for text in _custom_problems(document))
    except kubernetes_validate.ValidationError as error:
        yield f"{where}: {error}"


def is_custom(document: Mapping[str, Any]) -> bool:
    """Whether an object's schema is among those that ROOKERY_SCHEMAS names."""
    group = document["apiVersion"].rpartition("/")[0]
    return group not in UNKNOWN and "." in group and not _is_builtin(group)


def _is_builtin(group: str) -> bool:
    builtin = {"rbac.authorization.k8s.io", "networking.k8s.io", "storage.k8s.io", "coordination.k8s.io"}
    return group in builtin


def _custom_problems(document: Mapping[str, Any]) -> Iterator[str]:
    api, kind = document["apiVersion"], document["kind"]
    schema = definitions().get((api, kind))
    if schema is None:
        yield f"{api} {kind} is defined nowhere"
        return
    yield from schema_problems(schema, document)


def spec_problems(kind: str, spec: Mapping[str, Any], api: str = "ceph.rook.io/v1") -> Iterator[str]:
    """Yield what is wrong with the spec of a custom resource that a chart makes."""
    schema = definitions()[api, kind]["properties"]["spec"]
    yield from (f"{kind}: {text}" for text in schema_problems(schema, spec))


def schema_problems(schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    """Yield where a value breaks a schema, as `path: what`."""
    for error in jsonschema.Draft202012Validator(schema).iter_errors(plain(value)):
        path = ".".join(str(part) for part in error.absolute_path)
        yield f"{path}: {error.message}"


@cache
def definitions() -> Mapping[tuple[str, str], dict[str, Any]]:
    """Return the schema of each custom resource by apiVersion and kind, closed: no unknown fields."""
    found = {}
    for path in folder().glob("*/*.json"):
        data = json.loads(path.read_text())
        if data.get("kind") != "CustomResourceDefinition":
            continue
        spec = data["spec"]
        for version in spec["versions"]:
            schema = _closed(version["schema"]["openAPIV3Schema"])
            schema["properties"] |= {"apiVersion": {}, "kind": {}, "metadata": {"type": "object"}}
            found[f"{spec['group']}/{version['name']}", spec["names"]["kind"]] = schema
    return found


def _closed(schema: Any) -> Any:
    """Return a schema in which an object has no fields but those that are named, as an API server prunes."""
    if isinstance(schema, list):
        return [_closed(one) for one in schema]
    if not isinstance(schema, dict):
        return schema
    closed = {key: value if key in ("enum", "default") else _closed(value) for key, value in schema.items()}
    kept_open = "additionalProperties" in schema or schema.get("x-kubernetes-preserve-unknown-fields")
    if schema.get("type") == "object" and "properties" in schema and not kept_open:
        closed["additionalProperties"] = False
    return closed


@cache
def chart_values(chart: str) -> dict[str, Any]:
    """Return the default values of a chart."""
    data: dict[str, Any] = json.loads((folder() / "helm" / f"{chart}.values.json").read_text())
    assert data["chart"]
    values: dict[str, Any] = data["values"]
    return values


@cache
def chart_schema(chart: str) -> dict[str, Any] | None:
    """Return the schema of a chart's values, None where the chart has none."""
    path = folder() / "helm" / f"{chart}.schema.json"
    if not path.exists():
        return None
    schema: dict[str, Any] = json.loads(path.read_text())
    return schema


def laid_over(defaults: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return values as Helm lays them over a chart's defaults: what a values schema is held against."""
    found = dict(defaults)
    for key, value in values.items():
        below = found.get(key)
        if isinstance(value, Mapping) and isinstance(below, Mapping):
            found[key] = laid_over(below, value)
        else:
            found[key] = value
    return found


def unknown_keys(
    values: Mapping[str, Any], defaults: Mapping[str, Any], free: frozenset[str], path: str = ""
) -> Iterator[str]:
    """Yield keys that a chart's defaults do not have, but for those below the paths in `free`."""
    for key, value in values.items():
        here = f"{path}.{key}" if path else key
        if here in free:
            continue
        if key not in defaults:
            yield here
        elif isinstance(value, Mapping) and isinstance(defaults[key], Mapping) and defaults[key]:
            yield from unknown_keys(value, defaults[key], free, here)
