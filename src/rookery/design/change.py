"""What differs between two designs of one system, as far as it decides whether one can become the other."""

from __future__ import annotations

from dataclasses import fields, replace

from rookery.design.model import AppDesign, Design

# What a person would look at first, where two designs differ.
_PARTS = tuple(field.name for field in fields(Design) if field.name not in ("name", "description"))
# The setting of an application that says how large its volumes are.
_SIZE = "volume"


def changed_parts(before: Design, after: Design) -> tuple[str, ...]:
    """Return the names of the parts that differ; the description does not count."""
    return tuple(part for part in _PARTS if getattr(before, part) != getattr(after, part))


def only_grows(before: Design, after: Design) -> bool:
    """Tell whether nothing differs but that volumes are larger: a running system can become that."""
    return _without_sizes(before) == _without_sizes(after) and not shrunk_volumes(before, after)


def shrunk_volumes(before: Design, after: Design) -> tuple[str, ...]:
    """Return the names of the volumes that would become smaller, which no file system here can."""
    sizes = {volume.name: volume.size for volume in before.volumes}
    return tuple(volume.name for volume in after.volumes if volume.size < sizes.get(volume.name, 0))


def _without_sizes(design: Design) -> Design:
    return replace(design, description="", apps=tuple(_app_without_sizes(app) for app in design.apps))


def _app_without_sizes(app: AppDesign) -> AppDesign:
    settings = app.settings.model_copy(update={_SIZE: 0}) if hasattr(app.settings, _SIZE) else app.settings
    return replace(app, settings=settings, volumes=tuple(replace(volume, size=0) for volume in app.volumes))
