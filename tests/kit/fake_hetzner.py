"""The stand-in for Hetzner as tests run it: on a loopback port, each answer held against the description.

with fake_hetzner() as served:
    client = Client(token=TOKEN, api_endpoint=served.endpoint)
    served.fake.turn(15)
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import httpx

from rookery.clouds.hetzner.fake.call import Answer
from rookery.clouds.hetzner.fake.clock import Clock, TurnedClock
from rookery.clouds.hetzner.fake.errors import ApiError
from rookery.clouds.hetzner.fake.machines import Machines
from rookery.clouds.hetzner.fake.routes import Row
from rookery.clouds.hetzner.fake.serve import Served, serving
from rookery.clouds.hetzner.fake.service import Asked, FakeHetzner
from rookery.clouds.hetzner.fake.settings import DEFAULT_TOKEN, Settings, Times
from rookery.prices.book import ProviderPrices
from rookery.run.prices import shipped_book
from tests.kit.hcloud_description import description_path, problems

TOKEN = DEFAULT_TOKEN
PUBLIC_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHkXlcXCOUVm2xSOfTb2KdEXoS8aHnQxRcCBJh+yvG0K test"
AT_ONCE = Settings(times=Times(speed=0), per_hour=0)
"""Actions end as soon as somebody looks, and requests are not counted."""


class HeldHetzner(FakeHetzner):
    """The stand-in, which notes each answer that the description does not allow."""

    def __init__(
        self,
        prices: ProviderPrices,
        settings: Settings | None = None,
        *,
        clock: Clock | None = None,
        machines: Machines | None = None,
    ) -> None:
        super().__init__(prices, settings, clock=clock, machines=machines)
        self.wrong: list[str] = []
        self.closing = ExitStack()
        self.held = description_path().is_file()

    def answer(self, row: Row | ApiError, asked: Asked) -> tuple[Answer, dict[str, str]]:
        try:
            answer, headers = super().answer(row, asked)
        except Exception as error:
            self.wrong.append(f"{asked.method} {asked.path} broke: {error!r}")
            raise
        if self.held:
            # As a client reads it.
            body = json.loads(json.dumps(answer.body))
            self.wrong += problems(asked.method, asked.path, answer.status, body)
        return answer, headers


class Api:
    """Asks a stand-in, without any client's notions; it is closed with the stand-in."""

    def __init__(self, served: Served, token: str = TOKEN) -> None:
        self.served = served
        self.client = httpx.Client(
            base_url=served.endpoint,
            headers={"Authorization": f"Bearer {token}"},
            timeout=20,
            trust_env=False,
        )

        assert isinstance(served.fake, HeldHetzner)
        served.fake.closing.callback(self.client.close)

    def ask(self, method: str, path: str, **body: Any) -> httpx.Response:
        return self.client.request(method, path, json=body if method in ("POST", "PUT") else None)

    def done(self, method: str, path: str, **body: Any) -> dict[str, Any]:
        """Return what is answered; it must be no refusal."""
        response = self.ask(method, path, **body)
        assert response.is_success, (method, path, response.text)
        read: dict[str, Any] = response.json() if response.content else {}
        return read

    def refused(self, method: str, path: str, **body: Any) -> tuple[int, str, str]:
        """Return status, code and message of a refusal."""
        response = self.ask(method, path, **body)
        assert response.is_error, (method, path, response.text)
        error = response.json()["error"]
        return response.status_code, error["code"], error["message"]

    def server(self, name: str = "storage-1", **more: Any) -> dict[str, Any]:
        """Make a server, and return it as it is then."""
        said = {"name": name, "server_type": "cpx22", "image": "ubuntu-24.04", "location": "hel1", **more}
        made: dict[str, Any] = self.done("POST", "/servers", **said)["server"]
        return made

    def one(self, path: str) -> dict[str, Any]:
        """Return the one thing that an answer holds."""
        (found,) = self.done("GET", path).values()
        assert isinstance(found, dict)
        return found

    def names(self, path: str) -> list[str]:
        """Return the names of a list's first page."""
        answer = self.done("GET", path)
        return [one["name"] for name, things in answer.items() if name != "meta" for one in things]


@contextmanager
def fake_hetzner(
    settings: Settings = AT_ONCE, *, turned: bool = False, held: bool = True
) -> Iterator[Served]:
    """Run a stand-in while the context lasts; with `turned` its time stands still until a test turns it.

    Where the description is there, it fails at its end for each answer that is otherwise, unless it is not to
    be `held` against it.
    """
    clock = TurnedClock() if turned else None
    fake = HeldHetzner(shipped_book().of("hetzner"), settings, clock=clock)
    fake.held &= held
    with serving(fake) as served, fake.closing:
        yield served
    assert fake.wrong == []
