"""Text to Spec: strict (`strict.py`), over the pattern that it builds on."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pydantic import create_model

from rookery.errors import InputError
from rookery.spec.model import API_VERSION, Apps, AppSettings, Spec
from rookery.spec.strict import (
    Document,
    Form,
    Path,
    Problem,
    UnreadableError,
    at,
    dotted,
    nearest_place,
    parse_document,
    read_model,
)
from rookery.versions import KUBERNETES

SettingsTable = Mapping[str, type[AppSettings]]

_NETWORK = "write an IPv4 network like 10.20.0.0/24"
_ADDRESS = "write an IPv4 address like 10.20.0.5"
_TEXTS = {
    "name": "use lower-case letters, digits and dashes, a letter first",
    "lease": "write a time like 90min, 8h, 3d, 1d12h or 2w",
    "domain": "use lower-case letters, digits, hyphens and dots, like demo.example.org",
    "version": f'write a minor version in quotes, like "{KUBERNETES}"',
    **dict.fromkeys(("public", "cluster", "pods", "services"), _NETWORK),
    **dict.fromkeys(("balancer", "addresses"), _ADDRESS),
}
_SPEC = Form(
    name="spec",
    starts=f"apiVersion: {API_VERSION}",
    hint="`rookery schema` prints the JSON Schema that editors complete from.",
    texts=_TEXTS,
    more=("pattern",),
)

ReadPattern = Callable[[str], tuple[str, str]]
"""Given a pattern's name as the spec writes it, return the name of its file and its text."""


Judge = Callable[[Mapping[str, Any]], Iterable[tuple[Path, str]]]
"""Given a spec as plain data, yield what is wrong with what it names outside itself: path and message."""


def spec_model(settings: SettingsTable) -> type[Spec]:
    """Return the model of a spec whose `apps` are those of the table; one that a spec has a field of its own
    for stands there."""
    fields: dict[str, Any] = {name: (kind | None, None) for name, kind in settings.items()}
    own = {name: fields.pop(name) for name in Spec.model_fields.keys() & fields.keys()}
    apps = create_model("Apps", __base__=Apps, __doc__="The applications of the system.", **fields)
    doc = "One demo system, as its user describes it."
    return create_model("Spec", __base__=Spec, __doc__=doc, apps=(apps, apps()), **own)


def parse_spec(
    text: str,
    *,
    file: str,
    settings: SettingsTable,
    read_pattern: ReadPattern,
    judge: Judge = lambda _data: (),
) -> Spec:
    """Parse a spec and the patterns it builds on.

    Raises UnreadableError with every problem found, those that `judge` sees included.
    """
    document = _with_pattern(parse_document(text, file=file, form=_SPEC), read_pattern, seen=(file,))
    seen = [
        at(*nearest_place(path, document, file), dotted(path), message)
        for path, message in judge(document.data)
    ]
    spec, problems = read_model(document, spec_model(settings), file=file, form=_SPEC)
    problems += seen
    if spec is None or problems:
        raise _unreadable(*sorted(problems, key=lambda p: (p.file, p.line, p.path)))
    return spec


def _unreadable(*problems: Problem, hint: str | None = None) -> UnreadableError:
    return UnreadableError(_SPEC, problems, hint=hint)


def _with_pattern(document: Document, read_pattern: ReadPattern, *, seen: tuple[str, ...]) -> Document:
    """Lay `document` over the pattern it names, and that over its own, to the end."""
    if "pattern" not in document.data:
        return document
    name = document.data["pattern"]
    file, line = document.places[("pattern",)]
    if not isinstance(name, str):
        raise _unreadable(at(file, line, "pattern", "is a pattern's name or the path of a spec"))
    try:
        pattern_file, text = read_pattern(name)
    except InputError as error:
        said = f"{error.what}. {error.hint}".rstrip(". ")
        end = "" if said.endswith("?") else "."
        raise _unreadable(at(file, line, "pattern", said + end), hint="") from None
    if pattern_file in seen:
        chain = " -> ".join((*seen, pattern_file))
        raise _unreadable(at(file, line, "pattern", f"builds on itself: {chain}"))
    base = _with_pattern(
        parse_document(text, file=pattern_file, form=_SPEC), read_pattern, seen=(*seen, pattern_file)
    )
    own = {key: value for key, value in document.data.items() if key != "pattern"}
    places = {**base.places, **document.places}
    return Document(data=_overlay({**base.data, **_description(name, own)}, own), places=places)


def _description(pattern: str, own: Mapping[str, Any]) -> dict[str, str]:
    """Return what takes the place of a pattern's description, which speaks of its own servers and storage."""
    changed = [key for key in ("hosts", "network", "storage") if key in own]
    if not changed:
        return {}
    return {"description": f"The pattern {pattern}, with {' and '.join(changed)} of its own."}


# Two ways to keep a pool's data exclude each other: choosing one replaces the pattern's other.
_EXCLUDES = {"replicas": "erasureCoding", "erasureCoding": "replicas"}


def _overlay(base: dict[str, Any], own: dict[str, Any]) -> dict[str, Any]:
    """Lay `own` over `base`: mappings merge key by key, everything else is replaced whole."""
    result = {key: value for key, value in base.items() if _EXCLUDES.get(key) not in own}
    for key, value in own.items():
        below = result.get(key)
        both = isinstance(below, dict) and isinstance(value, dict)
        result[key] = _overlay(below, value) if both else value  # type: ignore[arg-type]
    return result
