"""What stands behind a stand-in's servers, volumes and load balancers: what is asked of it, and when."""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from rookery.clouds.hetzner.fake.machines import Card, Disk, Machine, Sending
from rookery.clouds.hetzner.fake.serve import serving
from rookery.run.prices import shipped_book
from rookery.run.workspace import running_names
from rookery.systems.lab.cloud.balancer import balancer_config, require_services
from rookery.systems.lab.cloud.machines import CloudPaths
from rookery.systems.lab.cloud.seed import disk_rules, server_files
from rookery.systems.lab.paths import NAMESPACE_PREFIX
from tests.kit.fake_hetzner import AT_ONCE, PUBLIC_KEY, Api, HeldHetzner
from tests.kit.waiting import until


class Noted:
    """Machines that do nothing, note what they are asked, and wait while a test holds them."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, object]] = []
        self.go_on = threading.Event()
        self.go_on.set()
        self.broken = ""

    def _note(self, name: str, what: object) -> None:
        assert self.go_on.wait(30)
        self.asked.append((name, what))
        if name == self.broken:
            raise OSError("no room is left")

    def make(self, machine: Machine) -> None:
        self._note("make", machine)

    def start(self, machine: Machine) -> None:
        self._note("start", machine.name)

    def stop(self, machine: Machine) -> None:
        self._note("stop", machine.name)

    def remove(self, machine: Machine) -> None:
        self._note("remove", machine.name)

    def plug(self, machine: Machine, card: Card) -> None:
        self._note("plug", (machine.name, card.ip, card.ip_range))

    def unplug(self, machine: Machine, card: Card) -> None:
        self._note("unplug", (machine.name, card.ip))

    def remove_network(self, number: int) -> None:
        self._note("remove_network", number)

    def attach(self, machine: Machine, disk: Disk) -> None:
        self._note("attach", (machine.name, disk.size))

    def detach(self, machine: Machine, disk: Disk) -> None:
        self._note("detach", (machine.name, disk.size))

    def make_disk(self, disk: Disk) -> None:
        self._note("make_disk", (disk.size, disk.format))

    def remove_disk(self, number: int) -> None:
        self._note("remove_disk", number)

    def balance(self, sending: Sending) -> None:
        self._note("balance", sending)

    def stop_balancing(self, number: int) -> None:
        self._note("stop_balancing", number)

    def health(self, number: int) -> Mapping[tuple[int, int], str]:
        del number
        return {}


@pytest.fixture
def noted() -> Noted:
    return Noted()


@pytest.fixture
def api(noted: Noted) -> Iterator[Api]:
    fake = HeldHetzner(shipped_book().of("hetzner"), AT_ONCE, machines=noted)
    try:
        with serving(fake) as served, fake.closing:
            yield Api(served)
    finally:
        fake.close()
    assert fake.wrong == []


def ended(api: Api, action: dict[str, Any]) -> dict[str, Any]:
    """Wait until an action has ended, and return it."""

    path = f"/actions/{action['id']}"
    assert until(lambda: api.one(path)["status"] != "running")
    return api.one(path)


def test_an_action_ends_when_what_it_means_is_done(api: Api, noted: Noted) -> None:
    noted.go_on.clear()
    said = {
        "server_type": "cpx22",
        "image": "debian-13",
        "location": "hel1",
        "user_data": "#cloud-config\n{}",
    }
    made = api.done("POST", "/servers", name="one", **said)
    server = made["server"]["id"]
    assert api.one(f"/actions/{made['action']['id']}")["status"] == "running"
    assert api.one(f"/servers/{server}")["locked"] is True
    noted.go_on.set()
    assert ended(api, made["next_actions"][0])["status"] == "success"
    (made_first, started) = noted.asked
    machine = made_first[1]
    assert isinstance(machine, Machine)
    assert (machine.name, machine.cpus, machine.memory) == ("one", 2, 4 * 1024**3)
    assert machine.address == api.one(f"/servers/{server}")["public_net"]["ipv4"]["ip"]
    assert machine.user_data == "#cloud-config\n{}"
    assert started == ("start", "one")


def test_what_cannot_be_done_ends_its_action_and_those_after_it(api: Api, noted: Noted) -> None:
    noted.broken = "make"
    said = {"server_type": "cpx22", "image": "debian-13", "location": "hel1"}
    made = api.done("POST", "/servers", name="one", **said)
    assert ended(api, made["action"])["error"] == {
        "code": "action_failed",
        "message": "OSError: no room is left",
    }
    assert ended(api, made["next_actions"][0])["status"] == "error"
    assert [name for name, _ in noted.asked] == ["make"]


def test_every_change_reaches_what_stands_behind(api: Api, noted: Noted) -> None:
    def act(path: str, **body: Any) -> None:
        assert ended(api, api.done("POST", path, **body)["action"])["status"] == "success"

    subnet = {"type": "cloud", "network_zone": "eu-central", "ip_range": "10.0.0.0/24"}
    net = api.done("POST", "/networks", name="n", ip_range="10.0.0.0/16", subnets=[subnet])["network"]["id"]
    said = {"server_type": "cpx22", "image": "debian-13", "location": "hel1", "labels": {"role": "storage"}}
    made = api.done("POST", "/servers", name="one", start_after_create=False, **said)
    ended(api, made["action"])
    server = made["server"]["id"]
    disk = api.done("POST", "/volumes", name="v", size=10, location="hel1", format="xfs")
    ended(api, disk["action"])
    noted.asked.clear()
    act(f"/servers/{server}/actions/attach_to_network", network=net)
    act(f"/volumes/{disk['volume']['id']}/actions/attach", server=server)
    act(f"/volumes/{disk['volume']['id']}/actions/resize", size=20)
    act(f"/servers/{server}/actions/poweron")
    act(f"/servers/{server}/actions/reset")
    target = {"type": "label_selector", "label_selector": {"selector": "role"}, "use_private_ip": True}
    service = {"protocol": "tcp", "listen_port": 6443, "destination_port": 6443}
    lb = {"name": "lb", "load_balancer_type": "lb11", "location": "hel1", "network": net}
    balancer = api.done("POST", "/load_balancers", **lb, services=[service], targets=[target])
    ended(api, balancer["action"])
    api.done("DELETE", f"/load_balancers/{balancer['load_balancer']['id']}")
    act(f"/volumes/{disk['volume']['id']}/actions/detach")
    api.done("DELETE", f"/volumes/{disk['volume']['id']}")
    act(f"/servers/{server}/actions/detach_from_network", network=net)
    ended(api, api.done("DELETE", f"/servers/{server}")["action"])
    api.done("DELETE", f"/networks/{net}")
    gone = ("balance", "remove_disk", "stop_balancing", "remove_network")
    assert until(lambda: set(gone) <= {name for name, _ in noted.asked})
    sent = next(what for name, what in noted.asked if name == "balance")
    assert isinstance(sent, Sending)
    assert (dict(sent.targets), sent.cards[0].ip) == ({server: "10.0.0.2"}, "10.0.0.3")
    assert [one for one in noted.asked if one[0] not in gone] == [
        ("plug", ("one", "10.0.0.2", "10.0.0.0/16")),
        ("attach", ("one", 10)),
        ("make_disk", (20, "xfs")),
        ("start", "one"),
        ("stop", "one"),
        ("start", "one"),
        ("detach", ("one", 20)),
        ("unplug", ("one", "10.0.0.2")),
        ("remove", "one"),
    ]


def sending(**service: Any) -> Sending:
    check = {"protocol": "tcp", "port": 6443, "interval": 15, "timeout": 10, "retries": 3}
    whole = {
        "protocol": "tcp",
        "listen_port": 6443,
        "destination_port": 6443,
        "proxyprotocol": False,
        "health_check": check,
        **service,
    }
    return Sending(
        id=7,
        address="198.18.0.9",
        cards=(),
        algorithm="least_connections",
        services=(whole,),
        targets={1: "10.0.0.2", 2: "10.0.0.3"},
    )


def test_a_load_balancer_is_haproxys_configuration() -> None:
    http = {
        "protocol": "http",
        "port": 80,
        "interval": 5,
        "timeout": 2,
        "retries": 1,
        "http": {"path": "/up"},
    }
    lines = balancer_config(sending(proxyprotocol=True, health_check=http)).splitlines()
    at = lines.index("listen port-6443")
    assert [line.strip() for line in lines[at:]] == [
        "listen port-6443",
        "mode tcp",
        "bind *:6443",
        "balance leastconn",
        "option httpchk GET /up",
        "timeout check 2s",
        "server server-1 10.0.0.2:6443 check port 80 inter 5s fall 1 rise 1 send-proxy",
        "server server-2 10.0.0.3:6443 check port 80 inter 5s fall 1 rise 1 send-proxy",
    ]


@pytest.mark.parametrize("service", [{"protocol": "https"}, {"listen_port": 8405}])
def test_services_that_are_not_here_are_refused(service: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="load balancers on the lab"):
        require_services(sending(**service))


def test_a_server_is_laid_out_for_cloud_init() -> None:
    machine = Machine(
        id=1001,
        name="demo-storage-k",
        cpus=2,
        memory=4 * 1024**3,
        address="198.18.0.2",
        keys=(PUBLIC_KEY,),
        user_data="#cloud-config\nhostname: storage-k\n",
    )
    laid = {file.path: file for file in server_files(machine)}
    seed = "var/lib/cloud/seed/nocloud"
    assert laid[f"{seed}/user-data"].content == b"#cloud-config\nhostname: storage-k\n"
    assert laid[f"{seed}/user-data"].mode == 0o600
    meta = laid[f"{seed}/meta-data"].content.decode()
    assert '"instance-id": "1001"' in meta
    assert PUBLIC_KEY in meta
    assert laid["etc/hostname"].content == b"demo-storage-k\n"
    assert b"MemTotal:        4194304 kB" in laid["usr/lib/rookery/proc/meminfo"].content


def test_volumes_have_the_names_that_hetzner_gives_them() -> None:
    assert disk_rules({1005: "/dev/loop3"}) == (
        'KERNEL=="loop3", SYMLINK+="disk/by-id/scsi-0HC_Volume_1005"\n'
    )


def test_commands_take_a_stand_ins_servers_for_no_system(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path))
    paths = CloudPaths(name="cloud-hetzner")
    paths.folder.mkdir(parents=True)
    assert "cloud-hetzner" not in running_names()
    assert not paths.namespace("1001").startswith(NAMESPACE_PREFIX)
