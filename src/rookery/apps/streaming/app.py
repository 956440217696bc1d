"""Streaming as an application: films and music out of a bucket, a live channel out of CephFS."""

from __future__ import annotations

from dataclasses import replace
from importlib.resources import files

from rookery.apps import sizes
from rookery.apps.app import App, Making
from rookery.apps.nginx import config_path, nginx_program
from rookery.apps.sizes import single, work
from rookery.apps.streaming.instances import CHANNEL, MEDIA_BUCKET, ORIGIN, PACKING_FOLDER, PROGRAM_FOLDER
from rookery.apps.streaming.kubernetes.items import streaming_items
from rookery.apps.streaming.kubernetes.volumes import space_claims
from rookery.apps.streaming.media import RULES
from rookery.apps.streaming.origin import ORIGIN_PORT, render_origin, server_place
from rookery.apps.streaming.settings import StreamingSettings
from rookery.design.app import Surroundings, storage_off
from rookery.design.model import AppDesign, Bucket, Claim, Design, Host, Instance, Route, Share
from rookery.design.pod import PodGroup, largest
from rookery.design.stored import CephUser, FileSystem
from rookery.files import File, Program, packaged
from rookery.spec.model import AppSettings

_PUBLISHER = "media-publisher"
_MOST_ORIGINS = 2
_USER = "live"
_DIRECTORY, _MOUNT = "/live", "/srv/live"
# Where the lock lies that says which host encodes: objects of their own, apart from all files.
_LOCK_NAMESPACE = "live"
_GUEST = files("rookery.apps.streaming") / "guest"
# What is made is made again when one of these changes, so what only the channel needs stands apart.
_PACKING = (
    "colour.py", "films.json", "folders.py", "ladder.py", "music.py", "pack_media.py", "probe.py",
    "silhouettes.py", "sources.py",
)  # fmt: skip
_CHANNEL = ("channel.py", "encoder.py", "live_playlist.py", "publisher.py")
_ON_SERVERS = (*_CHANNEL, "lease.py", "share.py")
_IN_PODS = (*_CHANNEL, "cluster_channel.py", "cluster_lease.py", "folder.py")


def place_streaming(settings: AppSettings, surroundings: Surroundings) -> AppDesign:
    """Claim the bucket of films and music; put the live channel on two workers with a folder they share."""
    assert isinstance(settings, StreamingSettings)
    if surroundings.object_store is None:
        raise storage_off("apps.streaming", "its films live in a bucket", "object")
    given = settings.media is not None and surroundings.platform == "kubernetes"
    if given and surroundings.file_system is None:
        raise storage_off("apps.streaming.media", "they come through a volume of CephFS", "file")
    readers = tuple(address for _, address in surroundings.workers)
    vod = Route(path=f"/{MEDIA_BUCKET}/", bucket=MEDIA_BUCKET)
    design = AppDesign(
        name="streaming",
        settings=settings,
        placements=(),
        routes=(vod,),
        buckets=(Bucket(name=MEDIA_BUCKET, owner=_PUBLISHER, readers=readers),),
        makes=True,
        claims=_claims(settings, surroundings, given=given),
        pods=_making_pods(given=given),
    )
    return _with_channel(design, settings, surroundings) if settings.channel else design


def _claims(settings: StreamingSettings, surroundings: Surroundings, *, given: bool) -> tuple[Claim, ...]:
    if surroundings.platform != "kubernetes":
        return ()
    kept = "cephfs" if surroundings.block_pools is None else "rbd"
    return space_claims(given=given, channel=settings.channel, work=kept)


def _making_pods(*, given: bool) -> tuple[PodGroup, ...]:
    """Return what makes and publishes films; a user's own come through a pod that waits for them."""
    pack = sizes.PACK_GIVEN if given else sizes.PACK
    packer = work("streaming-packager", largest(sizes.AWAIT_FILMS, pack, sizes.PUBLISH_FILMS))
    return (packer, *((single("media-source", sizes.FILMS_DOOR),) if given else ()))


