"""What is alike for all kinds: they are listed, looked at, renamed, labelled and protected."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from rookery.clouds.hetzner.fake import views
from rookery.clouds.hetzner.fake.account import Account
from rookery.clouds.hetzner.fake.bodies import ChangeServer, ChangeVolume, NamedBody, Protect
from rookery.clouds.hetzner.fake.call import Answer, Call, Operation, View
from rookery.clouds.hetzner.fake.errors import ApiError, not_found
from rookery.clouds.hetzner.fake.lists import cut_page, sort_words
from rookery.clouds.hetzner.fake.selectors import check_labels, parse_selector
from rookery.clouds.hetzner.fake.things import Thing
from rookery.clouds.hetzner.fake.view_balancers import view_load_balancer

_THREE = ("id", "name", "created")
_ACTION_SORTS = ("id", "command", "status", "started", "finished")


@dataclass(frozen=True, slots=True, kw_only=True)
class Kind:
    """A kind of things: its names in paths and in bodies, how it is said, and what lists are filtered by."""

    plural: str
    single: str
    view: View
    filters: tuple[str, ...] = ("name",)
    sorts: tuple[str, ...] = _THREE
    system: Callable[[Account], Mapping[int, Thing]] = lambda account: {}  # noqa: ARG005 - none unless told


def _system_images(account: Account) -> Mapping[int, Thing]:
    return account.catalogue.images


KINDS: tuple[Kind, ...] = (
    Kind(plural="servers", single="server", view=views.view_server, filters=("name", "status")),
    Kind(plural="volumes", single="volume", view=views.view_volume, filters=("name", "status")),
    Kind(plural="networks", single="network", view=views.view_network),
    Kind(plural="firewalls", single="firewall", view=views.view_firewall),
    Kind(plural="load_balancers", single="load_balancer", view=view_load_balancer),
    Kind(
        plural="placement_groups",
        single="placement_group",
        view=views.view_placement_group,
        filters=("name", "type"),
    ),
    Kind(
        plural="ssh_keys",
        single="ssh_key",
        view=views.view_ssh_key,
        filters=("name", "fingerprint"),
    ),
    Kind(
        plural="primary_ips",
        single="primary_ip",
        view=views.view_primary_ip,
        filters=("name", "ip", "type"),
    ),
    Kind(
        plural="images",
        single="image",
        view=views.view_image,
        filters=("name", "type", "status", "architecture", "bound_to"),
        system=_system_images,
    ),
    Kind(plural="certificates", single="certificate", view=views.view_certificate, filters=("name", "type")),
)
KIND: Mapping[str, Kind] = {kind.plural: kind for kind in KINDS}


def list_things(kind: Kind) -> Operation:
    """Return the operation that lists a kind."""

    def operation(call: Call) -> Answer:
        account = call.account
        things = {**kind.system(account), **account.of(kind.plural)}
        selected = parse_selector(call.one("label_selector") or "")
        words = [kind.view(account, thing) for thing in things.values() if selected(thing.labels)]
        kept = [one for one in words if _fits(one, call.query, kind.filters)]
        return page_answer(call, kind.plural, sort_words(kept, call.query, kind.sorts))

    return operation


def _fits(words: Mapping[str, Any], query: Mapping[str, list[str]], filters: tuple[str, ...]) -> bool:
    return all(name not in query or str(words[name]) in query[name] for name in filters)


def page_answer(call: Call, name: str, words: list[dict[str, Any]], **more: object) -> Answer:
    """Return a list's page with what it says of itself, in its body and in the header `Link`."""
    page = cut_page(words, call.query)
    wanted = {"prev": page.before, "next": page.following, "last": page.last if page.total else None}
    link = {rel: number for rel, number in wanted.items() if number is not None}
    return Answer(body={name: list(page.items), "meta": page.meta, **more}, pages=link, page_size=page.size)


def get_thing(kind: Kind) -> Operation:
    """Return the operation that shows one of a kind."""

    def operation(call: Call) -> Answer:
        thing = kind.system(call.account).get(call.id) or call.account.get(kind.plural, call.id)
        return Answer(body={kind.single: kind.view(call.account, thing)})

    return operation


def change_thing(kind: Kind) -> Operation:
    """Return the operation that renames and labels one of a kind."""

    def operation(call: Call) -> Answer:
        account, said = call.account, call.body
        assert isinstance(said, NamedBody | ChangeServer | ChangeVolume)
        thing = account.get(kind.plural, call.id)
        if said.labels is not None:
            check_labels(said.labels)
        if said.name is not None:
            account.require_name(kind.plural, said.name, but=thing.id)
            thing.name = said.name
        if said.labels is not None:
            thing.labels = dict(said.labels)
        return Answer(body={kind.single: kind.view(account, thing)})

    return operation


def protect_thing(kind: Kind) -> Operation:
    """Return the operation that forbids that one of a kind is deleted, or allows it."""

    def operation(call: Call) -> Answer:
        account, said = call.account, call.says(Protect)
        thing = account.get(kind.plural, call.id)
        account.require_free([(kind.single, thing.id)])
        if said.delete is not None:
            thing.protected = said.delete
        action = account.act("change_protection", (kind.single, thing.id))
        return Answer(status=201, body={"action": views.view_action(account, action)})

    return operation


def list_actions(kind: Kind) -> Operation:
    """Return the operation that lists the actions of a kind, or of one of its things."""

    def operation(call: Call) -> Answer:
        account, wanted = call.account, call.path.get("id")
        if wanted is not None and wanted not in kind.system(account):
            account.get(kind.plural, wanted)
        words = [
            views.view_action(account, action)
            for action in account.holdings.actions.values()
            if any(one == kind.single and wanted in (None, number) for one, number in action.resources)
        ]
        kept = [one for one in words if _fits(one, call.query, ("status", "id"))]
        return page_answer(call, "actions", sort_words(kept, call.query, _ACTION_SORTS))

    return operation


def get_action(call: Call) -> Answer:
    """Show an action."""
    wanted = call.path.get("action_id", call.path.get("id", 0))
    action = call.account.holdings.actions.get(wanted)
    if action is None:
        raise not_found("action", wanted)
    return Answer(body={"action": views.view_action(call.account, action)})


def get_actions(call: Call) -> Answer:
    """Show the actions of which the query names the ids; all of them were to be had until January 2025."""
    wanted = call.query.get("id", [])
    if not wanted:
        announced = (
            "https://docs.hetzner.cloud/changelog"
            "#2025-01-30-listing-arbitrary-actions-in-the-actions-list-endpoint-is-removed"
        )
        raise ApiError(
            "deprecated_api_endpoint", "API functionality was removed", {"announcement": announced}
        )
    account = call.account
    found = [account.holdings.actions.get(int(one)) for one in wanted if one.isdecimal()]
    return Answer(body={"actions": [views.view_action(account, one) for one in found if one is not None]})
