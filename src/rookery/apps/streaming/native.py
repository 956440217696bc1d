"""Streaming on servers: the channel's encoders and its origins; films are made in a container beside them."""

from __future__ import annotations

from rookery.apps.app import Making, OnServers, Port
from rookery.apps.nginx import config_path, nginx_program
from rookery.apps.streaming.instances import (
    DIRECTORY,
    LOCK_NAMESPACE,
    MEDIA_BUCKET,
    PROGRAM_FOLDER,
    USER,
    packing_files,
    server_channel,
)
from rookery.apps.streaming.origin import ORIGIN_PORT, render_origin, server_place
from rookery.apps.streaming.settings import StreamingSettings
from rookery.design.model import AppDesign, Design, Host, Instance
from rookery.files import File, Program


def server_files(design: Design, _app: AppDesign, host: Host, instance: Instance) -> tuple[File, ...]:
    if instance.component == "origin":
        text = render_origin(server_place(design, host, instance))
        return (File.text(config_path(instance), text),)
    return server_channel()


def server_programs(design: Design, _app: AppDesign, host: Host, instance: Instance) -> tuple[Program, ...]:
    if instance.component == "origin":
        return (nginx_program(instance, gated=True),)
    assert design.file_system is not None
    words = {
        "host": host.name,
        "user": USER,
        "pool": design.file_system.data_pools[0],
        "namespace": LOCK_NAMESPACE,
        "file-system": design.file_system.name,
        "path": DIRECTORY,
    }
    options = tuple(word for name, value in words.items() for word in (f"--{name}", value))
    argv = ("python3", f"/{PROGRAM_FOLDER}/channel.py", *options)
    return (Program(name=instance.name, argv=argv, gated=True, priority=650, uses_ceph=True),)


def making(app: AppDesign) -> Making:
    assert isinstance(app.settings, StreamingSettings)
    source = app.settings.media
    given = ("--media", "{source}") if source is not None else ()
    return Making(
        bucket=MEDIA_BUCKET,
        files=packing_files(),
        argv=("python3", "pack_media.py", "--out", "{out}", *given),
        source=source,
        look=("python3", "pack_media.py", "--look", "--media", "{source}"),
    )


ON_SERVERS = OnServers(
    programs=server_programs,
    files=server_files,
    ports=(Port(component="origin", number=ORIGIN_PORT, protected="TLS 1.2 or 1.3"),),
)
