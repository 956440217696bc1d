"""The servers behind a stand-in for Hetzner: made over its API, logged in on, with drives and a balancer."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rookery.clouds.hetzner.fake.serve import serving
from rookery.run.prices import shipped_book
from rookery.systems.lab.cloud.machines import LabMachines
from tests.kit.fake_hetzner import AT_ONCE, Api, HeldHetzner
from tests.kit.waiting import until

_USER_DATA = {"hostname": "storage-k", "disable_root": False, "runcmd": ["echo done > /root/ran"]}
_OPTIONS = ("StrictHostKeyChecking=no", "UserKnownHostsFile=/dev/null", "LogLevel=ERROR", "BatchMode=yes")
_WAITED = "cloud-init status --wait >/dev/null; hostname; cat /root/ran"


class Account:
    """An account whose servers run, and how a test asks it and logs in."""

    def __init__(self, api: Api, machines: LabMachines, folder: Path) -> None:
        self.api = api
        self.machines = machines
        self.key = folder / "key"
        subprocess.run(("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.key)), check=True)
        public = self.key.with_suffix(".pub").read_text()
        api.done("POST", "/ssh_keys", name="key", public_key=public)

    def act(self, path: str, **body: Any) -> None:
        self.end(self.api.done("POST", path, **body)["action"])

    def end(self, action: dict[str, Any]) -> None:
        """Wait for an action's success."""
        path = f"/actions/{action['id']}"
        assert until(lambda: self.api.one(path)["status"] != "running", limit=240)
        ended = self.api.one(path)
        assert ended["status"] == "success", ended

    def server(self, name: str, network: int) -> int:
        """Make a server as rookery does: off at first, then in its network, then started."""
        said = {"server_type": "cpx12", "image": "debian-12", "location": "hel1", "ssh_keys": ["key"]}
        told = f"#cloud-config\n{json.dumps(_USER_DATA)}\n"
        made = self.api.done("POST", "/servers", name=name, start_after_create=False, user_data=told, **said)
        self.end(made["action"])
        number = int(made["server"]["id"])
        self.act(f"/servers/{number}/actions/attach_to_network", network=network)
        self.act(f"/servers/{number}/actions/poweron")
        return number

    def address(self, server: int) -> str:
        return str(self.api.one(f"/servers/{server}")["public_net"]["ipv4"]["ip"])

    def inside(self, server: int) -> str:
        return str(self.api.one(f"/servers/{server}")["private_net"][0]["ip"])

    def login(self, address: str, command: str, *, port: int = 22) -> str:
        told = [word for option in _OPTIONS for word in ("-o", option)]
        argv = ("ssh", "-i", str(self.key), "-p", str(port), *told, f"root@{address}", command)
        done = subprocess.run(argv, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout.strip()


@pytest.fixture(scope="module")
def account(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Account]:
    if shutil.which("ssh") is None:
        pytest.skip("there is no ssh: apt-get install openssh-client")
    machines = LabMachines(lambda _: None, name="test-hetzner")
    machines.require()
    machines.open()
    fake = HeldHetzner(shipped_book().of("hetzner"), AT_ONCE, machines=machines)
    try:
        with serving(fake) as served, fake.closing:
            yield Account(Api(served), machines, tmp_path_factory.mktemp("account"))
    finally:
        fake.close()
        machines.close()
    assert machines.leftovers() == ()
    assert fake.wrong == []


def test_servers_behind_an_account_are_real_and_go_with_it(account: Account) -> None:
    api = account.api
    subnet = {"type": "cloud", "network_zone": "eu-central", "ip_range": "10.77.0.0/24"}
    made = api.done("POST", "/networks", name="net", ip_range="10.77.0.0/16", subnets=[subnet])
    network = made["network"]["id"]
    one, two = account.server("demo-storage-k", network), account.server("demo-worker-a", network)

    address = account.address(one)
    assert account.login(address, _WAITED) == "storage-k\ndone"
    assert account.login(address, "systemctl --failed --no-legend") == ""
    assert account.login(address, f"ping -c1 -W5 -q {account.inside(two)} >/dev/null && echo yes") == "yes"
    assert account.login(address, "cat /sys/class/net/eth1/mtu") == "1450"

    disk = api.done("POST", "/volumes", name="data", size=10, location="hel1")
    account.end(disk["action"])
    volume, device = disk["volume"]["id"], disk["volume"]["linux_device"]
    account.act(f"/volumes/{volume}/actions/attach", server=one)
    account.login(address, f"mkfs.xfs -q {device}")
    assert account.login(address, f"blockdev --getsize64 {device}") == str(10 * 1000**3)
    account.act(f"/volumes/{volume}/actions/resize", size=20)
    assert account.login(address, f"blockdev --getsize64 {device}") == str(20 * 1000**3)

    check = {"protocol": "tcp", "port": 22, "interval": 3, "timeout": 2, "retries": 1}
    service = {"protocol": "tcp", "listen_port": 2222, "destination_port": 22, "health_check": check}
    target = {"type": "server", "server": {"id": two}, "use_private_ip": True}
    said = {"name": "lb", "load_balancer_type": "lb11", "location": "hel1", "network": network}
    balancer = api.done("POST", "/load_balancers", **said, services=[service], targets=[target])
    account.end(balancer["action"])
    path = f"/load_balancers/{balancer['load_balancer']['id']}"

    def healthy() -> bool:
        (found,) = api.one(path)["targets"]
        return bool(found["health_status"][0]["status"] == "healthy")

    assert until(healthy, limit=60)
    front = balancer["load_balancer"]["public_net"]["ipv4"]["ip"]
    assert account.inside(two) in account.login(front, "hostname -I", port=2222)

    # What was written stays through a cut of power, volumes and cards too.
    account.act(f"/servers/{one}/actions/reset")
    assert account.login(address, f"blkid -o value -s TYPE {device}; cat /root/ran") == "xfs\ndone"
    assert account.login(address, "ip -br -4 a show eth1").split()[2] == f"{account.inside(one)}/16"

    account.act(f"/volumes/{volume}/actions/detach")
    assert account.login(address, "ls /dev/disk/by-id 2>/dev/null | grep -c HC_Volume || true") == "0"
    for server in (one, two):
        account.end(api.done("DELETE", f"/servers/{server}")["action"])
    for gone in (path, f"/volumes/{volume}", f"/networks/{network}"):
        api.done("DELETE", gone)
    kinds = ("container", "process", "network namespace", "loop device", "mount")
    assert until(lambda: not [one for one in account.machines.leftovers() if one.kind in kinds])
