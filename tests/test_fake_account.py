"""Whatever is asked of a stand-in's account, in whatever order: nothing breaks, and all can be removed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

from rookery.clouds.hetzner.fake.clock import TurnedClock
from rookery.clouds.hetzner.fake.routes import ROWS, Row
from rookery.clouds.hetzner.fake.service import Asked
from rookery.clouds.hetzner.fake.settings import DEFAULT_TOKEN, Settings
from rookery.clouds.hetzner.fake.things import Holdings
from rookery.run.prices import shipped_book
from tests.kit.fake_hetzner import PUBLIC_KEY, HeldHetzner

PRICES = shipped_book().of("hetzner")
HOLDINGS = TypeAdapter(Holdings)
# In an order in which all of an account can be deleted.
KINDS = (
    *("load_balancers", "servers", "volumes", "primary_ips", "firewalls", "placement_groups", "networks"),
    *("ssh_keys", "images"),
)
_PATTERNS = [(re.compile(re.sub(r"\{(\w+):int\}", r"(?P<\1>[0-9]+)", row.path)), row) for row in ROWS]


class Account:
    """An account that is asked without HTTP."""

    def __init__(self) -> None:
        self.fake = HeldHetzner(PRICES, Settings(per_hour=0), clock=TurnedClock())

    def ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        row, ids = _row(method, path)
        content = json.dumps(body or {}).encode()
        asked = Asked(method=method, path=path, ids=ids, query={}, token=DEFAULT_TOKEN, content=content)
        answer, _ = self.fake.answer(row, asked)
        assert answer.status < 500, (method, path, body, answer.body)
        return answer.status, answer.body

    def ids(self, kind: str) -> list[int]:
        held = getattr(self.fake.account.holdings, kind)
        return sorted(held)


def _row(method: str, path: str) -> tuple[Row, dict[str, int]]:
    for pattern, row in _PATTERNS:
        if row.method == method and (found := pattern.fullmatch(path)):
            return row, {name: int(text) for name, text in found.groupdict().items()}
    raise AssertionError(f"no operation for {method} {path}")


def make(kind: str, number: int, one: int | None, other: int | None) -> dict[str, Any]:
    """Return what makes a thing, with others that it may be made with."""
    name = f"{kind.replace('_', '-')}-{number}"
    links = [one] if one else []
    bodies: dict[str, dict[str, Any]] = {
        "servers": {
            "name": name,
            "server_type": "cpx22",
            "image": "debian-13",
            "location": "hel1",
            "networks": links,
            "volumes": [other] if other else [],
            "labels": {"role": "storage"},
            "start_after_create": number % 2 == 0,
        },
        "volumes": {"name": name, "size": 10 + number, "location": "hel1"} | ({"server": one} if one else {}),
        "networks": {
            "name": name,
            "ip_range": f"10.{number}.0.0/16",
            "subnets": [{"type": "cloud", "network_zone": "eu-central"}],
        },
        "firewalls": {
            "name": name,
            "apply_to": [{"type": "server", "server": {"id": one}}]
            if one
            else [{"type": "label_selector", "label_selector": {"selector": "role=storage"}}],
        },
        "load_balancers": {
            "name": name,
            "load_balancer_type": "lb11",
            "location": "hel1",
            "services": [{"protocol": "tcp", "listen_port": 443, "destination_port": 443}],
        }
        | ({"network": one} if one else {}),
        "placement_groups": {"name": name, "type": "spread"},
        "primary_ips": {"name": name, "type": "ipv4", "assignee_type": "server", "location": "hel1"},
        "ssh_keys": {"name": name, "public_key": PUBLIC_KEY},
    }
    return bodies[kind]


def actions(one: int | None, other: int | None) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield what can be done to things: a kind, an action's name, and its body."""
    for name in ("poweron", "poweroff", "reset", "create_image", "enable_backup", "disable_backup"):
        yield "servers", name, {}
    yield "servers", "attach_to_network", {"network": one}
    yield "servers", "detach_from_network", {"network": one}
    yield "servers", "add_to_placement_group", {"placement_group": one}
    yield "servers", "remove_from_placement_group", {}
    yield "servers", "change_type", {"server_type": "cpx32", "upgrade_disk": True}
    yield "servers", "rebuild", {"image": "debian-12"}
    yield "volumes", "attach", {"server": one}
    yield "volumes", "detach", {}
    yield "volumes", "resize", {"size": 100}
    yield "networks", "add_subnet", {"type": "cloud", "network_zone": "eu-central"}
    yield "load_balancers", "attach_to_network", {"network": one}
    yield "load_balancers", "detach_from_network", {"network": one}
    target = {"type": "server", "server": {"id": other}, "use_private_ip": True}
    yield "load_balancers", "add_target", target
    yield "load_balancers", "remove_target", target
    yield "primary_ips", "assign", {"assignee_id": one, "assignee_type": "server"}
    yield "primary_ips", "unassign", {}
    yield "firewalls", "apply_to_resources", {"apply_to": [{"type": "server", "server": {"id": one}}]}
    yield "firewalls", "remove_from_resources", {"remove_from": [{"type": "server", "server": {"id": one}}]}


