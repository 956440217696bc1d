"""From what a person names (a spec's path, a pattern, a running system) to its design."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from rookery.apps.table import APPS, PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.model import Design
from rookery.drivers.network import namespace_names
from rookery.errors import InputError
from rookery.spec.load import load_pattern, load_spec, pattern_names
from rookery.spec.model import Spec
from rookery.spec.parse import spec_model
from rookery.systems.native.paths import NAMESPACE_PREFIX, LabPaths, home, runtime_folder

# In a checkout: the example that `rookery up` brings up when it is told nothing.
_DEFAULT_SPEC = Path(__file__).parents[3] / "examples" / "01-production-minimum" / "demo.yaml"
_DEFAULT_PATTERN = "production-minimum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A spec with its design; `source` says where the spec came from."""

    spec: Spec
    design: Design
    source: str


def open_spec(target: str | None) -> Workspace:
    """Return the workspace of a spec's path or a pattern's name; of the default example for None."""
    if target is None:
        target = str(_DEFAULT_SPEC) if _DEFAULT_SPEC.exists() else _DEFAULT_PATTERN
    if target in pattern_names() and not Path(target).exists():
        return _workspace(load_pattern(target, settings=SETTINGS), f"pattern {target}", Path())
    path = Path(target)
    if path.is_dir():
        path /= "demo.yaml"
    return _workspace(load_spec(path, settings=SETTINGS), str(path), path.parent)


def running_names() -> tuple[str, ...]:
    """Return the names of the systems on this machine, whole or in part."""
    folders = (home() / "labs", runtime_folder() / "labs")
    names = {path.name for folder in folders if folder.is_dir() for path in folder.iterdir()}
    names |= {name.split(".")[1] for name in namespace_names() if name.startswith(NAMESPACE_PREFIX)}
    return tuple(sorted(names))


def open_running(target: str | None) -> Workspace:
    """Return the workspace of a system on this machine: by name, by spec, or the only one there is."""
    names = running_names()
    if target is None:
        if len(names) != 1:
            what = f"there are several: {', '.join(names)}" if names else "nothing runs on this machine"
            hint = "Name one." if names else "`rookery up` brings a system up."
            raise InputError(what, hint=hint)
        target = names[0]
    name = target if target in names else open_spec(target).spec.name
    saved = LabPaths(name=name).spec
    if name not in names or not saved.exists():
        raise InputError(
            f"{name} does not run on this machine", hint=f"Running: {', '.join(names) or 'nothing'}."
        )
    try:
        spec = spec_model(SETTINGS).model_validate_json(saved.read_text())
    except ValidationError:
        raise InputError(
            f"{saved} is not a spec of this version",
            hint=f"`rookery down {name}` removes the system all the same.",
        ) from None
    return Workspace(spec=spec, design=build_design(spec, placers=PLACERS), source=str(saved))


def name_of(target: str | None) -> str:
    """Return the name of the system that `down` is to remove, even where nothing but its name is left."""
    names = running_names()
    if target is None and len(names) == 1:
        return names[0]
    if target is None and len(names) > 1:
        raise InputError(f"there are several: {', '.join(names)}", hint="Name one, or use --all.")
    if target is not None and (target in names or not _is_spec(target)):
        return target
    return open_spec(target).spec.name


def _is_spec(target: str) -> bool:
    """Tell a spec from a system's name: a folder that happens to have the name is no spec."""
    return target in pattern_names() or Path(target).is_file() or "/" in target or target.endswith(".yaml")


def _workspace(spec: Spec, source: str, base: Path) -> Workspace:
    located = {name: APPS[name].located(settings, base.absolute()) for name, settings in spec.apps.chosen()}
    spec = spec.model_copy(update={"apps": spec.apps.model_copy(update=located)})
    return Workspace(spec=spec, design=build_design(spec, placers=PLACERS), source=source)
