"""From servers to a cluster: which playbooks and programs run, and when they have to run again."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from rookery.drivers.machine.process import CommandError
from rookery.errors import NotPossibleError
from rookery.projections.kubernetes.bootstrap.inventory import node_labels, node_taints
from rookery.systems.kubernetes import bootstrap as module
from rookery.systems.kubernetes.bootstrap import Bootstrap
from rookery.systems.kubernetes.paths import ClusterPaths
from rookery.systems.kubernetes.preflight import require_installer
from rookery.systems.servers import Told
from tests.kit.designs import design
from tests.kit.fake_cluster import FakeKubectl

KUBEONE = """\
#!/bin/sh
echo "$*" >> {calls}
case $1 in
    kubeconfig) echo "who: admin" ;;
    apply)
        echo "INFO[21:03:04 UTC] Joining worker node            node=10.0.0.32"
        if [ -e {broken} ]; then echo "Error: no route to host"; exit 13; fi ;;
esac
"""


class World:
    """Servers that become a cluster in memory; `ran` has every playbook and every command of KubeOne."""

    def __init__(self, folder: Path, kind: str) -> None:
        self.folder = folder
        self.calls = folder / "calls"
        self.broken = folder / "broken"
        self.played: list[str] = []
        self.failing = ""
        of = design({"provider": "existing", "kubernetes": {"bootstrap": kind}})
        self.told = Told(variables={"apps_image_archive": "/a"}, hosts={"cp-1": {"zone": "a"}})
        paths, kubectl = ClusterPaths(name=of.name), FakeKubectl()
        self.bootstrap = Bootstrap(design=of, paths=paths, kubectl=kubectl, told=lambda: self.told)
        self.kubectl = kubectl

    def play(
        self,
        folder: Path,
        playbook: str,
        report: Callable[[str], None],
        *,
        options: tuple[str, ...],
        staying: bool = False,
    ) -> None:
        assert not staying, "servers of one's own may be restarted by a playbook"
        with self.calls.open("a") as calls:
            calls.write(f"{playbook}\n")
        report(f"{playbook} runs")
        assert (folder / playbook).exists()
        assert json.loads(Path(options[1].removeprefix("@")).read_text()) == self.told.variables
        assert json.loads((folder / "host_vars/cp-1.yaml").read_text()) == self.told.hosts["cp-1"]
        if playbook == self.failing:
            raise CommandError((playbook,), exit_code=2, output="unreachable")
        if playbook == "site.yaml":
            (folder / "kubeconfig").write_text("who: admin\n")
        if playbook != "prepare.yaml":
            self.join()

    def join(self, *, without: str = "") -> None:
        for host in self.bootstrap.design.servers:
            taints = [{"key": key, "effect": "NoSchedule"} for key in node_taints(host)]
            labels = {key: "" for key in node_labels(host) if key != without}
            meta = {"name": host.name, "labels": labels}
            self.kubectl.put({"kind": "Node", "metadata": meta, "spec": {"taints": taints}})

    @property
    def ran(self) -> list[str]:
        manifest = str(self.bootstrap.paths.tree / "00-bootstrap/kubeone.yaml")
        lines = self.calls.read_text().replace(manifest, "MANIFEST").splitlines()
        self.calls.unlink()
        return lines


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], World]:
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))

    def make(kind: str) -> World:
        made = World(tmp_path, kind)
        monkeypatch.setattr(module, "run_playbook", made.play)
        program = tmp_path / "bin/kubeone"
        program.parent.mkdir()
        program.write_text(KUBEONE.format(calls=made.calls, broken=made.broken))
        program.chmod(0o755)
        monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
        return made

    return make


def quiet(_text: str) -> None:
    """Hears what is reported, and forgets it."""


def test_kubeone_stands_between_two_playbooks(world: Callable[[str], World]) -> None:
    servers = world("kubeone")
    heard: list[str] = []
    servers.bootstrap.run(heard.append)
    assert servers.ran == [
        "prepare.yaml",
        "apply --manifest MANIFEST --auto-approve",
        "finish.yaml",
        "kubeconfig --manifest MANIFEST",
    ]
    assert heard == [
        "prepare.yaml runs",
        "Joining worker node            node=10.0.0.32",
        "finish.yaml runs",
    ]
    config = servers.bootstrap.paths.kubeconfig
    assert (config.read_text(), config.stat().st_mode & 0o777) == ("who: admin\n", 0o600)
    assert servers.bootstrap.is_done()


def test_kubeone_that_fails_says_why_and_is_run_again(world: Callable[[str], World]) -> None:
    servers = world("kubeone")
    servers.broken.touch()
    with pytest.raises(CommandError) as failed:
        servers.bootstrap.run(quiet)
    assert failed.value.what.endswith("ended with exit code 13")
    assert failed.value.details[-1] == "Error: no route to host"
    assert servers.ran == ["prepare.yaml", "apply --manifest MANIFEST --auto-approve"]
    assert not servers.bootstrap.paths.kubeconfig.exists()
    servers.broken.unlink()
    servers.bootstrap.run(quiet)
    assert servers.bootstrap.is_done()


@pytest.mark.parametrize(("kind", "last"), [("kubeadm", "site.yaml"), ("kubeone", "finish.yaml")])
def test_what_did_not_end_well_is_not_done(world: Callable[[str], World], kind: str, last: str) -> None:
    servers = world(kind)
    servers.failing = last
    with pytest.raises(CommandError):
        servers.bootstrap.run(quiet)
    servers.join()
    assert not servers.bootstrap.is_done()
    servers.failing = ""
    servers.bootstrap.run(quiet)
    assert servers.bootstrap.is_done()


def test_it_is_done_again_where_servers_are_to_be_told_something_else(
    world: Callable[[str], World],
) -> None:
    servers = world("kubeadm")
    servers.bootstrap.run(quiet)
    servers.told = Told(variables={"apps_image_archive": "/b"}, hosts=servers.told.hosts)
    assert not servers.bootstrap.is_done()
    servers.bootstrap.run(quiet)
    assert servers.bootstrap.is_done()
    other = design({"provider": "existing", "kubernetes": {"domain": "other.example"}})
    assert replace(servers.bootstrap, design=other).is_done()
    more = design({"provider": "existing", "hosts": {"storage": {"count": 5}}})
    assert replace(servers.bootstrap, design=more).strangers() == ("storage-o",)
    assert not replace(servers.bootstrap, design=more).is_done()


@pytest.mark.parametrize("label", ["node-role.kubernetes.io/worker", "node-role.kubernetes.io/storage"])
def test_a_node_without_its_label_was_left_half_way(world: Callable[[str], World], label: str) -> None:
    servers = world("kubeadm")
    servers.bootstrap.run(quiet)
    servers.join(without=label)
    part = label.rpartition("/")[2]
    assert {name.partition("-")[0] for name in servers.bootstrap.unmarked()} == {part}
    assert not servers.bootstrap.is_done()


def test_a_storage_node_without_its_taint_was_left_half_way(world: Callable[[str], World]) -> None:
    servers = world("kubeadm")
    servers.bootstrap.run(quiet)
    servers.kubectl.objects["node", "", "storage-l"]["spec"] = {}
    assert servers.bootstrap.unmarked() == ("storage-l",)
    assert not servers.bootstrap.is_done()


def test_kubeone_must_be_there_and_have_keys(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    of: Any = design({"provider": "existing", "kubernetes": {"bootstrap": "kubeone"}})
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("SSH_AUTH_SOCK", raising=False)
    require_installer(design({"provider": "existing"}))
    with pytest.raises(NotPossibleError, match="lacks kubeone, which makes the cluster"):
        require_installer(of)
    (tmp_path / "kubeone").touch(mode=0o755)
    with pytest.raises(NotPossibleError, match="there is no SSH agent, by whose keys KubeOne logs in"):
        require_installer(of)
    monkeypatch.setenv("SSH_AUTH_SOCK", "/run/agent")
    require_installer(of)
