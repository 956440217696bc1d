"""Firewalls: rules, and what they stand before."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Sequence
from typing import Any

from rookery.clouds.hetzner.fake.account import Account
from rookery.clouds.hetzner.fake.bodies import (
    ApplyTo,
    CreateFirewall,
    FirewallResource,
    RemoveFrom,
    Rule,
    SetRules,
)
from rookery.clouds.hetzner.fake.call import Answer, Call, thing_of
from rookery.clouds.hetzner.fake.errors import ApiError, invalid
from rookery.clouds.hetzner.fake.selectors import check_labels, parse_selector
from rookery.clouds.hetzner.fake.things import Action, Applied, Firewall
from rookery.clouds.hetzner.fake.views import firewalls_of, view_action, view_firewall

_PORTS = re.compile(r"(\d{1,5}|any)(?:-(\d{1,5}))?")
_MOST_ON_SERVER = 5


def create_firewall(call: Call) -> Answer:
    """Make a firewall, and put it before servers where they are named."""
    account, said = call.account, call.says(CreateFirewall)
    check_labels(said.labels or {})
    account.require_name("firewalls", said.name)
    account.require_room("firewalls")
    firewall = Firewall(
        id=0,
        name=said.name,
        created=account.clock.now(),
        labels=dict(said.labels or {}),
        rules=_rules(said.rules or ()),
    )
    named = [one.server.id for one in said.apply_to or () if one.server]
    if len(named) != len(set(named)):
        raise ApiError("server_already_added", "a server was applied more than once")
    new = [_applied(account, firewall, one, "apply_to") for one in said.apply_to or ()]
    firewall.id = account.next_id()
    firewall.applied = new
    account.holdings.firewalls[firewall.id] = firewall
    actions = [_action(account, "apply_firewall", firewall, one) for one in new]
    actions.insert(0, account.act("set_firewall_rules", ("firewall", firewall.id)))
    body = {
        "firewall": view_firewall(account, firewall),
        "actions": [view_action(account, one) for one in actions],
    }
    return Answer(status=201, body=body)


def _rules(said: Sequence[Rule]) -> list[dict[str, Any]]:
    problems = [problem for number, rule in enumerate(said) for problem in _problems(f"rules.{number}", rule)]
    if problems:
        raise invalid(*problems)
    return [
        {
            "direction": rule.direction,
            "protocol": rule.protocol,
            "port": rule.port,
            "source_ips": rule.source_ips or [],
            "destination_ips": rule.destination_ips or [],
            "description": rule.description,
        }
        for rule in said
    ]


def _problems(where: str, rule: Rule) -> Iterator[tuple[str, str]]:
    has_ports = rule.protocol in ("tcp", "udp")
    if has_ports and not (rule.port and _PORTS.fullmatch(rule.port)):
        yield f"{where}.port", f"is needed for {rule.protocol}, as a port or a range"
    if not has_ports and rule.port:
        yield f"{where}.port", f"is not for {rule.protocol}"
    needed = "source_ips" if rule.direction == "in" else "destination_ips"
    if not getattr(rule, needed):
        yield f"{where}.{needed}", f"is needed for direction {rule.direction}"
    for text in (*(rule.source_ips or ()), *(rule.destination_ips or ())):
        try:
            ipaddress.ip_network(text)
            known = "/" in text
        except ValueError:
            known = False
        if not known:
            yield f"{where}.{needed}", f"{text} is not a network in CIDR notation"


def _applied(account: Account, firewall: Firewall, said: FirewallResource, field: str) -> Applied:
    if said.type == "label_selector":
        if said.label_selector is None:
            raise invalid((f"{field}.label_selector", "is needed for this type"))
        parse_selector(said.label_selector.selector)
        return Applied(selector=said.label_selector.selector)
    if said.server is None:
        raise invalid((f"{field}.server", "is needed for this type"))
    server = account.holdings.servers.get(said.server.id)
    if server is None:
        raise ApiError("firewall_resource_not_found", f"server {said.server.id} was not found")
    if not server.public:
        raise ApiError("private_net_only_server", "the server has no public interface")
    others = [one for one in firewalls_of(account, server) if one.id != firewall.id]
    if len(others) >= _MOST_ON_SERVER:
        raise invalid((f"{field}.server", f"a server can have {_MOST_ON_SERVER} firewalls"))
    return Applied(server=server.id)


def _action(account: Account, command: str, firewall: Firewall, applied: Applied) -> Action:
    resources = [("firewall", firewall.id)]
    if applied.server is not None:
        resources.append(("server", applied.server))
    return account.act(command, *resources)


def delete_firewall(call: Call) -> Answer:
    """Delete a firewall that stands before nothing."""
    firewall: Firewall = thing_of(call, "firewalls", Firewall)
    if firewall.applied:
        raise ApiError("resource_in_use", f"firewall with ID '{firewall.id}' is still in use")
    del call.account.holdings.firewalls[firewall.id]
    return Answer(status=204)


def set_rules(call: Call) -> Answer:
    """Give a firewall other rules."""
    firewall: Firewall = thing_of(call, "firewalls", Firewall)
    account = call.account
    firewall.rules = _rules(call.says(SetRules).rules)
    actions = [account.act("set_firewall_rules", ("firewall", firewall.id))]
    actions += [_action(account, "apply_firewall", firewall, one) for one in firewall.applied]
    return Answer(status=201, body={"actions": [view_action(account, one) for one in actions]})


def apply_to_resources(call: Call) -> Answer:
    """Put a firewall before servers."""
    firewall: Firewall = thing_of(call, "firewalls", Firewall)
    account = call.account
    new = [_applied(account, firewall, one, "apply_to") for one in call.says(ApplyTo).apply_to]
    if any(one in firewall.applied for one in new):
        raise ApiError("firewall_already_applied", "firewall is already applied to the resource")
    firewall.applied += new
    actions = [_action(account, "apply_firewall", firewall, one) for one in new]
    return Answer(status=201, body={"actions": [view_action(account, one) for one in actions]})


def remove_from_resources(call: Call) -> Answer:
    """Take a firewall away from before servers; from where it does not stand, it is away already."""
    firewall: Firewall = thing_of(call, "firewalls", Firewall)
    account, gone = call.account, []
    for said in call.says(RemoveFrom).remove_from:
        one = _applied(account, firewall, said, "remove_from")
        server = account.holdings.servers.get(one.server or 0)
        if one not in firewall.applied and server is not None and firewall in firewalls_of(account, server):
            raise ApiError(
                "firewall_managed_by_label_selector", "the firewall is applied by a label selector"
            )
        gone.append(one)
    firewall.applied = [one for one in firewall.applied if one not in gone]
    actions = [_action(account, "remove_firewall", firewall, one) for one in gone]
    return Answer(status=201, body={"actions": [view_action(account, one) for one in actions]})
