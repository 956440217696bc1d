"""Structures as YAML: the one place where objects become text.

Keys stay in the order in which they were built, which is the order people write them in; texts of several
lines are literal blocks, so that a configuration file in a ConfigMap reads as it is.

A text is quoted wherever any reader would take it for something else: YAML 1.1 (Ansible, Python), YAML 1.2,
and what Kubernetes, Helm and Flux read with, Go's YAML, which takes `6402913e34` for a number and `y` for a
truth value or a text, by its release.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable
from typing import Any

import yaml

from rookery.manifest import Manifest
from rookery.texts import one_line

_WIDTH = 96
_WIDEST = 4096  # no value of ours is folded: `kubectl diff` and people compare lines

# What some reader takes for a number, each form with its reader: Go's YAML drops underscores before it looks
# and wants no dot in a float (resolve.go of go-yaml 2 and 3); ruamel.yaml takes `-_1` for one; YAML 1.1 has
# binary, octal and sexagesimal numbers (https://yaml.org/type/int.html, float.html), YAML 1.2 octal ones with
# an o (core schema, 10.3.2).
_NUMBER = re.compile(
    r"""[-+]?(
        0[xX][0-9a-fA-F_]+ | 0[bB][01_]+ | 0[oO][0-7_]+
      | [0-9_]+ | [0-9][0-9_]*(:[0-9_]+)+(\.[0-9_]*)?
      | (\.[0-9_]+ | [0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9_]+)?
      | \.(inf|nan) | 0[xX][0-9a-fA-F_.]+[pP][-+]?[0-9]+
    )""",
    re.VERBOSE | re.IGNORECASE,
)
# A date, or one with a time (https://yaml.org/type/timestamp.html); whatever follows, a reader may try.
_DATE = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}([Tt \t].*)?")
# Truth values (https://yaml.org/type/bool.html), nothing, a merge, a default value.
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "~", "<<", "=", ""})
# Ends of lines in YAML 1.1 and none in 1.2, a mark of byte order, and controls: escapes say the same to all.
_ODD = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ufeff]")


class _Dumper(yaml.CSafeDumper):
    """Writes lists right below their key, as kubectl does, texts as literal blocks, and never an alias."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True


def _text(dumper: _Dumper, value: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=_style(value))


def _style(value: str) -> str | None:
    """Return how a text is written: with None the emitter quotes what would break its syntax, and no more."""
    if _ODD.search(value):
        return '"'
    if "\n" in value:
        return "|"
    otherwise = value.lower() in _WORDS or _NUMBER.fullmatch(value) or _DATE.fullmatch(value)
    return "'" if otherwise else None


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
    """Return a text as comment lines, wrapped; nothing for an empty text.

    Whatever some reader takes for the end of a line, or for no text at all, is a space.
    """
    if not text:
        return ""
    paragraphs = text.strip().split("\n")
    lines = [line for part in paragraphs for line in (_wrapped(part) or [""])]
    return "".join(f"# {line}".rstrip() + "\n" for line in lines)


def _wrapped(text: str) -> list[str]:
    """Return the lines of a paragraph; names in commands have hyphens, and stay whole."""
    return textwrap.wrap(one_line(text), _WIDTH - 2, break_on_hyphens=False)


def _plain(value: Any) -> Any:
    """Return a structure of dictionaries, lists and scalars only; enums and the like become texts."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return str(value) if isinstance(value, str) else value
