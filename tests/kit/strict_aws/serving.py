"""The server on loopback: moto with the states that things go through, behind a world."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from tests.kit.strict_aws.world import World


@contextlib.contextmanager
def _patched(world: World) -> Iterator[None]:
    """Let moto's things have the states that they go through."""
    from moto.ec2.models.elastic_block_store import Volume
    from moto.elbv2.models import FakeLoadBalancer, FakeTargetGroup

    status, health, activate = Volume.status, FakeTargetGroup.health_for, FakeLoadBalancer.activate

    def volume_status(self: Any) -> str:
        shown: str = getattr(self, "strict", "") or status.fget(self)  # type: ignore[attr-defined]
        return shown

    def health_for(self: Any, target: Any, backend: Any) -> Any:
        found = health(self, target, backend)
        if found.status == "healthy" and world.registered.get(self.arn, 0) > world.now:
            found.status, found.reason = "initial", "Elb.RegistrationInProgress"
        return found

    Volume.status = property(volume_status)  # type: ignore[method-assign, assignment]
    FakeTargetGroup.health_for = health_for  # type: ignore[method-assign, assignment]
    # moto has one active as soon as it was looked at.
    FakeLoadBalancer.activate = lambda self: None  # type: ignore[method-assign]
    try:
        yield
    finally:
        FakeLoadBalancer.activate = activate  # type: ignore[method-assign]
        Volume.status, FakeTargetGroup.health_for = status, health  # type: ignore[method-assign]


@contextlib.contextmanager
def strict_aws() -> Iterator[World]:
    """Yield the server, which listens on loopback."""
    from moto.moto_server.werkzeug_app import (
        DomainDispatcherApplication,
        MotoRequestHandler,
        create_backend_app,
    )
    from werkzeug.serving import make_server

    class Quiet(MotoRequestHandler):
        def log(self, type: str, message: str, *args: object) -> None:  # noqa: A002  werkzeug's own name
            del type, message, args

    world = World(app=DomainDispatcherApplication(create_backend_app))
    server = make_server("127.0.0.1", 0, world, threaded=True, request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    world.url = f"http://127.0.0.1:{server.server_port}"
    with _patched(world):
        thread.start()
        try:
            yield world
        finally:
            server.shutdown()
            thread.join()
            server.server_close()
