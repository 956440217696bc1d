"""A hint that proposes a value is itself checked: with that value the finding is gone."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from ipaddress import IPv4Network
from typing import Any

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from rookery.design.checks import Finding, Severity
from rookery.design.machine import Machine
from rookery.errors import InputError
from tests.kit.finding_triggers import TRIGGERS
from tests.kit.findings import BUSY, findings

_VALUE = r'"?([0-9A-Za-z][\w./-]*?)"?(?=[.,]?(?:\s|$))'
# `Set it to 3`, `set it to a network that is free, like 10.20.0.0/24`, `Set it to 3 or 5`.
_IT = re.compile(
    rf"[Ss]et it to (?:an? [^,.]*, like |one of these sizes, like )?{_VALUE}(?: or (\d+)(?=\.))?"
)
# `Set storage.distribution to rook, and kubernetes.version to "1.36"`.
_NAMED = re.compile(rf"(?:[Ss]et|and) ([a-zA-Z]+\.[\w.]+) to {_VALUE}")


def proposals(finding: Finding) -> Iterator[dict[str, str]]:
    """Yield what a hint proposes, each the values of paths of a spec that belong together."""
    named = dict(_NAMED.findall(finding.hint))
    if named:
        yield named
    for first, second in _IT.findall(finding.hint):
        yield from ({finding.path: value} for value in (first, second) if value)


def changed(data: dict[str, Any], values: dict[str, str]) -> dict[str, Any]:
    """Return a spec with these values, as a person would write them."""
    result = deepcopy(data)
    for path, value in values.items():
        *above, last = path.split(".")
        part = result
        for key in above:
            part = part.setdefault(key, {})
        part[last] = value if "version" in path else yaml.safe_load(value)
    return result


def left(data: dict[str, Any], machine: Machine | None) -> Iterator[str]:
    """Yield findings that are still there when their own hint was followed."""
    for finding in findings(data, machine):
        for values in proposals(finding):
            try:
                after = findings(changed(data, values), machine)
            except InputError:
                continue  # another part of the spec has no room for it, which is said in its turn
            if (finding.code, finding.path) in {(one.code, one.path) for one in after}:
                yield f"{finding} [{values}]"


def test_proposals_are_read_from_hints() -> None:
    texts = {
        "Set it to 3 or 5.": [{"p.q": "3"}, {"p.q": "5"}],
        "Set it to a network that is free, like 10.21.0.0/24.": [{"p.q": "10.21.0.0/24"}],
        "Leave it out, or set it to 1450.": [{"p.q": "1450"}],
        'Set storage.distribution to rook, and kubernetes.version to "1.36".': [
            {"storage.distribution": "rook", "kubernetes.version": "1.36"}
        ],
        "Use one class for all drives.": [],
    }
    for hint, expected in texts.items():
        finding = Finding(code="RK000", severity=Severity.INFO, path="p.q", message="", hint=hint)
        assert list(proposals(finding)) == expected


@pytest.mark.parametrize(
    ("data", "machine"),
    [(data, machine) for *_, data, machine in TRIGGERS],
    ids=[f"{number}-{code}" for number, (code, *_) in enumerate(TRIGGERS)],
)
def test_what_a_hint_proposes_ends_its_finding(data: dict[str, Any], machine: Machine | None) -> None:
    assert list(left(data, machine)) == []


def test_many_hints_propose_something() -> None:
    """The test above looks at something."""
    codes = {
        code
        for code, _, _, data, machine in TRIGGERS
        for one in findings(data, machine)
        if one.code == code and any(proposals(one))
    }
    assert {"RK102", "RK110", "RK203", "RK301", "RK701", "RK702", "RK705", "RK706", "RK803", "RK821"} <= codes


def _network(number: int, prefix: int) -> str:
    return str(IPv4Network((number, prefix), strict=False))


near = st.builds(
    _network,
    st.one_of(
        st.integers(0x0A000000, 0x0AFFFFFF),
        st.sampled_from([0x0AF40000, 0x0A600000, 0x0A140000, 0x7F000000, 0xEF000000, 0x09000000, 0xC0A80000]),
    ),
    st.integers(8, 28),
)
networks = st.fixed_dictionaries(
    {
        "provider": st.sampled_from(["hetzner", "aws", "gcp", "existing", "lab"]),
        "platform": st.just("kubernetes"),
        "network": st.fixed_dictionaries({}, optional={"public": near, "cluster": near}),
        "kubernetes": st.fixed_dictionaries({}, optional={"pods": near, "services": near}),
    }
)


@given(networks)
@settings(deadline=None, max_examples=40)
def test_networks_that_hints_propose_are_free(data: dict[str, Any]) -> None:
    try:
        assert list(left(data, BUSY)) == []
    except InputError:
        return  # a network without room for its hosts: no design, and no hint