# What an action's first and second other thing are.
_ONE = {"attach_to_network": "networks", "detach_from_network": "networks"}
_ONE |= {"add_to_placement_group": "placement_groups"}
_MADE_WITH = {"servers": ("networks", "volumes"), "volumes": ("servers", ""), "firewalls": ("servers", "")}
_MADE_WITH |= {"load_balancers": ("networks", "")}

MOVES = st.lists(
    st.tuples(
        st.sampled_from(("make", "make", "act", "act", "wait", "wait", "delete")),
        st.integers(0, 2**16),
        st.integers(0, 2**16),
        st.integers(0, 2**16),
    ),
    min_size=4,
    max_size=25,
)


def pick(found: list[int], number: int) -> int | None:
    """Return one of these, or none of them now and then."""
    return found[number % len(found)] if found and number % 5 else None


def move(account: Account, what: str, a: int, b: int, c: int) -> None:
    """Ask one thing of an account."""
    if what == "wait":
        account.fake.turn(a % 20)
    elif what == "delete":
        every = [(kind, one) for kind in KINDS for one in account.ids(kind)]
        if every:
            kind, one = every[a % len(every)]
            account.ask("DELETE", f"/{kind}/{one}")
    elif what == "make":
        kind = KINDS[a % (len(KINDS) - 1)]
        first, second = (account.ids(one) if one else [] for one in _MADE_WITH.get(kind, ("", "")))
        account.ask("POST", f"/{kind}", make(kind, a % 200, pick(first, b), pick(second, c)))
    else:
        table = list(actions(None, None))
        kind, name, _ = table[a % len(table)]
        first = account.ids(_ONE.get(name, "servers"))
        one, other = pick(first, b) or 1, pick(account.ids("servers"), c) or 1
        body = list(actions(one, other))[a % len(table)][2]
        wanted = pick(account.ids(kind), c)
        if wanted is not None:
            account.ask("POST", f"/{kind}/{wanted}/actions/{name}", body)


def nothing_dangles(account: Account) -> None:
    held = account.fake.account.holdings
    for volume in held.volumes.values():
        assert volume.server is None or volume.server in held.servers
    for address in held.primary_ips.values():
        assert address.server is None or address.server in held.servers
    for server in held.servers.values():
        assert all(link.network in held.networks for link in server.links)
        assert server.placement_group is None or server.placement_group in held.placement_groups
    for balancer in held.load_balancers.values():
        assert all(target.server in held.servers for target in balancer.targets if target.type == "server")
    addresses = [link.ip for server in held.servers.values() for link in server.links]
    addresses += [link.ip for balancer in held.load_balancers.values() for link in balancer.links]
    assert len(addresses) == len(set(addresses))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(MOVES)
def test_whatever_is_asked_nothing_breaks_and_all_of_it_can_be_removed(
    moves: list[tuple[str, int, int, int]],
) -> None:
    account = Account()
    for one in moves:
        move(account, *one)
        account.fake.account.settle()
        nothing_dangles(account)
    held = account.fake.account.holdings
    assert HOLDINGS.validate_json(HOLDINGS.dump_json(held)) == held
    for kind in KINDS:
        account.ask("GET", f"/{kind}")
    # Twice: what an action was running on goes once that has ended.
    for _ in range(3):
        account.fake.turn(60)
        for kind in KINDS:
            for number in account.ids(kind):
                _let_go(account, kind, number)
                account.ask("DELETE", f"/{kind}/{number}")
                account.fake.turn(20)
    assert account.fake.counts() == {}
    assert all(one.ended for one in account.fake.bill() if one.kind != "images")
    assert account.fake.wrong == []


def _let_go(account: Account, kind: str, number: int) -> None:
    held = account.fake.account.holdings
    if kind == "firewalls":
        applied = [{"type": "label_selector", "label_selector": {"selector": "role=storage"}}]
        account.ask("POST", f"/firewalls/{number}/actions/remove_from_resources", {"remove_from": applied})
    if kind == "volumes" and held.volumes[number].server is not None:
        account.ask("POST", f"/volumes/{number}/actions/detach")
        account.fake.turn(5)
