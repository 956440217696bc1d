"""Text to Spec: strict, and with every problem reported at once.

YAML is read as a tree of nodes first, so that each problem can name its file, line and dotted path, even
where the value came from the pattern that the spec builds on. Plain words mean what they mean in YAML 1.2
(`scalars.py`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ValidationError, create_model

from rookery.errors import InputError
from rookery.spec.model import API_VERSION, Apps, AppSettings, Spec
from rookery.spec.scalars import CORE, PREFIX, Loader, read_scalar
from rookery.units import format_size
from rookery.versions import KUBERNETES

Path = tuple[str | int, ...]
SettingsTable = Mapping[str, type[AppSettings]]

_DEEPEST = 32
_KEYS_HINT = "`rookery schema` prints the JSON Schema that editors complete from."


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a spec: where it stands, and what to do about it."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}"
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class SpecError(InputError):
    """A spec that cannot be used, with all of its problems."""

    def __init__(self, problems: tuple[Problem, ...], *, hint: str = _KEYS_HINT) -> None:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(
            f"the spec has {count}",
            details=tuple(str(problem) for problem in problems),
            hint=hint,
        )
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A YAML mapping as plain data, with the file and line of every path in it."""

    data: dict[str, Any]
    places: Mapping[Path, tuple[str, int]]


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

    Raises SpecError with every problem found, those that `judge` sees included.
    """
    document = _with_pattern(parse_document(text, file=file), read_pattern, seen=(file,))
    model = spec_model(settings)
    problems = [
        _at(*_nearest_place(path, document, file), _dotted(path), message)
        for path, message in judge(document.data)
    ]
    spec = None
    try:
        spec = model.model_validate(document.data, by_alias=True, by_name=False)
    except ValidationError as error:
        items = _without_echoes([dict(item) for item in error.errors()])
        problems += [_problem(item, document, model, file) for item in items]
    if spec is None or problems:
        raise SpecError(tuple(sorted(problems, key=lambda p: (p.file, p.line, p.path)))) from None
    return spec


def parse_document(text: str, *, file: str) -> Document:
    """Read YAML text into plain data, refusing duplicate keys and anything but a mapping at the top."""
    try:
        _refuse_deep_nesting(text, file)
        root = yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise _not_yaml(file, line, _in_words(error, text, mark)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _not_yaml(file, line, error.reason) from None
    except yaml.YAMLError as error:
        raise _not_yaml(file, 1, str(error)) from None
    if root is None:
        raise SpecError(
            (_at(file, 1, "", f"the file is empty; a spec starts with `apiVersion: {API_VERSION}`"),)
        )
    if not isinstance(root, yaml.MappingNode):
        raise SpecError(
            (_at(file, 1, "", f"a spec is a mapping that starts with `apiVersion: {API_VERSION}`"),)
        )
    reader = _NodeReader(file)
    data = reader.read(root, ())
    if reader.problems:
        raise SpecError(tuple(reader.problems))
    assert isinstance(data, dict)
    return Document(data=data, places=reader.places)


def _not_yaml(file: str, line: int, why: str) -> SpecError:
    return SpecError((_at(file, line, "", f"not valid YAML: {why}"),), hint="")


def _in_words(error: yaml.MarkedYAMLError, text: str, mark: yaml.Mark | None) -> str:
    """Return what a parser found: a tab it calls a character that starts no token."""
    if mark is not None and text[mark.index : mark.index + 1] == "\t":
        return "a tab stands where a line is indented; use blanks"
    return str(error.problem or error.context)


def _refuse_deep_nesting(text: str, file: str) -> None:
    """Raise SpecError where the text nests deeper than any spec does: a composer recurses, to its death."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise SpecError((_at(file, line, "", f"nests deeper than {_DEEPEST} levels; no spec does"),))


class _NodeReader:
    """Turns YAML nodes into plain data while it notes where each stands."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.places: dict[Path, tuple[str, int]] = {}
        self.problems: list[Problem] = []
        self._read: set[int] = set()

    def read(self, node: yaml.Node, path: Path) -> Any:
        line = node.start_mark.line + 1
        self.places.setdefault(path, (self.file, line))
        if id(node) in self._read:
            # An alias gives the same node again, perhaps one that contains itself.
            message = "repeats a value by its anchor (`*`); write the value out"
            self.problems.append(_at(self.file, line, _dotted(path), message))
            return None
        self._read.add(id(node))
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.read(child, (*path, index)) for index, child in enumerate(node.value)]
        assert isinstance(node, yaml.ScalarNode)
        return self._scalar(node, path)

    def _scalar(self, node: yaml.ScalarNode, path: Path) -> Any:
        """Return the value of a scalar; one that readers disagree about is a problem."""
        text, kind = node.value, node.tag.removeprefix(PREFIX)
        line = node.start_mark.line + 1
        if kind == "int" and not node.style and re.match(r"[-+]?0[0-9]", text):
            octal = "" if set(text) & {"8", "9"} else f"; others read {int(text, 8)}"
            message = f"is {text}, a number with a zero before it{octal}; write {int(text)}"
            self.problems.append(_at(self.file, line, _dotted(path), message))
            return None
        try:
            return read_scalar(kind, text)
        except (KeyError, ValueError):
            what = f"{text[:40]} as !!{kind}" if kind in CORE else f"the tag {node.tag}"
            self.problems.append(_at(self.file, line, _dotted(path), f"cannot be read: {what}"))
            return None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None or (key == "<<" and not key_node.style):
                self.problems.append(_at(self.file, line, _dotted(path), "keys are plain words here"))
                continue
            if key in result:
                self.problems.append(_at(self.file, line, _dotted((*path, key)), "stands twice; keep one"))
            self.places[(*path, key)] = (self.file, line)
            result[key] = self.read(value_node, (*path, key))
        return result


def _with_pattern(document: Document, read_pattern: ReadPattern, *, seen: tuple[str, ...]) -> Document:
    """Lay `document` over the pattern it names, and that over its own, to the end."""
    if "pattern" not in document.data:
        return document
    name = document.data["pattern"]
    file, line = document.places[("pattern",)]
    if not isinstance(name, str):
        raise SpecError((_at(file, line, "pattern", "is a pattern's name or the path of a spec"),))
    try:
        pattern_file, text = read_pattern(name)
    except InputError as error:
        said = f"{error.what}. {error.hint}".rstrip(". ")
        end = "" if said.endswith("?") else "."
        raise SpecError((_at(file, line, "pattern", said + end),), hint="") from None
    if pattern_file in seen:
        chain = " -> ".join((*seen, pattern_file))
        raise SpecError((_at(file, line, "pattern", f"builds on itself: {chain}"),))
    base = _with_pattern(parse_document(text, file=pattern_file), read_pattern, seen=(*seen, pattern_file))
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


def _without_echoes(errors: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Leave out that a list is too short where the reason is that its items are wrong themselves."""
    paths: list[Path] = [error["loc"] for error in errors]
    return [
        error
        for error in errors
        if error["type"] != "too_short" or not any(_is_below(path, error["loc"]) for path in paths)
    ]


