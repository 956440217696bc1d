"""The JSON Schema of a spec, for editors: generated from the model, never written by hand."""

from __future__ import annotations

from typing import Any

from rookery.spec.model import SIZE_FORM
from rookery.spec.parse import SettingsTable, spec_model


def build_schema(settings: SettingsTable) -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of a spec with the given applications."""
    schema = spec_model(settings).model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "rookery spec"
    schema["properties"]["pattern"] = {
        "type": "string",
        "description": "The pattern this spec builds on: a name from `rookery patterns`, or a spec's path.",
    }
    _say_sizes(schema)
    return schema


def _say_sizes(node: Any) -> None:
    """Write the form of a size, whole, and the least where editors look for it: pydantic has its own name."""
    if isinstance(node, dict):
        if "ge" in node:
            node["minimum"] = node.pop("ge")
        if str(node.get("pattern", "")).endswith(r"(\w+)?"):  # ByteSize's, which has no end
            node["pattern"] = SIZE_FORM
        for value in node.values():
            _say_sizes(value)
