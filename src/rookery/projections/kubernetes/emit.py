"""Structures as YAML: the one place where objects become text.

Keys stay in the order in which they were built, which is the order people write them in; texts of several
lines are literal blocks, so that a configuration file in a ConfigMap reads as it is.
"""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from typing import Any

import yaml

from rookery.manifest import Manifest

_WIDTH = 96
_WIDEST = 4096  # no value of ours is folded: `kubectl diff` and people compare lines


class _Dumper(yaml.CSafeDumper):
    """Writes lists right below their key, as kubectl does, texts as literal blocks, and never an alias."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Dumper.add_representer(str, _text)
_Dumper.add_representer(tuple, yaml.CSafeDumper.represent_list)


def dump(documents: Iterable[Manifest], *, comment: str = "") -> str:
    """Return documents as one YAML file, below a comment that says what it is for."""
    texts = [
        yaml.dump(_plain(document), Dumper=_Dumper, sort_keys=False, width=_WIDEST, allow_unicode=True)
        for document in documents
    ]
    return as_comment(comment) + "---\n".join(texts)


def as_comment(text: str) -> str:
    """Return a text as comment lines, wrapped; nothing for an empty text."""
    if not text:
        return ""
    paragraphs = text.strip().split("\n")
    lines = [line for part in paragraphs for line in (_wrapped(part) or [""])]
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def _wrapped(text: str) -> list[str]:
    """Return the lines of a paragraph; names in commands have hyphens, and stay whole."""
    return textwrap.wrap(text, _WIDTH - 2, break_on_hyphens=False)


def _plain(value: Any) -> Any:
    """Return a structure of dictionaries, lists and scalars only; enums and the like become texts."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, str) else value
