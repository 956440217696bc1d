"""The stand-in for Hetzner against clients that others wrote: every kind is made, changed, shown and deleted.

Each answer that they get is held against Hetzner's description beside (tests/kit/fake_hetzner.py).
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path

import pytest

from rookery.clouds.hetzner.fake.serve import Served
from tests.kit.fake_hetzner import PUBLIC_KEY, fake_hetzner
from tests.kit.hetzner_clients import BIN, environment, hcloud_command, hetzner_collection
from tests.kit.loopback import write_certificate

_PLAYBOOK = Path(__file__).parent / "every_kind.yaml"
_RULES = [{"direction": "in", "protocol": "tcp", "port": "22", "source_ips": ["0.0.0.0/0", "::/0"]}]


@pytest.fixture
def served() -> Iterator[Served]:
    with fake_hetzner() as running:
        yield running


class Hcloud:
    """The `hcloud` command, which waits half a second for each action, however short it is."""

    def __init__(self, served: Served) -> None:
        self._served = served
        self._program = str(hcloud_command())

    def __call__(self, *words: str) -> str:
        done = self._run(words)
        assert done.returncode == 0, (words, done.stdout, done.stderr)
        return done.stdout

    def refused(self, *words: str) -> str:
        """Return what is said of a command that is refused."""
        done = self._run(words)
        assert done.returncode == 1, (words, done.stdout)
        return done.stderr.strip()

    def lines(self, kind: str, columns: str) -> list[list[str]]:
        """Return the columns of each line of a kind's list."""
        words = self(kind, "list", "-o", "noheader", "-o", f"columns={columns}")
        return [line.split() for line in words.splitlines()]

    def _run(self, words: Sequence[str]) -> subprocess.CompletedProcess[str]:
        argv, told = (self._program, *words), environment(self._served)
        return subprocess.run(argv, env=told, capture_output=True, text=True, check=False, timeout=60)


@pytest.fixture
def hcloud(served: Served) -> Hcloud:
    return Hcloud(served)


def test_hcloud_shows_what_is_for_sale(hcloud: Hcloud) -> None:
    assert ["hel1", "eu-central"] in hcloud.lines("location", "name,network_zone")
    assert ["cpx22", "2", "4.0", "GB"] in hcloud.lines("server-type", "name,cores,memory")
    assert ["ubuntu-24.04", "system"] in hcloud.lines("image", "name,type")
    assert ["lb11"] in hcloud.lines("load-balancer-type", "name")
    assert ["hel1-dc4", "hel1"] in hcloud.lines("datacenter", "name,location")
    for kind, name in (
        ("location", "hel1"),
        ("server-type", "cpx22"),
        ("image", "ubuntu-24.04"),
        ("load-balancer-type", "lb11"),
        ("datacenter", "hel1-dc4"),
    ):
        assert name in hcloud(kind, "describe", name)


def _small_kinds(hcloud: Hcloud, folder: Path) -> None:
    (folder / "key.pub").write_text(PUBLIC_KEY)
    hcloud("ssh-key", "create", "--name", "key", "--public-key-from-file", str(folder / "key.pub"))
    hcloud("ssh-key", "update", "key", "--name", "mine")
    hcloud("ssh-key", "add-label", "mine", "a=b")
    assert hcloud.lines("ssh-key", "name,labels") == [["mine", "a=b"]]
    write_certificate(folder)
    files = ("--cert-file", str(folder / "server.crt"), "--key-file", str(folder / "server.key"))
    hcloud("certificate", "create", "--name", "cert", *files)
    assert "localhost" in hcloud("certificate", "describe", "cert")
    hcloud("placement-group", "create", "--name", "group", "--type", "spread")
    assert hcloud.lines("placement-group", "name,type") == [["group", "spread"]]
    hcloud("primary-ip", "create", "--name", "ip", "--type", "ipv4", "--datacenter", "hel1-dc4")
    hcloud("primary-ip", "update", "ip", "--auto-delete=false")
    assert "Not assigned" in hcloud("primary-ip", "describe", "ip")
    for kind, name in (("ssh-key", "mine"), ("certificate", "cert"), ("placement-group", "group")):
        hcloud(kind, "delete", name)
    hcloud("primary-ip", "delete", "ip")


