"""Servers that a system on Kubernetes is given: somebody's own, or a lab's of which no mirror is known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from rookery.design.model import Design
from rookery.drivers.containers.runc import Runc
from rookery.errors import InputError, NotPossibleError
from rookery.plan.kubernetes import BOOTSTRAP, IMAGE, SETTLED
from rookery.plan.lab_nodes import IMAGE_STORE, NETWORK, NODE_IMAGE, SERVER
from rookery.systems.existing.servers import ExistingServers
from rookery.systems.kubernetes.removal import ClusterRemoval
from rookery.systems.kubernetes.system import KubernetesSystem
from rookery.systems.lab import power
from rookery.systems.lab.nodes.servers import LabServers
from rookery.systems.servers import Servers
from tests.kit.designs import design


def quiet(_text: str) -> None:
    """Hears what is reported, and forgets it."""


@pytest.fixture(autouse=True)
def _home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))


def of(provider: str) -> Design:
    return design(
        {
            "name": "test-servers",
            "provider": provider,
            "platform": "kubernetes",
            "apps": {"cdn": {}},
        }
    )


def servers_of(provider: str) -> Servers:
    found: dict[str, Servers] = {
        "lab": LabServers(of("lab"), None),
        "existing": ExistingServers(of("existing")),
    }
    return found[provider]


def test_somebody_s_servers_are_there_and_stay(tmp_path: Path) -> None:
    servers = servers_of("existing")
    servers.require()
    servers.require_access()
    assert (servers.steps(), tuple(servers.facts()), servers.began()) == ((), (), {})
    assert servers.memory("cp-1") is None
    assert servers.removal(noted=tmp_path) is None
    assert not servers.told().staying
    assert not any(servers.makes(step) for step in servers_of("lab").steps())
    assert isinstance(KubernetesSystem(of("existing"), servers).removal, ClusterRemoval)


def test_somebody_s_servers_are_entered_by_ssh() -> None:
    servers = servers_of("existing")
    address = of("existing").host("cp-1").address
    assert servers.exec_argv("cp-1", ("uptime",)) == ["ssh", address, "uptime"]
    assert servers.exec_argv("cp-1", ()) == ["ssh", "-t", address]
    with pytest.raises(InputError, match="there is no host 'lb-1'"):
        servers.exec_argv("lb-1", ())


def test_nobody_here_cuts_the_power_of_somebody_s_servers() -> None:
    servers = servers_of("existing")
    for switch in (servers.power_off, lambda host: servers.power_on(host, quiet)):
        with pytest.raises(NotPossibleError) as caught:
            switch("storage-k")
        assert str(caught.value) == (
            "storage-k stays as it is: nobody here switches servers that are somebody's own\n"
            "  Switch it where it stands, or where it was made."
        )
    assert servers_of("lab").power_obstacle == ""


def test_a_lab_without_a_mirror_is_a_lab_all_the_same(tmp_path: Path) -> None:
    """It can be planned and taken down; what it is to be made of, nobody knows."""
    servers = servers_of("lab")
    assert not {NODE_IMAGE, IMAGE_STORE, NETWORK} & set(servers.facts())
    with pytest.raises(NotPossibleError, match="nobody knows which mirror the servers of test-servers"):
        servers.apply(next(step for step in servers.steps() if step.id == NODE_IMAGE), quiet)
    removal = servers.removal(noted=tmp_path / "noted")
    assert removal is not None
    assert removal.leftovers() == ()


def test_servers_that_are_made_come_before_the_cluster_and_are_settled_after() -> None:
    def names(provider: str) -> list[str]:
        steps = KubernetesSystem(of(provider), servers_of(provider)).steps()
        before = [step.id.partition(":")[0] for step in steps if step.phase == "machines"]
        return list(dict.fromkeys(before))

    assert names("existing") == [IMAGE, BOOTSTRAP]
    assert names("lab") == [IMAGE, NODE_IMAGE, IMAGE_STORE, NETWORK, SERVER, BOOTSTRAP, SETTLED]


def test_a_shell_on_a_lab_s_server_is_a_login(monkeypatch: pytest.MonkeyPatch) -> None:
    servers = servers_of("lab")
    assert servers.exec_argv("lb-1", ())[-3:] == ["test-servers.lb-1", "bash", "--login"]
    assert servers.exec_argv("cp-1", ("uptime",))[-2:] == ["test-servers.cp-1", "uptime"]


def test_a_cut_waits_until_nothing_runs_and_leaves_what_is_off(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    runc = Runc(tmp_path)
    looks = [{"lab.a": 7}, {"lab.a": 7, "lab.b": 8}, {"lab.b": 8}]
    sent = []
    monkeypatch.setattr(runc, "running", lambda: looks.pop(0))
    monkeypatch.setattr(runc, "kill", lambda *words: sent.append(words))
    power.cut_power(runc, "lab.a")
    assert (sent, looks) == ([("lab.a", "KILL")], [])
    looks.append({"lab.b": 8})
    power.cut_power(runc, "lab.a")
    assert sent == [("lab.a", "KILL")]


def test_nodes_that_are_there_bring_our_image_themselves() -> None:
    made = of("existing")
    assert made.kubernetes is not None
    there = replace(made, kubernetes=replace(made.kubernetes, bootstrap="none"))
    steps = KubernetesSystem(there, ExistingServers(there)).steps()
    assert IMAGE not in {step.id for step in steps}
