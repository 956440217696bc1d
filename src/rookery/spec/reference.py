"""docs/spec.md: every key that a spec may have, read from the JSON Schema.

What the schema says of a key (kind, limits, default, description) is all that the page says of it, so the
page is never ahead of the parser nor behind it. Parts that stand at several places, like a pool, have one
section that names them all.
"""

from __future__ import annotations

from typing import Any

from rookery.units import format_size

Node = dict[str, Any]

_HEAD = """\
# The spec

Every key that a spec may have. All but `apiVersion` may be left out: what a spec leaves out comes from the
pattern that it names, and from the default below where it names none. An unknown key is an error. Sizes carry
their unit: GB for drives (powers of ten), GiB for memory (powers of two).

`docs/spec.schema.json` is the same for editors, as `rookery schema` prints it. This page is generated from
it.
"""

_COLUMNS = "| key | kind | default | what it says |\n|---|---|---|---|"
_KINDS = {"boolean": "`true` or `false`", "integer": "whole number", "string": "text"}


def render_reference(schema: Node) -> str:
    """Return the text of docs/spec.md from the JSON Schema of a spec (`rookery.spec.schema`)."""
    places = _places(schema)
    parts = [_HEAD, _table(schema, schema, places)]
    for name, paths in places.items():
        node = schema["$defs"][name]
        parts.append(f"\n## {_heading(paths)}\n\n{node['description']}\n\n{_table(node, schema, places)}")
    return "\n".join(parts) + "\n"


def _places(schema: Node) -> dict[str, list[str]]:
    """Return each part of the schema with the dotted paths at which it stands, in the order of a spec."""
    found: dict[str, list[str]] = {}

    def walk(node: Node, path: str) -> None:
        for key, value in node["properties"].items():
            name = _part(value)
            if name:
                inner = f"{path}{key}{'[]' if value.get('type') == 'array' else ''}"
                found.setdefault(name, []).append(inner)
                walk(schema["$defs"][name], f"{inner}.")

    walk(schema, "")
    return found


def _part(node: Node) -> str:
    """Return the name of the part that a key's value is (or lists), empty for a plain value."""
    if "$ref" in node:
        return str(node["$ref"]).rpartition("/")[2]
    inner = [*node.get("anyOf", ()), *([node["items"]] if "items" in node else [])]
    return next((name for one in inner if (name := _part(one))), "")


def _heading(paths: list[str]) -> str:
    return ", ".join(paths)


def _anchor(paths: list[str]) -> str:
    """Return the anchor that a Markdown viewer gives a section's heading."""
    return "".join(c for c in _heading(paths).lower() if c.isalnum() or c in " -").replace(" ", "-")


def _table(node: Node, schema: Node, places: dict[str, list[str]]) -> str:
    required = node.get("required", ())
    rows = [_COLUMNS]
    for key, value in node["properties"].items():
        what = value.get("description") or schema["$defs"].get(_part(value), {}).get("description", "")
        default = "required" if key in required else _default(value, schema)
        rows.append(f"| `{key}` | {_kind(value, places)} | {default} | {what} |")
    return "\n".join(rows)


def _kind(node: Node, places: dict[str, list[str]]) -> str:
    """Say what a value may be, with its limits."""
    name = _part(node)
    if name:
        kind = "list of mappings" if node.get("type") == "array" else "mapping"
        return f"[{kind}](#{_anchor(places[name])})"
    if _is_size(node):
        return f"size, at least {format_size(node['minimum'])}"
    options = [option for option in node.get("anyOf", ()) if option["type"] != "null"]
    if options:
        return _kind(options[0], places)
    if node.get("type") == "array":
        return f"list of {_kind(node['items'], places)}"
    if node.get("type") == "object":  # of what has no keys of its own, but any
        return f"mapping of names to {_kind(node['additionalProperties'], places)}"
    choice = node.get("enum", [node["const"]] if "const" in node else [])
    return " or ".join(f"`{value}`" for value in choice) or _KINDS[node["type"]] + _limits(node)


def _limits(node: Node) -> str:
    if "pattern" in node:
        length = f", at most {node['maxLength']} characters" if "maxLength" in node else ""
        return f" like `{node['pattern']}`{length}"
    if "minimum" in node and "maximum" in node:
        return f", {node['minimum']} to {node['maximum']}"
    return ""


def _is_size(node: Node) -> bool:
    """Tell whether a value counts bytes: a number, or text with a unit, of at least so many."""
    kinds = {option.get("type") for option in node.get("anyOf", ())}
    return "minimum" in node and kinds == {"string", "integer"}


def _default(node: Node, schema: Node) -> str:
    value = node.get("default")
    if value in (None, "", [], {}):
        return "none"
    if isinstance(value, dict):
        return "see its keys"
    if isinstance(value, list):
        part = schema["$defs"][_part(node)]["properties"]
        return ", ".join(_written(item, part) for item in value)
    if _is_size(node):
        return format_size(value)
    return f"`{str(value).lower() if isinstance(value, bool) else value}`"


def _written(item: Node, properties: Node) -> str:
    """Write a mapping on one line, as a spec may have it."""
    words = (
        f"{key}: {format_size(item[key]).replace(' ', '') if _is_size(properties[key]) else item[key]}"
        for key in properties
    )
    return f"`{{{', '.join(words)}}}`"
