"""A request as operations see it, and what they answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar

from rookery.clouds.hetzner.fake.account import Account
from rookery.clouds.hetzner.fake.bodies import Body
from rookery.clouds.hetzner.fake.things import Thing

AnyBody = TypeVar("AnyBody", bound=Body)


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A request that was let in: the account, the ids in its path, its query, and what its body says."""

    account: Account
    path: Mapping[str, int]
    query: Mapping[str, list[str]]
    body: Body

    @property
    def id(self) -> int:
        """The id of the thing that the path names."""
        return self.path["id"]

    def says(self, model: type[AnyBody]) -> AnyBody:
        """Return the body, which the table of routes says is of that model."""
        assert isinstance(self.body, model)
        return self.body

    def one(self, name: str) -> str | None:
        """Return the first value of a part of the query."""
        return self.query.get(name, [None])[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What the API answers; without a body where that is None.

    `pages` are the numbers of other pages of a list, by what they are to this one, of `page_size` things.
    """

    status: int = 200
    body: Any = None
    pages: Mapping[str, int] = field(default_factory=dict)
    page_size: int = 0


Operation = Callable[[Call], Answer]
View = Callable[[Account, Any], dict[str, Any]]
"""Says a thing in the API's words."""


def thing_of(call: Call, kind: str, model: type[Any]) -> Any:
    """Return the thing that the path names; ApiError where there is none."""
    found: Thing = call.account.get(kind, call.id)
    assert isinstance(found, model)
    return found