def _networks(hcloud: Hcloud, folder: Path) -> None:
    del folder
    hcloud("network", "create", "--name", "net", "--ip-range", "10.1.0.0/16", "--label", "a=b")
    subnet = ("--type", "cloud", "--network-zone", "eu-central", "--ip-range", "10.1.1.0/24")
    hcloud("network", "add-subnet", "net", *subnet)
    route = ("--destination", "10.100.0.0/24", "--gateway", "10.1.1.5")
    hcloud("network", "add-route", "net", *route)
    shown = json.loads(hcloud("network", "describe", "net", "-o", "json"))
    assert shown["subnets"][0]["gateway"] == "10.1.0.1"
    hcloud("network", "remove-route", "net", *route)
    hcloud("network", "enable-protection", "net", "delete")
    refused = hcloud.refused("network", "delete", "net")
    assert refused == "hcloud: deleting Network net failed: network deletion is protected (protected)"
    hcloud("network", "disable-protection", "net", "delete")
    hcloud("network", "delete", "net")


def _volumes_and_firewalls(hcloud: Hcloud, folder: Path) -> None:
    hcloud("volume", "create", "--name", "v", "--size", "10", "--location", "hel1", "--format", "ext4")
    hcloud("volume", "resize", "v", "--size", "20")
    assert ["v", "20", "GB", "-"] in hcloud.lines("volume", "name,size,server")
    hcloud("volume", "delete", "v")
    (folder / "rules.json").write_text(json.dumps(_RULES))
    hcloud("firewall", "create", "--name", "wall", "--rules-file", str(folder / "rules.json"))
    rule = ("--direction", "in", "--protocol", "icmp", "--source-ips", "0.0.0.0/0")
    hcloud("firewall", "add-rule", "wall", *rule)
    hcloud("firewall", "delete-rule", "wall", *rule)
    selected = ("--type", "label_selector", "--label-selector", "role=x")
    hcloud("firewall", "apply-to-resource", "wall", *selected)
    assert hcloud.refused("firewall", "delete", "wall").endswith("(resource_in_use)")
    hcloud("firewall", "remove-from-resource", "wall", *selected)
    hcloud("firewall", "delete", "wall")


def _a_servers_power(hcloud: Hcloud, folder: Path) -> None:
    del folder
    said = ("--type", "cpx22", "--image", "debian-13", "--datacenter", "hel1-dc4", "--without-ipv6")
    hcloud("server", "create", "--name", "power", *said)
    hcloud("server", "poweroff", "power")
    hcloud("server", "change-type", "power", "cpx32")
    hcloud("server", "create-image", "power", "--type", "snapshot", "--description", "before")
    ((image, _),) = [line for line in hcloud.lines("image", "id,type") if line[1] == "snapshot"]
    hcloud("image", "delete", image)
    hcloud("server", "rebuild", "power", "--image", "ubuntu-24.04")
    hcloud("server", "reboot", "power")
    assert "Rescue enabled" in hcloud("server", "enable-rescue", "power", "--type", "linux64")
    hcloud("server", "enable-protection", "power", "delete", "rebuild")
    assert hcloud.refused("server", "delete", "power").endswith("(protected)")
    hcloud("server", "disable-protection", "power", "delete", "rebuild")
    hcloud("server", "delete", "power")


