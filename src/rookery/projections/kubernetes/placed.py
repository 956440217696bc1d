"""The place of each item in the tree: its number, its file, and a name that no other item has."""

from __future__ import annotations

from dataclasses import dataclass

from rookery.manifest import Item, Objects, Release, Stage, Wait


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An item of a stage with the number and the path of its file, relative to the tree; some have none."""

    stage: Stage
    item: Item
    number: int
    path: str

    @property
    def id(self) -> str:
        """A name that no other item of the tree has."""
        name = "wait" if isinstance(self.item, Wait) else self.item.name
        return f"{self.stage.name[:2]}-{self.number:02}-{name}"


def placed_items(stages: tuple[Stage, ...]) -> tuple[Placed, ...]:
    """Return every item of the stages with its number, in the order in which they are applied."""
    found = []
    for stage in stages:
        for place, item in enumerate(stage.items, 1):
            number = place * 10 if len(stage.items) < 10 else place
            path = f"{stage.name}/{_file_name(item, number)}" if isinstance(item, Objects | Release) else ""
            found.append(Placed(stage=stage, item=item, number=number, path=path))
    return tuple(found)


def _file_name(item: Objects | Release, number: int) -> str:
    suffix = ".values.yaml" if isinstance(item, Release) else ".yaml"
    return f"{number:02}-{item.name}{suffix}"
