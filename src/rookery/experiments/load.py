"""The one place where an experiment is read from disk, and where the library's are looked up."""

from __future__ import annotations

import difflib
from importlib.resources import files
from pathlib import Path

from rookery.errors import InputError
from rookery.experiments.model import Experiment
from rookery.experiments.reading import parse_experiment

_LIBRARY = files("rookery.experiments") / "library"


def experiment_names() -> tuple[str, ...]:
    """Return the names of the library's experiments, in alphabetical order."""
    names = (entry.name for entry in _LIBRARY.iterdir())
    return tuple(sorted(name.removesuffix(".yaml") for name in names if name.endswith(".yaml")))


def load_experiment(name: str) -> Experiment:
    """Return an experiment of the library by its name, or one at a path.

    Raises InputError where there is none, or it has problems, with all of them.
    """
    file = f"experiment:{name}" if name in experiment_names() else name
    return parse_experiment(read_text(name), file=file)


def read_text(name: str) -> str:
    """Return the text of an experiment of the library, or of one at a path; raises InputError."""
    if name in experiment_names():
        return (_LIBRARY / f"{name}.yaml").read_text(encoding="utf-8")
    if "/" not in name and not name.endswith((".yaml", ".yml")):
        near = difflib.get_close_matches(name, experiment_names(), n=1)
        raise InputError(
            f"there is no experiment {name!r}",
            hint=f"Did you mean {near[0]}?" if near else "`rookery experiment list` shows all.",
        )
    return _read(Path(name))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InputError(f"{path} is not UTF-8 text", hint="Save it as UTF-8.") from None
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None
