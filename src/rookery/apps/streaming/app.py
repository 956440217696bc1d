"""Streaming as an application: films and music out of a bucket, a live channel out of CephFS."""

from __future__ import annotations

from dataclasses import replace

from rookery.apps import sizes
from rookery.apps.app import App, Content
from rookery.apps.sizes import single, work
from rookery.apps.streaming.instances import CHANNEL, DIRECTORY, LOCK_NAMESPACE, MEDIA_BUCKET, ORIGIN, USER
from rookery.apps.streaming.kubernetes.items import IN_PODS
from rookery.apps.streaming.kubernetes.volumes import space_claims
from rookery.apps.streaming.media import RULES
from rookery.apps.streaming.native import ON_SERVERS, making
from rookery.apps.streaming.origin import ORIGIN_PORT
from rookery.apps.streaming.settings import StreamingSettings
from rookery.design.app import Surroundings, storage_off
from rookery.design.model import AppDesign, Route
from rookery.design.pod import PodGroup, largest
from rookery.design.stored import Bucket, CephUser, Claim, FileSystem, Share
from rookery.spec.model import AppSettings

_PUBLISHER = "media-publisher"
_MOST_ORIGINS = 2
_MOUNT = "/srv/live"


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
    share = Share(name="live", directory=DIRECTORY, path=_MOUNT, hosts=names, user=USER, owner="root")
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
        name=USER,
        caps=(
            ("mon", "allow r, allow command 'osd blocklist' with blocklistop=add"),
            ("mds", f"allow rw fsname={system.name} path={DIRECTORY}"),
            (
                "osd",
                f"allow rw tag cephfs data={system.name}, allow rwx pool={pool} namespace={LOCK_NAMESPACE}",
            ),
        ),
        hosts=hosts,
    )


STREAMING = App(
    name="streaming",
    settings=StreamingSettings,
    place=place_streaming,
    about="Films and music are made by a job and published to a bucket; the live channel is written to"
    " the shared file system by one pod, and served by two.",
    packages=("ffmpeg", "fonts-dejavu-core"),
    content=Content(rules=RULES, folder_key="media", making=making),
    on_servers=ON_SERVERS,
    in_pods=IN_PODS,
)
