"""Placement groups, which moto does not have."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from tests.kit.strict_aws.asked import Answer, Asked, RefusalError, passes, said, tag_set

MOST_IN_ZONE = 7
"""Running instances of a spread group in one zone (AWSEC2/latest/UserGuide/placement-strategies.html)."""


@dataclass(slots=True, kw_only=True)
class Group:
    name: str
    id: str
    tags: dict[str, str]
    state: str = "pending"
    instances: set[str] = field(default_factory=set)


@dataclass(slots=True)
class PlacementGroups:
    """The placement groups of one account. `lives` tells whether an instance does."""

    lives: Callable[[str], bool]
    later: Callable[[Callable[[], None]], None]
    groups: dict[str, Group] = field(default_factory=dict)
    count: int = 0

    def answer(self, asked: Asked) -> Answer | None:
        """Answer what is about them; None for all else."""
        match asked.action:
            case "CreatePlacementGroup":
                return self._create(asked)
            case "DescribePlacementGroups":
                found = (one for one in self.groups.values() if self._passes(one, asked))
                return said(
                    asked.action, f"<placementGroupSet>{''.join(map(_shown, found))}</placementGroupSet>"
                )
            case "DeletePlacementGroup":
                return self._delete(asked)
            case "CreateTags":
                return self._tag(asked)
        return None

    def _passes(self, group: Group, asked: Asked) -> bool:
        names = asked.many("GroupName")
        if names and group.name not in names:
            return False
        return passes(asked.filters(), group.tags, group_name=group.name, state=group.state)

    def _create(self, asked: Asked) -> Answer:
        name = asked.get("GroupName")
        if name in self.groups:
            raise RefusalError(
                "InvalidPlacementGroup.Duplicate", f"The placement group '{name}' already exists."
            )
        self.count += 1
        group = Group(name=name, id=f"pg-{self.count:017x}", tags=asked.tags("placement-group"))
        self.groups[name] = group
        self.later(lambda: setattr(group, "state", "available"))
        return said(asked.action, f"<return>true</return><placementGroup>{_inner(group)}</placementGroup>")

    def _delete(self, asked: Asked) -> Answer:
        group = self.find(asked.get("GroupName"))
        if any(map(self.lives, group.instances)):
            raise RefusalError(
                "InvalidPlacementGroup.InUse",
                f"The placement group '{group.name}' is in use and may not be deleted.",
            )
        del self.groups[group.name]
        return said(asked.action, "<return>true</return>")

    def _tag(self, asked: Asked) -> Answer | None:
        ids = asked.many("ResourceId")
        ours = [group for group in self.groups.values() if group.id in ids]
        for group in ours:
            group.tags.update(asked.pairs("Tag"))
        return said(asked.action, "<return>true</return>") if ours else None

    def find(self, name: str) -> Group:
        if name not in self.groups:
            raise RefusalError("InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is unknown.")
        return self.groups[name]

    def check_room(self, name: str, more: int) -> None:
        """Refuse more instances than a spread group takes in one zone."""
        group = self.find(name)
        if group.state != "available":
            raise RefusalError(
                "InvalidPlacementGroup.Unknown", f"The Placement Group '{name}' is {group.state}."
            )
        if len(self.living(group.instances)) + more > MOST_IN_ZONE:
            raise RefusalError(
                "InsufficientInstanceCapacity",
                f"We currently do not have sufficient capacity in the spread group {name}.",
                500,
            )

    def living(self, instances: Iterable[str]) -> list[str]:
        return [one for one in instances if self.lives(one)]


def _inner(group: Group) -> str:
    return (
        f"<groupName>{group.name}</groupName><groupId>{group.id}</groupId><state>{group.state}</state>"
        f"<strategy>spread</strategy>{tag_set(group.tags)}"
    )


def _shown(group: Group) -> str:
    return f"<item>{_inner(group)}</item>"
