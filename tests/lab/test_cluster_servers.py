"""The lab's servers for Kubernetes: what a provider would hand out, made of a mirror on this machine.

The packages of Kubernetes and CRI-O in them are stand-ins: no registry has the real ones here. What the
playbooks make of such servers, `test_bootstrap` shows.
"""

from __future__ import annotations

import shutil
import socket
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from rookery.design.faults import Fault, FaultKind
from rookery.drivers.machine import loop
from rookery.drivers.machine.files import remove_tree
from rookery.plan.lab_nodes import IMAGE_STORE, NETWORK, NODE_IMAGE, SERVER
from rookery.systems.faults import Faults
from rookery.systems.lab.leftovers import take_down
from rookery.systems.lab.nodes.root import image_root
from rookery.systems.lab.nodes.servers import LabServers
from rookery.versions import KUBERNETES
from tests.kit.designs import design
from tests.lab.stand_ins import make_mirror

DESIGN = design(
    {
        "name": "test-cluster",
        "provider": "lab",
        "platform": "kubernetes",
        "network": {"public": "10.213.78.0/24"},
        "kubernetes": {"monitoring": False},
        "hosts": {
            "controlPlane": {"count": 1},
            "workers": {"count": 1},
            "storage": {"count": 1, "drives": [{"count": 2, "size": "6GB"}]},
        },
    }
)
SERVERS = ("cp-1", "worker-a", "storage-k")


def quiet(_text: str) -> None:
    """Hears what is reported, and forgets it."""