def _with_channel(design: AppDesign, settings: StreamingSettings, surroundings: Surroundings) -> AppDesign:
    system = surroundings.file_system
    if system is None:
        raise storage_off(
            "apps.streaming.channel",
            "the live channel lives on CephFS",
            "file",
            otherwise="apps.streaming.channel to false",
        )
    hosts = surroundings.some_workers(settings.origins, _MOST_ORIGINS, "apps.streaming.origins")
    names = tuple(name for name, _ in hosts)
    share = Share(name="live", directory=_DIRECTORY, path=_MOUNT, hosts=names, user=_USER, owner="root")
    return replace(
        design,
        placements=tuple((name, instance) for name in names for instance in (ORIGIN, CHANNEL)),
        routes=(*design.routes, Route(path="/live/", backends=hosts, port=ORIGIN_PORT)),
        shares=(share,),
        users=(_channel_user(system, names),),
        pods=(
            *design.pods,
            *(
                sizes.instances(one, len(hosts), size)
                for one, size in ((ORIGIN, sizes.ORIGIN), (CHANNEL, sizes.CHANNEL))
            ),
        ),
    )


def _channel_user(system: FileSystem, hosts: tuple[str, ...]) -> CephUser:
    """Return the user that mounts the channel's folder, holds its lock, and may fence its predecessor."""
    pool = system.data_pools[0]
    return CephUser(
        name=_USER,
        caps=(
            ("mon", "allow r, allow command 'osd blocklist' with blocklistop=add"),
            ("mds", f"allow rw fsname={system.name} path={_DIRECTORY}"),
            (
                "osd",
                f"allow rw tag cephfs data={system.name}, allow rwx pool={pool} namespace={_LOCK_NAMESPACE}",
            ),
        ),
        hosts=hosts,
    )


def _server_files(design: Design, _app: AppDesign, host: Host, instance: Instance) -> tuple[File, ...]:
    if instance.component == "origin":
        text = render_origin(server_place(design, host, instance))
        return (File.text(config_path(instance), text),)
    return packaged(_GUEST, PROGRAM_FOLDER, names=_ON_SERVERS)


def _server_programs(design: Design, _app: AppDesign, host: Host, instance: Instance) -> tuple[Program, ...]:
    if instance.component == "origin":
        return (nginx_program(instance, gated=True),)
    assert design.file_system is not None
    words = {
        "host": host.name,
        "user": _USER,
        "pool": design.file_system.data_pools[0],
        "namespace": _LOCK_NAMESPACE,
        "file-system": design.file_system.name,
        "path": _DIRECTORY,
    }
    options = tuple(word for name, value in words.items() for word in (f"--{name}", value))
    argv = ("python3", f"/{PROGRAM_FOLDER}/channel.py", *options)
    return (Program(name=instance.name, argv=argv, gated=True, priority=650),)


def _making(app: AppDesign) -> Making:
    assert isinstance(app.settings, StreamingSettings)
    source = app.settings.media
    given = ("--media", "{source}") if source is not None else ()
    return Making(
        bucket=MEDIA_BUCKET,
        files=packaged(_GUEST, names=_PACKING),
        argv=("python3", "pack_media.py", "--out", "{out}", *given),
        source=source,
        look=("python3", "pack_media.py", "--look", "--media", "{source}"),
    )


def _image_files() -> tuple[File, ...]:
    packer = packaged(_GUEST, PACKING_FOLDER, names=_PACKING)
    return (*packer, *packaged(_GUEST, PROGRAM_FOLDER, names=_IN_PODS))


STREAMING = App(
    name="streaming",
    settings=StreamingSettings,
    place=place_streaming,
    server_files=_server_files,
    server_programs=_server_programs,
    rules=RULES,
    folder_key="media",
    making=_making,
    cluster_items=streaming_items,
    image_files=_image_files,
    packages=("ffmpeg", "fonts-dejavu-core"),
)
