"""Names and addresses: derived, unique, and stable when a system grows."""

from __future__ import annotations

from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rookery.design.naming import (
    Addresses,
    control_plane_name,
    derived_network,
    letters,
    network_prefix,
    storage_name,
    worker_name,
)
from rookery.errors import InputError


def test_names_are_those_of_the_drawing() -> None:
    assert [control_plane_name(0), worker_name(0), worker_name(1)] == ["cp-1", "worker-a", "worker-b"]
    assert [storage_name(n) for n in range(4)] == ["storage-k", "storage-l", "storage-m", "storage-n"]


def test_letters_go_on_as_columns_do() -> None:
    assert [letters(n) for n in (0, 25, 26, 51, 52, 701, 702)] == ["a", "z", "aa", "az", "ba", "zz", "aaa"]


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_different_numbers_have_different_letters(first: int, second: int) -> None:
    assert (letters(first) == letters(second)) == (first == second)


@given(st.text("abc-", min_size=1, max_size=9), st.integers(9, 24))
def test_a_derived_network_is_private_and_always_the_same(name: str, prefix: int) -> None:
    network = ip_network(derived_network(name, prefix))
    assert network.prefixlen == prefix
    assert network.subnet_of(ip_network("10.128.0.0/9"))  # type: ignore[arg-type]
    assert derived_network(name, prefix) == str(network)


def test_networks_differ_by_name_and_by_purpose() -> None:
    found = {derived_network(f"demo-{n}", 24) for n in range(20)}
    assert len(found) == 20
    assert derived_network("demo", 24) != derived_network("demo", 24, "cluster")


@given(st.integers(26, 30), st.sampled_from(["control_plane", "worker", "storage"]))
def test_no_address_is_given_twice_in_the_smallest_networks(prefix: int, kind: str) -> None:
    addresses = Addresses(f"10.9.8.0/{prefix}", "network.public")
    given_out = [addresses.gateway, addresses.load_balancer(2)]
    for role in ("control_plane", "worker", "storage"):
        for number in range(64):
            try:
                given_out.append(getattr(addresses, role)(number))
            except InputError:
                break
    assert len(set(given_out)) == len(given_out)
    network = ip_network(f"10.9.8.0/{prefix}")
    assert all(ip_address(address) in network for address in given_out)
    assert str(network.broadcast_address) not in given_out
    assert str(network.network_address) not in given_out
    with pytest.raises(InputError):
        getattr(addresses, kind)(64)


@pytest.mark.parametrize(
    "counts", [(1, 2, 4), (22, 96, 127), (23, 2, 4), (1, 97, 4), (1, 2, 128), (3, 250, 2000)]
)
def test_the_prefix_has_room_for_all(counts: tuple[int, int, int]) -> None:
    addresses = Addresses(f"10.0.0.0/{network_prefix(*counts)}", "network.public")
    last = (
        addresses.control_plane(counts[0] - 1),
        addresses.worker(counts[1] - 1),
        addresses.storage(counts[2] - 1),
    )
    assert len(set(last)) == 3


def test_the_prefix_is_no_larger_than_needed() -> None:
    assert [network_prefix(1, 96, 127), network_prefix(1, 97, 127), network_prefix(1, 96, 128)] == [
        24,
        23,
        23,
    ]


@pytest.mark.parametrize(
    ("network", "text"),
    [
        (
            "10.1.0.5/24",
            (
                "network.public: 10.1.0.5/24 is no IPv4 network: 10.1.0.5/24 has host bits set\n"
                "  Write its first address and prefix, like 10.20.0.0/24."
            ),
        ),
        (
            "10.1.0.0/31",
            (
                "network.public: 10.1.0.0/31 has no room for hosts\n"
                "  Give a larger network (a smaller number after the slash), or leave it out."
            ),
        ),
        (
            "255.255.255.255/32",
            (
                "network.public: 255.255.255.255/32 has no room for hosts\n"
                "  Give a larger network (a smaller number after the slash), or leave it out."
            ),
        ),
        (
            "10.1.0.0/28",
            (
                "network.public: 10.1.0.0/28 has room for 0 control-plane hosts only\n"
                "  Give a larger network (a smaller number after the slash), or leave it out."
            ),
        ),
    ],
)
def test_networks_that_do_not_do(network: str, text: str) -> None:
    with pytest.raises(InputError) as caught:
        Addresses(network, "network.public").control_plane(0)
    assert str(caught.value) == text
