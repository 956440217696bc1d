"""A provider is one row: whatever has a table of its own agrees with it, and nobody else asks for a name."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

from rookery.design.model import Design
from rookery.prices.book import CLOUDS, TITLES, cloud_of
from rookery.projections.kubernetes.controllers import CONTROLLERS
from rookery.providers import ELSEWHERE, PLAIN, PROVIDERS, Provider, handed_on
from rookery.run.clouds import CONNECTIONS
from rookery.run.systems import _SERVERS
from rookery.run.workspace import open_spec

_SOURCE = Path(__file__).parents[1] / "src" / "rookery"
# What a provider asks for its bill, what its own controller is, who reads its prices, and which class makes
# its servers: each a table by name. A cloud says its own in its room, a command that starts a stand-in says
# whose it is.
_TABLES = (
    "clouds",
    "cli/cloud.py",
    "providers.py",
    "prices",
    "run/prices.py",
    "run/systems.py",
    "run/clouds.py",
    "projections/kubernetes/controllers.py",
)


def on(provider: Provider) -> Design:
    return open_spec("production-minimum", as_new=True, provider=provider).design


def test_every_name_has_its_row() -> None:
    assert tuple(PROVIDERS) == get_args(Provider)
    assert ELSEWHERE == ("hetzner", "aws", "gcp", "existing")
    assert PLAIN == "existing"


def test_other_tables_agree() -> None:
    assert tuple(name for name, traits in PROVIDERS.items() if traits.priced) == CLOUDS
    assert {name for name, traits in PROVIDERS.items() if traits.controller} == set(CONTROLLERS)
    assert TITLES == {"hetzner": "Hetzner", "aws": "AWS", "gcp": "GCP"}
    assert [cloud_of(name) for name in PROVIDERS] == ["hetzner", "hetzner", "aws", "gcp", "hetzner"]
    # Whoever makes servers on this machine, or finds them, is there, and each cloud that one gets into.
    others = {name for name, traits in PROVIDERS.items() if traits.made_by != "a cloud"}
    assert set(_SERVERS) == others | set(CONNECTIONS)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_design_asks_its_row(provider: Provider) -> None:
    design = on(provider)
    assert design.traits is PROVIDERS[provider]
    assert (design.platform == "native") == design.traits.native
    balancer = design.load_balancer
    assert balancer is not None
    assert (balancer.cpus > 0) == (design.traits.balancer == "server")


def test_nobody_asks_for_a_provider_by_its_name() -> None:
    """Only as a text of its own, which is what a comparison has: sentences may name whom they like."""
    names = set(PROVIDERS)
    found = []
    for path in sorted(_SOURCE.rglob("*.py")):
        place = path.relative_to(_SOURCE).as_posix()
        if place.startswith(_TABLES) or "guest" in path.parts:
            continue
        constants = (
            node for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.Constant)
        )
        found += [f"{place}:{node.lineno}: {node.value}" for node in constants if node.value in names]
    # Velero calls whatever speaks S3 `aws`; the spec's default is the one of the lab.
    expected = ["apps/backup/kubernetes/velero.py", "spec/model.py"]
    assert [line.partition(":")[0] for line in found] == expected, found


def test_root_is_handed_what_lets_one_in() -> None:
    environment = (
        *("HCLOUD_TOKEN", "AWS_PROFILE", "GOOGLE_APPLICATION_CREDENTIALS", "SSH_AUTH_SOCK", "KUBECONFIG"),
        *("ROOKERY_HOME", "PYTHONPATH", "CI", "HOME", "LD_PRELOAD", "XAWS_REGION", "EDITOR", "AWS_REGION"),
    )
    assert handed_on(environment) == (
        *("AWS_PROFILE", "AWS_REGION", "CI", "GOOGLE_APPLICATION_CREDENTIALS", "HCLOUD_TOKEN", "KUBECONFIG"),
        *("PYTHONPATH", "ROOKERY_HOME", "SSH_AUTH_SOCK"),
    )
