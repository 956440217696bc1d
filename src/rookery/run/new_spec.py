"""The text of a spec to start from."""

from __future__ import annotations

import re
from pathlib import Path

from rookery.apps.table import SETTINGS
from rookery.spec.load import read_pattern
from rookery.spec.model import API_VERSION
from rookery.spec.parse import parse_spec

_FALLBACK_NAME = "demo"


def initial_spec(*, pattern: str, name: str, base: Path) -> str:
    """Return a spec called `name` that builds on `pattern`; raises InputError where there is no such pattern.

    A name that no spec may have is bent into one that it may.
    """
    name = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")[:32].rstrip("-")
    name = name if name and name[0].isalpha() else _FALLBACK_NAME
    text = _TEXT.format(version=API_VERSION, name=name, pattern=pattern)
    parse_spec(
        text, file="the new spec", settings=SETTINGS, read_pattern=lambda n: read_pattern(n, relative_to=base)
    )
    return text


_TEXT = """\
# What this says is laid over the pattern; `rookery patterns show {pattern}` prints that.
# `rookery schema` has every key, `rookery plan` what follows from them.
apiVersion: {version}
name: {name}
pattern: {pattern}

# hosts:
#   storage:
#     count: 5
#     drives:
#       - {{count: 3, size: 20GB, class: ssd}}
# network:
#   encryption: true
# apps:
#   cdn:
#     site: ./my-site
"""
