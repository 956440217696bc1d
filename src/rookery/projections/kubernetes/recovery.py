"""What is rendered and not applied: objects that bring something back, each set in a file of its own."""

from __future__ import annotations

from rookery.apps.table import APPS
from rookery.design.model import Design
from rookery.manifest import Objects

FOLDER = "recovery"


def recovery_items(design: Design) -> tuple[tuple[str, Objects], ...]:
    """Return each application's objects for the day of need, with the path of their file in the tree."""
    found: list[tuple[str, Objects]] = []
    for app in design.apps:
        pods = APPS[app.name].in_pods
        if pods is not None and pods.by_hand is not None:
            found += [(f"{FOLDER}/{item.name}.yaml", item) for item in pods.by_hand(design, app)]
    return tuple(found)
