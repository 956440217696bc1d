"""Text to Experiment: strict, with every problem reported at once; and the JSON Schema for editors."""

from __future__ import annotations

from typing import Any

from rookery.experiments.model import Experiment
from rookery.experiments.targets import AGAIN, ANOTHER
from rookery.spec.model import API_VERSION
from rookery.spec.strict import (
    Document,
    Form,
    Problem,
    UnreadableError,
    at,
    nearest_place,
    parse_document,
    read_model,
)

_FORM = Form(
    name="experiment",
    starts=f"apiVersion: {API_VERSION}",
    hint="`rookery experiment schema` prints the JSON Schema that editors complete from.",
    texts={"name": "use lower-case letters, digits and dashes, a letter first"},
)


def parse_experiment(text: str, *, file: str) -> Experiment:
    """Parse an experiment; raises UnreadableError with every problem found."""
    document = parse_document(text, file=file, form=_FORM)
    experiment, problems = read_model(document, Experiment, file=file, form=_FORM)
    if experiment is not None:
        problems = _of_order(experiment, document, file)
    if experiment is None or problems:
        raise UnreadableError(_FORM, tuple(sorted(problems, key=lambda one: (one.line, one.path))))
    return experiment


def build_experiment_schema() -> dict[str, Any]:
    """Return the JSON Schema (draft 2020-12) of an experiment."""
    schema = Experiment.model_json_schema(by_alias=True)
    schema["$schema"] = "https://json-schema.org/draft/2020-12/schema"
    schema["title"] = "rookery experiment"
    return schema


def _of_order(experiment: Experiment, document: Document, file: str) -> list[Problem]:
    """Return what is wrong with the faults' order: which comes first, and who breaks again."""
    problems = []
    times = [one.at for one in experiment.method]
    for number, one in enumerate(experiment.method):
        place = nearest_place(("method", number), document, file)
        path = f"method[{number}]"
        if number == 0 and one.at:
            problems.append(at(*place, f"{path}.at", "times count from the first fault, which is at 0s"))
        if number and one.at < times[number - 1]:
            problems.append(at(*place, f"{path}.at", "comes before the fault above it; write them in order"))
        if number == 0 and (one.target == AGAIN or one.target.startswith(f"{ANOTHER} ")):
            problems.append(at(*place, f"{path}.target", "no fault comes before it; say who breaks first"))
    return problems
