"""From what a person names (a spec's path, a pattern, a running system) to its design."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

from pydantic import ValidationError

from rookery.apps.table import APPS, PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.kept import Kept, keep, kept_data, parse_kept
from rookery.design.model import Design
from rookery.drivers.machine.files import write_whole
from rookery.drivers.machine.network import namespace_names
from rookery.errors import InputError
from rookery.run.content import folder_problems
from rookery.run.homes import note_home, other_home, refuse_other_home
from rookery.spec.load import load_pattern, load_spec, pattern_names
from rookery.spec.model import Spec
from rookery.spec.parse import spec_model
from rookery.systems.home import home, runtime_folder
from rookery.systems.kubernetes.paths import ClusterPaths, clusters_folder, roots_clusters
from rookery.systems.lab.paths import NAMESPACE_PREFIX, LabPaths
from rookery.systems.preflight import require_root

# In a checkout: the example that `rookery up` brings up when it is told nothing.
_DEFAULT_SPEC = Path(__file__).parents[3] / "examples" / "01-production-minimum" / "demo.yaml"
_DEFAULT_PATTERN = "production-minimum"


@dataclass(frozen=True, slots=True, kw_only=True)
class Workspace:
    """A spec with its design, in which what was `kept` stands; `source` says where the spec came from."""

    spec: Spec
    design: Design
    source: str
    kept: Kept


def open_spec(target: str | None, *, as_new: bool = False, provider: str = "") -> Workspace:
    """Return the workspace of a spec's path or a pattern's name; of the default example for None.

    Where a system of its name runs, what stands there is kept in the design, unless it is wanted `as_new`:
    the same on every machine. `provider` takes the place of the spec's own, with the platform that it has.
    """
    spec, source = _read_spec(target)
    if provider:
        changed = spec.model_dump(by_alias=True, exclude_unset=True) | {"provider": provider}
        changed.pop("platform", None)
        spec = type(spec).model_validate(changed)
    return _workspace(spec, source, Kept() if as_new else read_kept(spec.name))


def opened_again(workspace: Workspace) -> Workspace:
    """Return a workspace in which stands what stands now: another command may have ended since it was
    opened."""
    kept = read_kept(workspace.spec.name)
    return workspace if kept == workspace.kept else _workspace(workspace.spec, workspace.source, kept)


def open_changed(target: str, before: Design) -> Workspace:
    """Return what a system of the design `before` becomes with a spec: it keeps its name, and what stands."""
    spec, source = _read_spec(target)
    return _workspace(spec.model_copy(update={"name": before.name}), source, keep(before))


def _read_spec(target: str | None, *, judged: bool = True) -> tuple[Spec, str]:
    """Return a spec with its paths made absolute, and where it came from.

    The folders that it names must be there where it is `judged`; who asks only which system it is of need
    not have them.
    """
    if target is None:
        target = str(_DEFAULT_SPEC) if _DEFAULT_SPEC.exists() else _DEFAULT_PATTERN
    if target in pattern_names() and not Path(target).exists():
        base = Path().absolute()
        spec, source = load_pattern(target, settings=SETTINGS), f"pattern {target}"
    else:
        path = Path(target)
        if path.is_dir():
            path /= "demo.yaml"
        base = path.parent.absolute()
        judge = (lambda data: folder_problems(data, base)) if judged else (lambda _data: ())
        spec, source = load_spec(path, settings=SETTINGS, judge=judge), str(path)
    located = {name: APPS[name].located(settings, base) for name, settings in spec.chosen()}
    backup = located.pop("backup", None)
    return spec.model_copy(update={"apps": spec.apps.model_copy(update=located), "backup": backup}), source


def running_names() -> tuple[str, ...]:
    """Return the names of this home's systems on this machine, whole or in part; root's among them."""
    folders = (home() / "labs", runtime_folder() / "labs", roots_clusters(), clusters_folder())
    names = {name for folder in folders for name in _names_in(folder)}
    names |= {name.split(".")[1] for name in namespace_names() if name.startswith(NAMESPACE_PREFIX)}
    return tuple(sorted(name for name in names if other_home(name) is None))


def roots_names() -> tuple[str, ...]:
    """Return those of the running systems that only root works with; none for root itself."""
    if os.geteuid() == 0:
        return ()
    own = _names_in(clusters_folder())
    return tuple(name for name in running_names() if name not in own)


def _names_in(folder: Path) -> tuple[str, ...]:
    try:
        return tuple(path.name for path in folder.iterdir())
    except (FileNotFoundError, PermissionError):  # what nobody but root may list has its name elsewhere, too
        return ()


def open_running(target: str | None) -> Workspace:
    """Return the workspace of a system on this machine: by name, by spec, or the only one there is.

    Raises NeedsRootError for one that root brought up, where nobody else may read of it.
    """
    names = running_names()
    if target is None:
        if len(names) != 1:
            what = f"there are several: {', '.join(names)}" if names else "nothing runs on this machine"
            hint = "Name one." if names else "`rookery up` brings a system up."
            raise InputError(what, hint=hint)
        target = names[0]
    name = target if target in names else _name_in(target)
    refuse_other_home(name)
    saved = saved_spec(name)
    if saved is None and (roots_clusters() / name).is_dir():
        require_root(f"{name} was brought up by root, and nobody else may work with it")
    if name not in names or saved is None:
        raise InputError(
            f"{name} does not run on this machine", hint=f"Running: {', '.join(names) or 'nothing'}."
        )
    try:
        spec = spec_model(SETTINGS).model_validate_json(saved.read_text(encoding="utf-8"))
    except ValidationError:
        raise InputError(
            f"{saved} is not a spec of this version",
            hint=f"`rookery down {name}` removes the system all the same.",
        ) from None
    return _workspace(spec, str(saved), read_kept(name))


def saved_spec(name: str) -> Path | None:
    """Return where it is noted what a system was asked to be, None where nothing is."""
    places = (LabPaths(name=name).spec, ClusterPaths(name=name).spec)
    return next((place for place in places if place.exists()), None)


def read_kept(name: str) -> Kept:
    """Return where the daemons of a system on this machine stand; nothing where there is no such system."""
    try:
        return parse_kept(json.loads(LabPaths(name=name).kept.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return Kept()


def noted_mirror(name: str) -> Path | None:
    """Return the mirror that a system on Kubernetes was brought up with; None where there was none, or root
    alone may know."""
    try:
        return Path(ClusterPaths(name=name).mirror.read_text(encoding="utf-8").strip())
    except (FileNotFoundError, PermissionError):
        return None


def noted_mirror_url(name: str) -> str:
    """Return where the servers of a system fetch from its mirror; empty where they do not."""
    try:
        return ClusterPaths(name=name).mirror_url.read_text(encoding="utf-8").strip()
    except (FileNotFoundError, PermissionError):
        return ""


def note_system(
    workspace: Workspace, *, mirror: Path | None = None, mirror_url: str = "", running: str = ""
) -> None:
    """Note what a system is asked to be, where its daemons stand, and what it is made of, for all later
    commands. `running` is the release of Ceph that it still has, where it is on its way to another."""
    name = workspace.design.name
    spec = workspace.spec.model_dump_json(by_alias=True, indent=1, exclude_unset=True)
    if workspace.design.platform == "kubernetes":
        cluster = ClusterPaths(name=name)
        cluster.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if mirror is not None:
            write_whole(cluster.mirror, f"{mirror.absolute()}\n".encode())
        if mirror_url:
            write_whole(cluster.mirror_url, f"{mirror_url}\n".encode())
        else:
            cluster.mirror_url.unlink(missing_ok=True)
        if workspace.design.traits.here:
            note_home(name)
        write_whole(cluster.spec, spec.encode())
        return
    note_home(name)
    paths = LabPaths(name=name)
    paths.folder.mkdir(parents=True, exist_ok=True)
    paths.folder.chmod(0o711)
    kept = keep(workspace.design)
    data = kept_data(replace(kept, ceph=running or kept.ceph))
    write_whole(paths.kept, json.dumps(data, indent=1).encode())
    write_whole(paths.spec, spec.encode())


def name_of(target: str | None) -> str:
    """Return the name of the system that `down` is to remove, even where nothing but its name is left."""
    names = running_names()
    if target is None and len(names) == 1:
        return names[0]
    if target is None and len(names) > 1:
        raise InputError(f"there are several: {', '.join(names)}", hint="Name one, or use --all.")
    named = target is not None and (target in names or not is_spec(target))
    name = str(target) if named else _read_spec(target, judged=False)[0].name
    refuse_other_home(name)
    return name


def _name_in(target: str) -> str:
    """Return the name that a spec gives its system; raises InputError for what is no system and no spec."""
    if not is_spec(target):
        refuse_other_home(target)
        raise no_such_system(target)
    return _read_spec(target, judged=False)[0].name


def no_such_system(name: str) -> InputError:
    """Return the error for a name that no system here has."""
    running = ", ".join(running_names())
    return InputError(
        f"there is no system {name} on this machine",
        hint=f"Running: {running}." if running else "Nothing runs; `rookery up` brings a system up.",
    )


def is_spec(target: str) -> bool:
    """Tell a spec from a system's name: a folder that has the name is one only with a spec in it."""
    path = Path(target)
    if target in pattern_names() or path.is_file() or (path / "demo.yaml").is_file():
        return True
    return "/" in target or target.endswith((".yaml", ".yml"))


def _workspace(spec: Spec, source: str, kept: Kept) -> Workspace:
    design = build_design(spec, placers=PLACERS, kept=kept)
    return Workspace(spec=spec, design=design, source=source, kept=kept)
