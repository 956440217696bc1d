"""What goes wrong with the stand-in for Hetzner on demand, what it would have cost, and how it is kept."""

from __future__ import annotations

import os
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from signal import SIGINT

import httpx
import pytest
from click.testing import CliRunner

from rookery.cli.cloud import cloud
from rookery.clouds.hetzner.fake.clock import MachineClock
from rookery.clouds.hetzner.fake.faults import Fault
from rookery.clouds.hetzner.fake.serve import serving
from rookery.clouds.hetzner.fake.service import FakeHetzner
from rookery.clouds.hetzner.fake.settings import DEFAULT_TOKEN, Settings, Times
from rookery.clouds.hetzner.fake.state import kept_in
from rookery.errors import InputError, NotPossibleError
from rookery.run.prices import shipped_book
from tests.kit.fake_hetzner import Api, fake_hetzner

SOURCE = Path(__file__).parent.parent / "src"
GROUP = {"name": "p", "type": "spread"}


def test_a_connection_is_cut_before_its_effect_or_after_it() -> None:
    with fake_hetzner() as served:
        api = Api(served)
        served.fake.plan(Fault(kind="drop", when="before", method="POST", path="/placement_groups"))
        with pytest.raises(httpx.RemoteProtocolError):
            api.ask("POST", "/placement_groups", **GROUP)
        assert api.names("/placement_groups") == []
        served.fake.plan(Fault(kind="drop", when="after", method="POST", path="/placement_groups"))
        with pytest.raises(httpx.RemoteProtocolError):
            api.ask("POST", "/placement_groups", **GROUP)
        assert api.names("/placement_groups") == ["p"]


def test_the_nth_call_of_a_kind_fails_as_a_proxy_or_as_the_service() -> None:
    with fake_hetzner() as served:
        api = Api(served)
        served.fake.plan(Fault(kind="status", status=502, path="/servers*", nth=2, times=2))
        assert [api.ask("GET", "/servers").status_code for _ in range(4)] == [200, 502, 502, 200]
        served.fake.plan(Fault(kind="status", status=503, code="unavailable", path="/locations"))
        response = api.ask("GET", "/locations")
        assert (response.status_code, response.json()["error"]["code"]) == (503, "unavailable")
        served.fake.plan(Fault(kind="status", status=502, when="after", method="POST"))
        page = api.ask("POST", "/placement_groups", **GROUP)
        assert (page.status_code, page.headers["Content-Type"]) == (502, "text/html; charset=utf-8")
        assert api.names("/placement_groups") == ["p"]


def test_a_call_is_not_answered_until_its_client_gives_up() -> None:
    with fake_hetzner() as served:
        api = Api(served)
        served.fake.plan(Fault(kind="hang", when="after", method="POST"))
        with pytest.raises(httpx.ReadTimeout):
            api.client.post("/placement_groups", json=GROUP, timeout=0.2)
        assert api.names("/placement_groups") == ["p"]


def test_faults_time_and_the_bill_over_http() -> None:
    with fake_hetzner(Settings(per_hour=0)) as served:
        api = Api(served)
        control = httpx.Client(base_url=served.url, trust_env=False)
        served.fake.closing.callback(control.close)  # type: ignore[attr-defined]  # the kit's has it
        assert control.post("/fake/faults", json={"kind": "status", "status": 502}).status_code == 201
        assert api.ask("GET", "/servers").status_code == 502
        assert control.post("/fake/faults", json={"kind": "flood"}).status_code == 422
        assert control.delete("/fake/faults").status_code == 204
        server = api.server()["id"]
        assert api.one(f"/servers/{server}")["status"] == "initializing"
        assert control.post("/fake/clock", json={"seconds": 3600}).status_code == 200
        assert api.one(f"/servers/{server}")["status"] == "running"
        assert control.post("/fake/clock", json={"seconds": -1}).status_code == 422
        said = control.get("/fake/account").json()
        assert said["counts"] == {"servers": 1, "primary_ips": 2}
        assert (said["bill"][0]["kind"], said["bill"][0]["hours"]) == ("servers", 2)
        assert control.post("/fake/actions", json={"command": "delete_server"}).status_code == 201
        action = api.done("DELETE", f"/servers/{server}")["action"]["id"]
        control.post("/fake/clock", json={"seconds": 10})
        assert api.one(f"/actions/{action}")["status"] == "error"
        assert control.get("/fake/calls").json()[-1]["path"] == f"/actions/{action}"


