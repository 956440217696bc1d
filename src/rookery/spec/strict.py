"""Files that people write: read strictly, with every problem reported at once.

YAML is read as a tree of nodes first, so that each problem can name its file, line and dotted path, wherever
the value came from. Plain words mean what they mean in YAML 1.2 (`scalars.py`).
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, get_args

import yaml
from pydantic import BaseModel, ValidationError

from rookery.errors import InputError
from rookery.spec.scalars import CORE, PREFIX, Loader, read_scalar
from rookery.units import format_size

Path = tuple[str | int, ...]
AnyModel = TypeVar("AnyModel", bound=BaseModel)

_DEEPEST = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """A kind of file: what it is called in a sentence, the line that it starts with, where its keys are told.

    `texts` say how a text is written, by its key, where it has a form; `more` are keys of the top beside the
    model's own.
    """

    name: str
    starts: str
    hint: str
    texts: Mapping[str, str] = field(default_factory=dict)
    more: tuple[str, ...] = ()

    @property
    def article(self) -> str:
        return "an" if self.name[0] in "aeiou" else "a"


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One thing wrong with a file: where it stands, and what to do about it."""

    file: str
    line: int
    path: str
    message: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}"
        return f"{place}: {self.path}: {self.message}" if self.path else f"{place}: {self.message}"


class UnreadableError(InputError):
    """A file that cannot be used, with all of its problems."""

    def __init__(self, form: Form, problems: tuple[Problem, ...], *, hint: str | None = None) -> None:
        count = "a problem" if len(problems) == 1 else f"{len(problems)} problems"
        super().__init__(
            f"the {form.name} has {count}",
            details=tuple(str(problem) for problem in problems),
            hint=form.hint if hint is None else hint,
        )
        self.problems = problems


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """A YAML mapping as plain data, with the file and line of every path in it."""

    data: dict[str, Any]
    places: Mapping[Path, tuple[str, int]]