def _a_server_and_what_it_is_attached_to(hcloud: Hcloud, folder: Path) -> None:
    del folder
    hcloud("network", "create", "--name", "inner", "--ip-range", "10.0.0.0/16")
    subnet = ("--type", "cloud", "--network-zone", "eu-central", "--ip-range", "10.0.0.0/24")
    hcloud("network", "add-subnet", "inner", *subnet)
    hcloud("volume", "create", "--name", "data", "--size", "10", "--location", "hel1")
    said = ("--type", "cpx22", "--image", "ubuntu-24.04", "--location", "hel1", "--label", "role=storage")
    made = hcloud("server", "create", "--name", "one", *said, "--network", "inner", "--volume", "data")
    assert "10.0.0.2 (inner)" in made
    hcloud("volume", "detach", "data")
    hcloud("volume", "attach", "data", "--server", "one")
    hcloud("load-balancer", "create", "--name", "lb", "--type", "lb11", "--location", "hel1")
    hcloud("load-balancer", "attach-to-network", "lb", "--network", "inner")
    ports = ("--listen-port", "6443", "--destination-port", "6443")
    hcloud("load-balancer", "add-service", "lb", "--protocol", "tcp", *ports)
    hcloud("load-balancer", "add-target", "lb", "--server", "one", "--use-private-ip")
    shown = json.loads(hcloud("load-balancer", "describe", "lb", "-o", "json"))
    assert shown["targets"][0]["health_status"] == [{"listen_port": 6443, "status": "healthy"}]
    for kind, name in (("load-balancer", "lb"), ("server", "one"), ("volume", "data"), ("network", "inner")):
        hcloud(kind, "delete", name)


def test_hcloud_makes_changes_shows_and_deletes_every_kind(
    hcloud: Hcloud, served: Served, tmp_path: Path
) -> None:
    stories = (
        _small_kinds,
        _networks,
        _volumes_and_firewalls,
        _a_servers_power,
        _a_server_and_what_it_is_attached_to,
    )
    with ThreadPoolExecutor() as pool:
        for running in [pool.submit(story, hcloud, tmp_path) for story in stories]:
            running.result()
    assert served.fake.counts() == {}


def test_hcloud_says_what_was_refused(hcloud: Hcloud) -> None:
    said = ("--type", "cx23", "--image", "debian-13", "--location", "hel1")
    assert hcloud.refused("server", "create", "--name", "one", *said) == (
        "hcloud: error during placement (resource_unavailable)"
    )
    wrong = ("--name", "under_score", "--type", "cpx22", "--image", "debian-13", "--location", "hel1")
    refused = hcloud.refused("server", "create", *wrong)
    assert refused.splitlines()[0].startswith("hcloud: invalid input in field 'name'")
    assert refused.splitlines()[0].endswith("(invalid_input)")


def test_ansible_makes_changes_shows_and_deletes_every_kind(served: Served, tmp_path: Path) -> None:
    write_certificate(tmp_path)
    told = {
        "public_key": PUBLIC_KEY,
        "certificate": (tmp_path / "server.crt").read_text(),
        "private_key": (tmp_path / "server.key").read_text(),
        "ansible_connection": "local",
        "ansible_python_interpreter": str(BIN / "python"),
    }
    (tmp_path / "told.json").write_text(json.dumps(told))
    # One Python for all tasks: they take 7 s instead of 40.
    mitogen = find_spec("ansible_mitogen")
    assert mitogen is not None
    assert mitogen.origin is not None
    strategies = Path(mitogen.origin).parent / "plugins" / "strategy"
    env = environment(
        served,
        HOME=str(tmp_path),
        ANSIBLE_COLLECTIONS_PATH=str(hetzner_collection()),
        ANSIBLE_STRATEGY_PLUGINS=str(strategies),
        ANSIBLE_STRATEGY="mitogen_linear",
    )
    argv = (str(BIN / "ansible-playbook"), "-i", "localhost,", "-e", f"@{tmp_path}/told.json", str(_PLAYBOOK))
    done = subprocess.run(
        argv, env=env, cwd=tmp_path, capture_output=True, text=True, check=False, timeout=300
    )
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
    assert served.fake.counts() == {}