def _is_below(path: Path, above: Path) -> bool:
    return len(path) > len(above) and path[: len(above)] == above


def _problem(error: dict[str, Any], document: Document, model: type[Spec], file: str) -> Problem:
    path: Path = error["loc"]
    place_file, line = _nearest_place(path, document, file)
    return _at(place_file, line, _dotted(path), _message(error, path, model))


def _message(error: dict[str, Any], path: Path, model: type[Spec]) -> str:
    kind = error["type"]
    if kind == "extra_forbidden":
        known = _keys_at(model, path[:-1])
        near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
        return "unknown key; " + (f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}")
    if kind == "missing":
        return f"is missing; write `{path[-1]}: {API_VERSION}`" if path == ("apiVersion",) else "is missing"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    return f"is {_written(error['input'])}; {_expected(error, path)}"


def _expected(error: dict[str, Any], path: Path) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "literal_error":
        return f"it must be {context['expected']}"
    if kind in _LIMITS:
        words, key = _LIMITS[kind]
        bare = context[key] >= _BYTES and re.fullmatch(r"[0-9]+", str(error["input"]))
        unit = f"; without a unit these are bytes, write {error['input']}GB or the like" if bare else ""
        return f"it must be {words} {_amount(context[key])}{unit}"
    if kind == "string_pattern_mismatch":
        return _FORMS[next(step for step in reversed(path) if isinstance(step, str))]
    text = str(error["msg"])
    return _KINDS.get(kind, f"{text[0].lower()}{text[1:]}")


_NETWORK = "write an IPv4 network like 10.20.0.0/24"
_ADDRESS = "write an IPv4 address like 10.20.0.5"
_FORMS = {
    "name": "use lower-case letters, digits and dashes, a letter first",
    "domain": "use lower-case letters, digits, hyphens and dots, like demo.example.org",
    "version": f'write a minor version in quotes, like "{KUBERNETES}"',
    **dict.fromkeys(("public", "cluster", "pods", "services"), _NETWORK),
    **dict.fromkeys(("balancer", "addresses"), _ADDRESS),
}
_LIMITS = {"greater_than_equal": ("at least", "ge"), "less_than_equal": ("at most", "le")}
# No count reaches this: what does is bytes.
_BYTES = 10**6
_SIZE = "write a size with its unit, like 20GB or 4GiB"
_KINDS = {
    "string_type": "it must be text; put it in quotes",
    "model_type": "it must be a mapping of keys",
    "tuple_type": "it must be a list",
    "too_short": "it must have at least one item",
    "int_parsing": "it must be a whole number",
    "int_type": "it must be a whole number",
    "int_from_float": "it must be a whole number",
    "finite_number": "it must be a whole number",
    "bool_parsing": "it must be true or false",
    "bool_type": "it must be true or false",
    "byte_size": _SIZE,
    "byte_size_unit": _SIZE,
}


def _written(value: object) -> str:
    """Return a value as the file has it, as far as that is known."""
    return "empty" if value is None else repr(value)


def _amount(limit: int) -> str:
    """Write a limit, which may be one of bytes."""
    return format_size(limit) if limit >= _BYTES else str(limit)


def _keys_at(model: type[BaseModel], path: Path) -> list[str]:
    """Return the keys that a spec may have under `path`."""
    current: type[BaseModel] | None = model
    for step in path:
        if isinstance(step, int):
            continue
        assert current is not None
        fields = {field.alias or name: field for name, field in current.model_fields.items()}
        current = _model_within(fields[step].annotation)
    if current is None:
        return []
    keys = [field.alias or name for name, field in current.model_fields.items()]
    return [*keys, "pattern"] if issubclass(current, Spec) else keys


def _model_within(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_within(arg))), None)


def _nearest_place(path: Path, document: Document, file: str) -> tuple[str, int]:
    for length in range(len(path), -1, -1):
        if path[:length] in document.places:
            return document.places[path[:length]]
    return file, 1


def _dotted(path: Path) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def _at(file: str, line: int, path: str, message: str) -> Problem:
    return Problem(file=file, line=line, path=path, message=message)