def parse_document(text: str, *, file: str, form: Form) -> Document:
    """Read YAML text into plain data, refusing duplicate keys and anything but a mapping at the top.

    Raises UnreadableError.
    """
    try:
        _refuse_deep_nesting(text, file, form)
        root = yaml.compose(text, Loader=Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else 1
        raise _not_yaml(form, file, line, _in_words(error, text, mark)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise _not_yaml(form, file, line, error.reason) from None
    except yaml.YAMLError as error:
        raise _not_yaml(form, file, 1, str(error)) from None
    if root is None:
        words = f"the file is empty; {form.article} {form.name} starts with `{form.starts}`"
        raise UnreadableError(form, (at(file, 1, "", words),))
    if not isinstance(root, yaml.MappingNode):
        words = f"{form.article} {form.name} is a mapping that starts with `{form.starts}`"
        raise UnreadableError(form, (at(file, 1, "", words),))
    reader = _NodeReader(file)
    data = reader.read(root, ())
    if reader.problems:
        raise UnreadableError(form, tuple(reader.problems))
    assert isinstance(data, dict)
    return Document(data=data, places=reader.places)


def _not_yaml(form: Form, file: str, line: int, why: str) -> UnreadableError:
    return UnreadableError(form, (at(file, line, "", f"not valid YAML: {why}"),), hint="")


def _in_words(error: yaml.MarkedYAMLError, text: str, mark: yaml.Mark | None) -> str:
    """Return what a parser found: a tab it calls a character that starts no token."""
    if mark is not None and text[mark.index : mark.index + 1] == "\t":
        return "a tab stands where a line is indented; use blanks"
    return str(error.problem or error.context)


def _refuse_deep_nesting(text: str, file: str, form: Form) -> None:
    """Raise UnreadableError where the text nests deeper than any does: a composer recurses, to its death."""
    depth = 0
    for event in yaml.parse(text, Loader=Loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > _DEEPEST:
            line = event.start_mark.line + 1 if event.start_mark else 1
            words = f"nests deeper than {_DEEPEST} levels; no {form.name} does"
            raise UnreadableError(form, (at(file, line, "", words),))


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
            self.problems.append(at(self.file, line, dotted(path), message))
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
            self.problems.append(at(self.file, line, dotted(path), message))
            return None
        try:
            return read_scalar(kind, text)
        except (KeyError, ValueError):
            what = f"{text[:40]} as !!{kind}" if kind in CORE else f"the tag {node.tag}"
            self.problems.append(at(self.file, line, dotted(path), f"cannot be read: {what}"))
            return None

    def _mapping(self, node: yaml.MappingNode, path: Path) -> dict[str, Any]:
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            line = key_node.start_mark.line + 1
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if key is None or (key == "<<" and not key_node.style):
                self.problems.append(at(self.file, line, dotted(path), "keys are plain words here"))
                continue
            if key in result:
                self.problems.append(at(self.file, line, dotted((*path, key)), "stands twice; keep one"))
            self.places[(*path, key)] = (self.file, line)
            result[key] = self.read(value_node, (*path, key))
        return result


def read_model(
    document: Document, model: type[AnyModel], *, file: str, form: Form
) -> tuple[AnyModel | None, list[Problem]]:
    """Return what a document says, by its model, and what is wrong with it; None where anything is."""
    try:
        return model.model_validate(document.data, by_alias=True, by_name=False), []
    except ValidationError as error:
        items = _without_echoes([dict(item) for item in error.errors()])
        return None, [_problem(item, document, model, file, form) for item in items]


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


def _problem(
    error: dict[str, Any], document: Document, model: type[BaseModel], file: str, form: Form
) -> Problem:
    path: Path = error["loc"]
    place_file, line = nearest_place(path, document, file)
    return at(place_file, line, dotted(path), _message(error, path, model, form))


def _message(error: dict[str, Any], path: Path, model: type[BaseModel], form: Form) -> str:
    kind = error["type"]
    if kind == "extra_forbidden":
        known = _keys_at(model, path[:-1], form)
        near = difflib.get_close_matches(str(path[-1]), known, n=1, cutoff=0.5)
        return "unknown key; " + (f"did you mean `{near[0]}`?" if near else f"known: {', '.join(known)}")
    if kind == "missing":
        first = str(path[-1]) == form.starts.partition(":")[0] and len(path) == 1
        return f"is missing; write `{form.starts}`" if first else "is missing"
    if kind == "value_error":
        return str(error["ctx"]["error"])
    return f"is {_written(error['input'])}; {_expected(error, path, form)}"


def _expected(error: dict[str, Any], path: Path, form: Form) -> str:
    kind, context = error["type"], error.get("ctx", {})
    if kind == "literal_error":
        return f"it must be {context['expected']}"
    if kind in _LIMITS:
        words, key = _LIMITS[kind]
        bare = context[key] >= _BYTES and re.fullmatch(r"[0-9]+", str(error["input"]))
        unit = f"; without a unit these are bytes, write {error['input']}GB or the like" if bare else ""
        return f"it must be {words} {_amount(context[key])}{unit}"
    if kind == "string_pattern_mismatch":
        return form.texts[next(step for step in reversed(path) if isinstance(step, str))]
    text = str(error["msg"])
    return _KINDS.get(kind, f"{text[0].lower()}{text[1:]}")


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


def _keys_at(model: type[BaseModel], path: Path, form: Form) -> list[str]:
    """Return the keys that a file may have under `path`."""
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
    return keys if path else [*keys, *form.more]


def _model_within(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in get_args(annotation) if (found := _model_within(arg))), None)


def nearest_place(path: Path, document: Document, file: str) -> tuple[str, int]:
    for length in range(len(path), -1, -1):
        if path[:length] in document.places:
            return document.places[path[:length]]
    return file, 1


def dotted(path: Path) -> str:
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).lstrip(".")


def at(file: str, line: int, path: str, message: str) -> Problem:
    return Problem(file=file, line=line, path=path, message=message)