class Lab:
    """The servers, and how a test asks them."""

    def __init__(self, servers: LabServers, folder: Path) -> None:
        self.servers = servers
        self.folder = folder
        self.faults = Faults(DESIGN, servers.breakers(servers.power_on))

    def apply(self, *ids: str) -> None:
        steps = {step.id: step for step in self.servers.steps()}
        with ThreadPoolExecutor() as pool:
            list(pool.map(lambda name: self.servers.apply(steps[name], quiet), ids))

    def run(self, host: str, *argv: str, check: bool = True) -> str:
        line = self.servers.exec_argv(host, argv)
        done = subprocess.run(line, capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0 or not check, f"{host}: {argv}: {done.stdout}{done.stderr}"
        return done.stdout


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    if shutil.which("ssh") is None or shutil.which("gpg") is None:
        pytest.skip("there is no ssh or no gpg: apt-get install openssh-client gnupg")
    folder = tmp_path_factory.mktemp("cluster")
    mirror = make_mirror(folder)
    servers = LabServers(DESIGN, mirror)
    found = Lab(servers, folder)
    try:
        found.apply(NODE_IMAGE)
        found.apply(NETWORK)
        found.apply(*(f"{SERVER}:{host.name}" for host in DESIGN.hosts))
        yield found
    finally:
        take_down(servers.paths)
        remove_tree(image_root(mirror, KUBERNETES))


def test_every_step_but_images_is_seen_as_done(lab: Lab) -> None:
    wanted = {step.id for step in lab.servers.steps() if lab.servers.makes(step)} - {IMAGE_STORE}
    assert len(wanted) == 6
    assert wanted <= set(lab.servers.facts())


@pytest.mark.parametrize("host", SERVERS)
def test_a_server_has_its_own_systemd_with_nothing_failed(lab: Lab, host: str) -> None:
    assert lab.run(host, "systemctl", "is-system-running", "--wait", check=False).strip() == "running"
    assert lab.run(host, "hostname").strip() == host
    assert "kubelet.service" in lab.run(host, "systemctl", "list-unit-files", "kubelet.service")


def test_a_server_sees_its_designed_memory_and_what_kubelet_wants_to_read(lab: Lab) -> None:
    total = next(line for line in lab.run("storage-k", "cat", "/proc/meminfo").splitlines())
    assert total.split() == ["MemTotal:", str(DESIGN.host("storage-k").memory // 1024), "kB"]
    assert lab.run("cp-1", "cat", "/proc/sys/vm/overcommit_memory").strip() == "1"
    assert len(lab.run("cp-1", "cat", "/proc/swaps").splitlines()) == 1


def test_drives_have_names_that_last_and_the_designed_size(lab: Lab) -> None:
    for drive in DESIGN.host("storage-k").drives:
        path = f"/dev/disk/by-id/lab-{drive.name}"
        assert int(lab.run("storage-k", "blockdev", "--getsize64", path)) == drive.size
    assert "loop" not in lab.run("worker-a", "ls", "/dev")


def test_the_playbooks_reach_every_server_with_the_labs_own_keys(lab: Lab) -> None:
    told = lab.servers.told()
    variables = told.variables
    for host in DESIGN.servers:
        options = variables["ansible_ssh_common_args"].split()
        key = ("-i", variables["ansible_ssh_private_key_file"], "-o", "BatchMode=yes")
        line = ("ssh", *key, *options, "-o", "StrictHostKeyChecking=yes", f"root@{host.address}", "hostname")
        done = subprocess.run(line, capture_output=True, text=True, timeout=30, check=False)
        assert done.stdout.strip() == host.name, done.stderr
    for name in ("kubernetes_packages", "crio_packages"):
        place = variables[name].removeprefix("file://")
        assert "InRelease" in lab.run("cp-1", "ls", place)
    assert told.hosts["storage-k"]["kubelet_settings"]["imageGCHighThresholdPercent"] == 100


def test_the_load_balancer_answers_and_knows_that_nobody_is_there(lab: Lab) -> None:
    address = DESIGN.host("lb-1").address
    line = ("curl", "--silent", f"http://{address}:9000/;csv")
    said = subprocess.run(line, capture_output=True, text=True, timeout=30, check=True).stdout
    api = [row.split(",") for row in said.splitlines() if row.startswith("api,")]
    assert {row[1] for row in api} >= {"cp-1", "BACKEND"}


def test_a_server_that_lost_power_comes_back_with_what_was_written(lab: Lab) -> None:
    lab.run("storage-k", "sh", "-c", "echo kept > /etc/kept; echo more > /var/lib/kubelet/kept; sync")
    card = lab.run("storage-k", "cat", "/sys/class/net/eth0/address")
    lost = lab.faults.begin(Fault(kind=FaultKind.POWER, host="storage-k"))
    assert lab.servers.began()["storage-k"] is None
    assert f"{SERVER}:storage-k" not in set(lab.servers.facts())
    lab.servers.power_off("storage-k")
    assert [found.fault for found in lab.faults.begun()] == [lost.fault]
    lost.heal()
    began = lab.servers.began()
    lost.heal()
    assert lab.servers.began() == began, "one that runs goes on"
    assert lab.faults.begun() == ()
    assert lab.run("storage-k", "cat", "/etc/kept", "/var/lib/kubelet/kept") == "kept\nmore\n"
    assert f"{SERVER}:storage-k" in set(lab.servers.facts())
    # Whoever spoke with it before finds it at once.
    assert lab.run("storage-k", "cat", "/sys/class/net/eth0/address") == card


def test_a_server_that_hangs_or_is_cut_off_is_itself_again(lab: Lab) -> None:
    address = DESIGN.host("storage-k").address
    before, began = addresses(lab), lab.servers.began()
    for kind in (FaultKind.HANG, FaultKind.CUT):
        lost = lab.faults.begin(Fault(kind=kind, host="storage-k"))
        with pytest.raises(OSError, match="timed out"):
            logged_in(address)
        assert [found.fault for found in lab.faults.begun()] == [lost.fault]
        # Nothing of it has to be started again.
        assert f"{SERVER}:storage-k" in set(lab.servers.facts())
        assert (NETWORK in set(lab.servers.facts())) == (kind is FaultKind.HANG)
        lost.heal()
        lost.heal()
        assert logged_in(address).startswith(b"SSH-2.0")
        assert lab.faults.begun() == ()
    assert lab.servers.began() == began
    assert addresses(lab) == before


def addresses(lab: Lab) -> str:
    """Return a server's addresses and ways out."""
    return "".join(lab.run("storage-k", "ip", "-4", *words) for words in (("addr",), ("route",)))


def logged_in(address: str) -> bytes:
    """Return what a server says to whoever wants to log in; OSError where it says nothing for 3 s."""
    with socket.create_connection((address, 22), timeout=3) as there:
        return there.recv(64)


def test_a_frozen_server_loses_its_power_as_well(lab: Lab) -> None:
    hangs = lab.faults.begin(Fault(kind=FaultKind.HANG, host="worker-a"))
    lost = lab.faults.begin(Fault(kind=FaultKind.POWER, host="worker-a"))
    assert [found.fault.kind for found in lab.faults.begun()] == [FaultKind.POWER]
    assert lab.faults.can(hangs.fault) == "it does not run"
    hangs.heal()
    lost.heal()
    assert lab.run("worker-a", "hostname") == "worker-a\n"


def test_nothing_is_left(lab: Lab) -> None:
    """Last: it takes the servers away."""
    folder = lab.servers.paths.folder
    assert len(loop.devices_of(folder)) == 2
    removal = lab.servers.removal(noted=lab.folder / "noted")
    assert removal.leftovers()
    removal.take_down(quiet)
    assert removal.leftovers() == ()
    assert loop.devices_of(folder) == ()