def test_hours_begun_are_paid_up_to_the_price_of_a_month() -> None:
    with fake_hetzner(Settings(times=Times(speed=0), per_hour=0), turned=True) as served:
        api = Api(served)
        server = api.server(server_type="cpx22", public_net={"enable_ipv6": False})["id"]
        served.fake.turn(3601)
        (machine, address) = served.fake.bill()
        assert (machine.hours, machine.amount, machine.ended) == (2, Decimal("0.0624"), False)
        assert (address.what, address.hours, address.amount) == ("ipv4", 2, Decimal("0.0016"))
        served.fake.turn(40 * 24 * 3600)
        api.done("DELETE", f"/servers/{server}")
        (machine, address) = served.fake.bill()
        assert machine.ended
        # 15 January to 24 February 2027: both months have more hours than their price pays for, or fewer.
        assert Decimal("19.49") < machine.amount <= 2 * Decimal("19.49")
        served.fake.turn(3600)
        assert served.fake.bill()[0].amount == machine.amount


def test_an_account_is_there_again_after_a_restart(tmp_path: Path) -> None:
    prices, settings = shipped_book().of("hetzner"), Settings()
    with kept_in(tmp_path) as kept:
        fake = FakeHetzner(prices, settings, holdings=kept.read(), keep=kept.write)
        with serving(fake) as served:
            headers = {"Authorization": f"Bearer {DEFAULT_TOKEN}"}
            url = f"{served.endpoint}/placement_groups"
            assert httpx.post(url, json=GROUP, headers=headers, trust_env=False).status_code == 201
        fake.turn(1000)
        with pytest.raises(NotPossibleError, match="another stand-in"), kept_in(tmp_path):
            pass
    assert (tmp_path / "account.json").stat().st_mode & 0o777 == 0o600
    with kept_in(tmp_path) as kept:
        holdings = kept.read()
        again = FakeHetzner(prices, settings, clock=MachineClock(holdings.ahead), holdings=holdings)
        assert holdings.ahead == 1000
        assert again.counts() == {"placement_groups": 1}
        (tmp_path / "account.json").write_text('{"servers": {"1": {}}}')
        with pytest.raises(InputError, match="no account that this version"):
            kept.read()


def test_the_command_serves_until_interrupted_and_says_what_it_cost(tmp_path: Path) -> None:
    argv = (sys.executable, "-m", "rookery", "cloud", "fake", "hetzner", "--listen", "127.0.0.1:0")
    more = ("--state", str(tmp_path / "account"), "--limit", "server=1", "--speed", "0")
    environment = {**os.environ, "PYTHONPATH": str(SOURCE), "ROOKERY_HOME": str(tmp_path)}
    with subprocess.Popen(
        (*argv, *more), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        assert process.stdout is not None
        endpoint = process.stdout.readline().removeprefix("export HCLOUD_ENDPOINT=").strip()
        token = process.stdout.readline().removeprefix("export HCLOUD_TOKEN=").strip()
        headers = {"Authorization": f"Bearer {token}"}
        said = {"name": "a", "server_type": "cpx22", "image": "debian-13", "location": "hel1"}
        made = httpx.post(f"{endpoint}/servers", headers=headers, json=said, trust_env=False)
        assert made.json()["action"]["status"] == "success"
        said["name"] = "b"
        more_of = httpx.post(f"{endpoint}/servers", headers=headers, json=said, trust_env=False)
        assert more_of.json()["error"]["code"] == "resource_limit_exceeded"
        process.send_signal(SIGINT)
        _, spoken = process.communicate(timeout=60)
    assert process.returncode == 0
    assert spoken.splitlines() == [
        "a stand-in for Hetzner answers there; Ctrl-C ends it",
        "2 requests; there: 1 servers, 2 primary ips; it would have cost 0.0320 EUR without tax",
    ]


@pytest.mark.parametrize(
    ("option", "said"), [("--limit", "server"), ("--limit", "server=many"), ("--stock", "cpx22=1")]
)
def test_options_that_are_wrong_are_refused(option: str, said: str) -> None:
    done = CliRunner().invoke(cloud, ["fake", "hetzner", option, said])
    assert isinstance(done.exception, InputError)
    assert f"{option} {said} is not" in str(done.exception)


def test_only_what_serves_loads_what_serves_http() -> None:
    program = (
        "import sys; from rookery.cli.main import cli; cli(['plan'], standalone_mode=False);"
        "print(sorted({'starlette', 'uvicorn', 'anyio'} & set(sys.modules)))"
    )
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    argv = (sys.executable, "-c", program)
    done = subprocess.run(argv, capture_output=True, text=True, check=True, env=environment, timeout=60)
    assert done.stdout.splitlines()[-1] == "[]"
