"""Spec to Design: what holds for every spec, and what the drawing asks for."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, ip_address, ip_network
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rookery.design.checks import check_design
from rookery.design.model import DaemonKind, Design, Role
from rookery.design.survival import survival
from rookery.errors import InputError
from rookery.providers import PROVIDERS, Provider
from tests.kit.designs import design

SIZES = st.sampled_from(["5GB", "20GB", "1TB"])
DRIVES = st.fixed_dictionaries(
    {"count": st.integers(1, 4), "size": SIZES, "class": st.sampled_from(["hdd", "ssd", "nvme"])}
)
POOLS = st.one_of(
    st.fixed_dictionaries({"replicas": st.integers(1, 5)}),
    st.fixed_dictionaries(
        {"erasureCoding": st.fixed_dictionaries({"k": st.integers(2, 5), "m": st.integers(1, 3)})}
    ),
)
MACHINES = {"cpus": st.integers(1, 64), "memory": st.sampled_from(["1GiB", "4GiB", "16GiB", "128GiB"])}
HOSTS = st.fixed_dictionaries(
    {
        "controlPlane": st.fixed_dictionaries({"count": st.integers(1, 5), **MACHINES}),
        "workers": st.fixed_dictionaries({"count": st.integers(1, 12), **MACHINES}),
        "storage": st.fixed_dictionaries(
            {
                "count": st.integers(1, 30),
                "drives": st.lists(DRIVES, min_size=1, max_size=3),
                "also": st.lists(st.sampled_from(["worker", "control-plane"]), max_size=2, unique=True),
                **MACHINES,
            }
        ),
    }
)
STORAGE = st.fixed_dictionaries(
    {
        "mons": st.integers(1, 9),
        "mgrs": st.integers(1, 4),
        "dashboard": st.booleans(),
        "block": st.fixed_dictionaries({"enabled": st.booleans(), "pool": POOLS}),
        "file": st.fixed_dictionaries(
            {
                "enabled": st.booleans(),
                "pool": POOLS,
                "mds": st.fixed_dictionaries({"active": st.integers(1, 4), "standby": st.integers(0, 3)}),
            }
        ),
        "object": st.fixed_dictionaries({"gateways": st.integers(1, 12), "pool": POOLS}),
    }
)
SPECS = st.fixed_dictionaries(
    {
        "name": st.from_regex(r"[a-z]([a-z0-9-]{0,10}[a-z0-9])?", fullmatch=True),
        "provider": st.sampled_from(["lab", "hetzner", "existing"]),
        "hosts": HOSTS,
        "network": st.fixed_dictionaries(
            {"encryption": st.booleans(), "cluster": st.sampled_from([None, "10.1.0.0/24"])}
        ),
        "storage": STORAGE,
        "apps": st.sampled_from([{}, {"cdn": {}}, {"cdn": {"edges": 1}}]),
    }
)


@settings(max_examples=150, deadline=None)
@given(SPECS)
def test_every_spec_has_a_design_that_is_sound(data: dict[str, Any]) -> None:
    found = design(data)
    _names_and_addresses_are_unique(found)
    _daemons_are_where_they_can_be(found, data)
    assert all(pool.pg_num >= 1 and pool.pg_num & (pool.pg_num - 1) == 0 for pool in found.pools)
    assert all(1 <= pool.min_size <= pool.size for pool in found.pools)
    # Checks and statements exist for every design, and are the same for the same input.
    again = design(data)
    assert again == found
    assert check_design(again) == check_design(found)
    assert survival(again) == survival(found)


def _names_and_addresses_are_unique(found: Design) -> None:
    names = [host.name for host in found.hosts]
    addresses = [host.address for host in found.hosts] + [found.network.gateway]
    cluster = [host.cluster_address for host in found.hosts if host.cluster_address]
    daemons = [daemon.name for host in found.hosts for daemon in host.daemons]
    for group in (names, addresses, cluster, daemons, [pool.name for pool in found.pools]):
        assert len(set(group)) == len(group)
    assert all(ip_address(address) in ip_network(found.network.public) for address in addresses)
    assert bool(cluster) == bool(found.network.cluster)


def _daemons_are_where_they_can_be(found: Design, data: dict[str, Any]) -> None:
    for host in found.hosts:
        assert not host.daemons or Role.STORAGE in host.roles
        osds = [daemon.drive for daemon in host.daemons_of(DaemonKind.OSD)]
        assert osds == [drive.name for drive in host.drives]
    assert len(found.with_daemon(DaemonKind.MON)) == data["storage"]["mons"]
    assert len(found.with_daemon(DaemonKind.MGR)) == data["storage"]["mgrs"]
    hosts = {host.name for host in found.servers}
    assert {name for app in found.apps for name, _ in app.placements} <= hosts
    for frontend in found.frontends:
        assert frontend.backends
        assert {name for name, _ in frontend.backends} <= hosts
    assert {name for user in found.users for name in user.hosts} <= hosts


@settings(max_examples=60, deadline=None)
@given(SPECS, st.sampled_from(["controlPlane", "workers", "storage"]))
def test_one_host_more_moves_nobody_else(data: dict[str, Any], role: str) -> None:
    before = design(data)
    hosts = {**data["hosts"], role: {**data["hosts"][role], "count": data["hosts"][role]["count"] + 1}}
    after = {host.name: host for host in design({**data, "hosts": hosts}).hosts}
    assert len(after) == len(before.hosts) + 1
    for host in before.hosts:
        assert after[host.name].address == host.address
        assert after[host.name].cluster_address == host.cluster_address
        assert after[host.name].roles == host.roles


def test_the_drawings_seven_servers() -> None:
    found = design({"pattern": "production-minimum"})
    names = ["cp-1", "worker-a", "worker-b", "storage-k", "storage-l", "storage-m", "storage-n"]
    assert [host.name for host in found.servers] == names
    assert found.admin_host.name == "cp-1"
    assert found.load_balancer is not None
    assert [(front.name, front.port) for front in found.frontends] == [
        ("database", 5432),
        ("database-reads", 5433),
        ("catalogue", 8445),
        ("site", 443),
        ("s3", 7443),
        ("dashboard", 8443),
    ]


def test_platforms_by_provider() -> None:
    assert design({}).platform == "native"
    assert design({"platform": "kubernetes"}).platform == "kubernetes"
    assert design({"provider": "hetzner"}).platform == "kubernetes"


def test_roles_are_the_same_in_whatever_order_they_are_named() -> None:
    def roles(*also: str) -> tuple[Role, ...]:
        return design({"hosts": {"storage": {"also": list(also)}}}).with_role(Role.STORAGE)[0].roles

    expected = (Role.CONTROL_PLANE, Role.WORKER, Role.STORAGE)
    assert roles("worker", "control-plane") == roles("control-plane", "worker") == expected


def test_hosts_with_further_roles_keep_memory_for_them() -> None:
    def osd_memory(*also: str) -> int:
        found = design({"hosts": {"storage": {"memory": "12GiB", "also": list(also)}}})
        return found.with_role(Role.STORAGE)[0].daemons_of(DaemonKind.OSD)[0].memory

    assert osd_memory() > osd_memory("worker") > osd_memory("worker", "control-plane")


def test_placement_groups_are_counted_for_the_drives_that_the_pools_use() -> None:
    ssd = {"count": 2, "class": "ssd"}
    plain = design({"hosts": {"storage": {"drives": [ssd]}}})
    mixed = design({"hosts": {"storage": {"drives": [ssd, {"count": 20, "class": "hdd"}]}}})
    assert [pool.pg_num for pool in mixed.pools] == [pool.pg_num for pool in plain.pools]
    assert {pool.device_class for pool in mixed.pools} == {"ssd"}


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            {"hosts": {"controlPlane": {"count": 0}}},
            (
                "hosts.controlPlane.count: there is no control plane\n"
                "  Set it to 1 or 3, or add `also: [control-plane]` to hosts.storage."
            ),
        ),
        (
            {"hosts": {"workers": {"count": 0}}, "apps": {"cdn": {}}},
            (
                "hosts.workers.count: there is no worker for apps.cdn\n"
                "  Set it to 2, or add `also: [worker]` to hosts.storage."
            ),
        ),
        (
            {"network": {"public": "10.1.0.0/27"}, "hosts": {"storage": {"count": 16}}},
            (
                "network.public: 10.1.0.0/27 has room for 0 control-plane hosts only\n"
                "  Give a larger network (a smaller number after the slash), or leave it out."
            ),
        ),
        (
            {"network": {"cluster": "10.1.0.0/29"}},
            (
                "network.cluster: 10.1.0.0/29 has room for 3 storage nodes only\n"
                "  Give a larger network (a smaller number after the slash), or leave it out."
            ),
        ),
    ],
)
def test_where_there_is_no_design(data: dict[str, Any], text: str) -> None:
    with pytest.raises(InputError) as caught:
        design(data)
    assert str(caught.value) == text


@pytest.mark.parametrize(
    ("provider", "addresses", "text"),
    [
        (
            "hetzner",
            ["10.0.0.1", "10.0.0.2"],
            (
                "hosts.workers.addresses: servers of hetzner get their addresses from there\n"
                "  Remove it, or set `provider: existing`."
            ),
        ),
        (
            "existing",
            ["10.0.0.1"],
            (
                "hosts.workers.addresses: 2 servers want an address each; given: 1\n"
                "  Give one for each, or set hosts.workers.count to 1."
            ),
        ),
    ],
)
def test_addresses_that_cannot_be(provider: str, addresses: list[str], text: str) -> None:
    with pytest.raises(InputError) as refused:
        design({"provider": provider, "hosts": {"workers": {"addresses": addresses}}})
    assert str(refused.value) == text


def test_an_address_of_two_servers_in_two_parts() -> None:
    hosts = {"workers": {"addresses": ["10.0.0.1", "10.0.0.2"]}, "controlPlane": {"addresses": ["10.0.0.2"]}}
    with pytest.raises(InputError) as refused:
        design({"provider": "existing", "hosts": hosts})
    assert str(refused.value) == (
        "hosts.workers.addresses: 10.0.0.2 is there twice\n  Give each server its own."
    )


@pytest.mark.parametrize(
    ("provider", "mtu", "balancer"),
    [
        ("lab", 1500, "10.20.0.2"),
        ("existing", 1500, "10.20.0.2"),
        ("hetzner", 1450, "10.20.0.2"),
        ("gcp", 1460, "10.20.0.2"),
        ("aws", 1500, "10.20.0.4"),
    ],
)
def test_what_follows_from_the_provider(provider: str, mtu: int, balancer: str) -> None:
    found = design({"provider": provider, "network": {"public": "10.20.0.0/24"}})
    assert found.load_balancer is not None
    assert (found.network.mtu, found.load_balancer.address) == (mtu, balancer)
    given = {"public": "10.20.0.0/24", "mtu": 1300, "balancer": "10.20.0.9"}
    found = design({"provider": provider, "network": given})
    assert found.load_balancer is not None
    assert (found.network.mtu, found.load_balancer.address) == (1300, "10.20.0.9")


@pytest.mark.parametrize("provider", ["lab", "existing", "hetzner", "gcp", "aws"])
@pytest.mark.parametrize("count", [4, 125, 126, 127, 128, 253, 255])
def test_no_host_has_an_address_that_the_provider_keeps(provider: Provider, count: int) -> None:
    found = design({"provider": provider, "hosts": {"storage": {"count": count}}})
    network = IPv4Network(found.network.public)
    kept = [
        host.name
        for host in found.hosts
        if PROVIDERS[provider].network.keeps(network, IPv4Address(host.address))
    ]
    assert kept == []
    assert len({host.address for host in found.hosts}) == len(found.hosts)


def test_servers_that_are_there_keep_their_addresses() -> None:
    found = design(
        {
            "provider": "existing",
            "network": {"public": "192.168.7.0/24", "balancer": "192.168.7.250"},
            "hosts": {"workers": {"addresses": ["192.168.7.12", "192.168.7.13"]}},
        }
    )
    assert [host.address for host in found.with_role(Role.WORKER)] == ["192.168.7.12", "192.168.7.13"]
    assert found.load_balancer is not None
    assert found.load_balancer.address == "192.168.7.250"
    assert found.host("cp-1").address == "192.168.7.10"
    # The API is where it is: nobody made a load balancer for it.
    assert found.kubernetes is not None
    assert found.kubernetes.endpoint == "192.168.7.10:6443"
