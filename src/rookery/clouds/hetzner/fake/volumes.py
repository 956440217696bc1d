"""Volumes."""

from __future__ import annotations

from rookery.clouds.hetzner.fake.account import Account
from rookery.clouds.hetzner.fake.bodies import AttachVolume, CreateVolume, ResizeVolume
from rookery.clouds.hetzner.fake.call import Answer, Call, thing_of
from rookery.clouds.hetzner.fake.catalogue import location_named
from rookery.clouds.hetzner.fake.errors import ApiError, invalid, limit_exceeded
from rookery.clouds.hetzner.fake.selectors import check_labels
from rookery.clouds.hetzner.fake.servers import VOLUMES_LIMIT
from rookery.clouds.hetzner.fake.things import Server, Volume
from rookery.clouds.hetzner.fake.views import view_action, view_volume


def create_volume(call: Call) -> Answer:
    """Make a volume, attached to a server where one is named."""
    account, said = call.account, call.says(CreateVolume)
    check_labels(said.labels or {})
    server = _server(account, said.server) if said.server is not None else None
    location = location_named(server.location if server else said.location)
    if location is None:
        problem = "is needed where no server is named" if said.location is None else "does not exist"
        raise invalid(("location", problem))
    if said.automount and (server is None or said.format is None):
        raise invalid(("automount", "needs a server and a format"))
    account.require_name("volumes", said.name)
    account.require_room("volumes")
    _require_gigabytes(account, said.size)
    if server is not None:
        require_place_for_volume(account, server)
    volume = Volume(
        id=account.next_id(),
        name=said.name,
        created=account.clock.now(),
        labels=dict(said.labels or {}),
        size=said.size,
        location=location.name,
        format=said.format,
    )
    account.holdings.volumes[volume.id] = volume
    account.meter("volumes", volume, str(volume.size), volume.location)
    itself = ("volume", volume.id)
    action = account.act("create_volume", itself)
    following = []
    if server is not None:
        following = [account.act("attach_volume", ("server", server.id), itself, after=action)]
    body = {
        "volume": view_volume(account, volume),
        "action": view_action(account, action),
        "next_actions": [view_action(account, one) for one in following],
    }
    return Answer(status=201, body=body)


def _server(account: Account, wanted: int) -> Server:
    server = account.named("servers", "server", wanted)
    assert isinstance(server, Server)
    account.require_free([("server", server.id)])
    return server


def _require_gigabytes(account: Account, more: int) -> None:
    limit = account.settings.limits.get("volume_size")
    if limit is not None and sum(one.size for one in account.holdings.volumes.values()) + more > limit:
        raise limit_exceeded("volume_size_limit")


def require_place_for_volume(account: Account, server: Server) -> None:
    """Raise ApiError where a server has as many volumes as one may."""
    if sum(one.server == server.id for one in account.holdings.volumes.values()) >= VOLUMES_LIMIT:
        raise ApiError("limit_exceeded_error", f"a server can have {VOLUMES_LIMIT} volumes")


def delete_volume(call: Call) -> Answer:
    """Delete a volume that no server has."""
    volume: Volume = thing_of(call, "volumes", Volume)
    account = call.account
    if volume.protected:
        raise ApiError("protected", "volume deletion is protected")
    account.require_free([("volume", volume.id)])
    if volume.server is not None:
        raise ApiError("service_error", "volume is still attached to a server")
    account.forget("volumes", volume.id)
    return Answer(status=204)


def attach(call: Call) -> Answer:
    """Attach a volume to a server."""
    account, said = call.account, call.says(AttachVolume)
    volume = _free(call)
    if volume.server is not None:
        raise ApiError("volume_already_attached", "volume is already attached to a server")
    server = _server(account, said.server)
    if server.location != volume.location:
        raise invalid(("server", "is in another location than the volume"))
    require_place_for_volume(account, server)
    action = account.act("attach_volume", ("server", server.id), ("volume", volume.id))
    return Answer(status=201, body={"action": view_action(account, action)})


def detach(call: Call) -> Answer:
    """Detach a volume from its server."""
    account, volume = call.account, _free(call)
    if volume.server is None:
        raise ApiError("service_error", "volume is not attached to a server")
    account.require_free([("server", volume.server)])
    action = account.act("detach_volume", ("server", volume.server), ("volume", volume.id))
    return Answer(status=201, body={"action": view_action(account, action)})


def resize(call: Call) -> Answer:
    """Make a volume larger."""
    account, volume, size = call.account, _free(call), call.says(ResizeVolume).size
    if size <= volume.size:
        raise invalid(("size", "must be larger than the volume is"))
    _require_gigabytes(account, size - volume.size)
    action = account.act("resize_volume", ("volume", volume.id), about={"size": size})
    return Answer(status=201, body={"action": view_action(account, action)})


def _free(call: Call) -> Volume:
    volume: Volume = thing_of(call, "volumes", Volume)
    call.account.require_free([("volume", volume.id)])
    return volume
