"""Commands on a cloud, against Hetzner's stand-in: the question, what a failure says, leases, removal."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from rookery.cli.leases import leases, spent_line
from rookery.cli.removing import down
from rookery.cli.running import up
from rookery.clouds.hetzner.fake.serve import Served
from rookery.clouds.hetzner.fake.settings import Settings, Times
from rookery.design.model import Design
from rookery.errors import ExitCode, InputError, NotPossibleError, RookeryError
from rookery.plan.kubernetes import BOOTSTRAP
from rookery.prices.spent import Possession, spent_on
from rookery.run import clouds
from rookery.run.prices import shipped_book
from rookery.run.systems import cloud_servers, find_system
from rookery.systems.kubernetes.secrets import lay_secrets, old_secrets, secrets_for
from rookery.systems.kubernetes.system import KubernetesSystem
from tests.kit.cloud_systems import bring_up, cloud_design
from tests.kit.fake_cluster import FakeKubectl
from tests.kit.fake_hetzner import AT_ONCE, TOKEN, fake_hetzner

SPEC = """\
apiVersion: rookery/v1
name: demo
provider: hetzner
hosts: {controlPlane: {count: 1}, workers: {count: 2}, storage: {count: 3}}
apps: {cdn: {}}
"""


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine of its own, with all programs and a user who has no configuration of hcloud's."""
    for name in tuple(os.environ):
        if name.startswith("HCLOUD_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("ROOKERY_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.chdir(tmp_path)
    for name in ("require_cluster_tools", "require_image_machine", "ensure_archive"):
        monkeypatch.setattr(f"rookery.systems.kubernetes.system.{name}", lambda *_: None)
    monkeypatch.setattr("rookery.run.prepared.require_installer", lambda _: None)
    monkeypatch.setattr("rookery.systems.cloud.servers.answers", lambda _: True)
    (tmp_path / "demo.yaml").write_text(SPEC)
    return tmp_path


@pytest.fixture
def served(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Served]:
    with fake_hetzner(AT_ONCE) as found:
        enter(found, monkeypatch)
        yield found


def enter(served: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HCLOUD_TOKEN", TOKEN)
    monkeypatch.setenv("HCLOUD_ENDPOINT", served.endpoint)


def run(command: click.Command, *words: str) -> Result:
    """Run a command; what it says and how it fails is in the result."""
    return CliRunner().invoke(command, words, standalone_mode=False)


def failure(result: Result) -> RookeryError:
    assert isinstance(result.exception, RookeryError), result.exception
    return result.exception


def system_of(design: Design, until: str = "") -> KubernetesSystem:
    found = find_system(design, until=until)
    assert isinstance(found, KubernetesSystem)
    return found


def made(until: str = "", name: str = "demo") -> KubernetesSystem:
    """Make the servers of a system as `up` does, and note nothing of it here."""
    system = system_of(cloud_design("hetzner", name=name), until)
    servers = cloud_servers(system)
    assert servers is not None
    bring_up(servers)
    return system


# --- The question


def test_without_a_token_nothing_is_asked(home: Path) -> None:
    error = failure(run(up, "demo.yaml"))
    assert isinstance(error, NotPossibleError)
    assert error.what == "HCLOUD_TOKEN is not set, and hcloud has no configuration"


def test_nothing_is_made_without_a_yes(served: Served, home: Path) -> None:
    result = run(up, "demo.yaml", "--for", "8h")
    error = failure(result)
    assert error.what.startswith("nothing was made: what costs money wants a yes")
    said = " ".join(result.stderr.split())
    assert "is asked for: 6 servers of type cpx22, 6 volumes, 1 load balancer, wanted until 20" in said
    assert "prices were read between 2026-07-24 and 2026-09-27" in said
    assert "the cluster's controller makes a load balancer more" in said
    assert "a new account may have 5" in said
    assert served.fake.counts() == {}
    assert not (home / "journal").exists()


def test_a_lease_is_of_clouds_only(home: Path) -> None:
    (home / "here.yaml").write_text("apiVersion: rookery/v1\nname: here\n")
    error = failure(run(up, "here.yaml", "--for", "8h"))
    assert isinstance(error, InputError)
    assert "cost nothing by the hour" in error.what


def test_a_failure_says_what_is_made_what_it_costs_and_both_ways_on(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stock = {("cpx22", "hel1"): 3}
    with fake_hetzner(Settings(times=Times(speed=0), stock=stock)) as served:
        enter(served, monkeypatch)
        result = run(up, "demo.yaml", "--yes")
        error = failure(result)
        assert "server demo-" in error.what
        stands, ways = error.details[-2:]
        assert stands.startswith("made so far: 3 servers, ")
        assert stands.endswith(" EUR an hour, net")
        assert ways == "it stays: `rookery up` goes on from it, `rookery down demo` removes it"
        assert "`rookery prices refresh --provider hetzner`" in error.hint
        assert served.fake.counts()["servers"] == 3
        gone = run(down, "demo")
        assert (gone.exception, gone.return_value) == (None, ExitCode.DONE)
        assert served.fake.counts() == {}
        assert not (home / "home" / "logins" / "demo").exists()
        assert_no_token(home, result.output, result.stderr, str(error), gone.output, gone.stderr)


# --- Leases


def test_leases_and_what_is_over(served: Served, home: Path) -> None:
    assert run(leases).output == "no system is there\n"
    made(until="20200101t000000z", name="old")
    made(until="20990101t000000z", name="new")
    listed = run(leases)
    assert listed.return_value == ExitCode.DONE
    rows = [line.split() for line in listed.output.splitlines()]
    assert [row[:3] for row in rows] == [
        ["system", "cloud", "things"],
        ["new", "Hetzner", "20"],
        ["old", "Hetzner", "20"],
    ]
    assert "2020-01-01 00:00, over" in listed.output
    data = json.loads(run(leases, "--output", "json").output)
    assert [(one["name"], one["over"]) for one in data] == [("new", False), ("old", True)]
    gone = run(down, "--expired")
    assert gone.return_value == ExitCode.DONE
    assert gone.stdout.startswith("old (Hetzner): ")
    assert [one["name"] for one in json.loads(run(leases, "--output", "json").output)] == ["new"]
    assert run(down, "--expired").output == "nothing is over\n"


def test_a_system_of_another_machine_is_taken_down_by_its_name(served: Served, home: Path) -> None:
    made(name="theirs")
    with pytest.raises(InputError, match="hetzner has no system ours"):
        raise failure(run(down, "ours", "--provider", "hetzner"))
    with pytest.raises(InputError, match="no systems are made on lab"):
        raise failure(run(down, "ours", "--provider", "lab"))
    gone = run(down, "theirs", "--provider", "hetzner")
    assert gone.return_value == ExitCode.DONE
    assert served.fake.counts() == {}


def test_one_gets_into_no_account_without_a_token(home: Path) -> None:
    known = ", ".join(clouds.CONNECTIONS)
    assert failure(run(leases)).what == f"no account of {known} is to be got into from here"


def test_the_hours_that_were_begun_are_paid() -> None:
    prices = shipped_book().of("hetzner")
    region = prices.regions[0]
    start = datetime(2026, 11, 30, 20, 0, 0, tzinfo=UTC)
    things = [
        Possession(product="cpx22", since=start),
        Possession(product=region.address.name, since=start),
        Possession(product="volume", since=start + timedelta(minutes=5), gigabytes=20),
        Possession(product="lb11", since=start + timedelta(minutes=1)),
        Possession(product="cx999", since=start),
    ]
    after = {
        minutes: spent_on(things, prices, region, start + timedelta(minutes=minutes)) for minutes in (6, 61)
    }
    machine = region.machine("cpx22")
    assert machine is not None
    hourly = machine.hourly.amount + region.address.hourly.amount + region.load_balancer.hourly.amount
    first = after[6].total
    assert hourly < first < hourly + 1
    # The load balancer's second hour begins after the minute 61, the volume's after 65.
    second = machine.hourly.amount + region.address.hourly.amount
    assert after[61].total == first + second
    assert after[6].next_hour == start + timedelta(hours=1)
    assert after[61].next_hour == start + timedelta(hours=1, minutes=1)
    assert after[6].unpriced == ("cx999",)
    said = spent_line(after[6], None)
    assert said.endswith("the next hour begins at 21:00:00 UTC; without cx999, whose prices are not known")


def test_what_a_running_system_has_cost_counts_addresses_and_the_controllers_balancer(served: Served) -> None:
    system = made()
    servers = cloud_servers(system)
    assert servers is not None
    now = datetime.fromtimestamp(time.time(), UTC)
    alone = clouds.spent_so_far("hetzner", servers.account(), now)
    prices = shipped_book().of("hetzner").regions[0]
    machine = prices.machine("cpx22")
    assert machine is not None
    servers_alone = 7 * (machine.hourly.amount + prices.address.hourly.amount)
    assert alone.hourly > servers_alone + prices.load_balancer.hourly.amount
    assert alone.hourly < servers_alone + prices.load_balancer.hourly.amount + 1
    assert alone.unpriced == ()


# --- Secrets


def assert_no_token(folder: Path, *texts: str) -> None:
    """Whatever was written and said has no token in it, in whatever form."""
    for path in folder.rglob("*"):
        if path.is_file():
            assert TOKEN.encode() not in path.read_bytes(), path
    assert not any(TOKEN in text for text in texts)


def test_the_token_reaches_no_file_and_no_list_of_processes(served: Served, home: Path) -> None:
    system = made()
    servers = system.servers
    folder, options = system._bootstrap._lay_tree(servers.told())
    assert (folder / "host_vars" / "storage-k.yaml").exists()
    assert_no_token(home, *options, repr(servers.told()), repr(cloud_servers(system)), str(vars(servers)))
    assert not any(TOKEN in word for word in servers.exec_argv("cp-1", ("uptime",)))


def test_the_cloud_s_controller_gets_the_token_and_the_network_by_standard_input(
    served: Served,
) -> None:
    system = made()
    told = system.servers.told
    waits = [one for one in system._placed if secrets_for(one.item, told)]
    assert [one.item.name for one in waits] == ["hcloud"]
    kubectl = FakeKubectl()
    assert old_secrets(kubectl, system._placed, told) == {waits[0].id}
    (secret,) = secrets_for(waits[0].item, told)
    lay_secrets(kubectl, (replace(secret, values={**secret.values, "token": "that of last year"}),))
    assert old_secrets(kubectl, system._placed, told) == {waits[0].id}
    lay_secrets(kubectl, (secret,))
    assert dict(secret.values) == {"token": TOKEN, "network": "demo", "endpoint": served.endpoint}
    assert TOKEN not in repr(secret)
    assert not any(TOKEN in word for words in kubectl.asked for word in words)
    assert old_secrets(kubectl, system._placed, told) == frozenset()
    assert any(step.id == BOOTSTRAP for step in system.steps())


def test_a_spec_s_lease_counts_from_its_first_up(served: Served, home: Path) -> None:
    (home / "demo.yaml").write_text(f"{SPEC}lease: 3d\n")
    assert "wanted until" in " ".join(run(up, "demo.yaml").stderr.split())
    (home / "home" / "clusters" / "demo").mkdir(parents=True)
    assert "wanted until" not in " ".join(run(up, "demo.yaml").stderr.split())
    (home / "demo.yaml").write_text(f"{SPEC}lease: soon\n")
    assert isinstance(failure(run(up, "demo.yaml")), InputError)
