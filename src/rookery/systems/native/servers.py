"""The lab's servers: containers over the shared image, each with its own address, drives and secrets."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from rookery.apps.table import APPS
from rookery.design.model import Daemon, DaemonKind, Design, Host, Role
from rookery.drivers.ceph.session import render_keyring
from rookery.drivers.containers.runc import Container, Runc
from rookery.drivers.containers.supervisor import Supervisor
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.files import File, packaged
from rookery.projections.native.server import SCRIPTS, render_server
from rookery.systems.lab.drives import ensure_drive
from rookery.systems.lab.paths import LabPaths
from rookery.systems.lab.roots import digests, lay_root, note_laid
from rookery.systems.native.identity import Identity, cephx_entities
from rookery.systems.native.next_release import NEXT
from rookery.systems.native.root import image_root
from rookery.systems.protocol import Report

_WAKE_LIMIT = 60.0  # seconds; a busy machine may take several
_INIT = ("/usr/bin/supervisord", "--configuration", "/etc/supervisor/supervisord.conf")
# What each kind of daemon may ask of the cluster, as Ceph's own deployment tools grant it.
_DAEMON_CAPS: dict[DaemonKind, tuple[tuple[str, str], ...]] = {
    DaemonKind.MGR: (("mon", "allow profile mgr"), ("osd", "allow *"), ("mds", "allow *")),
    DaemonKind.OSD: (("mon", "allow profile osd"), ("mgr", "allow profile osd"), ("osd", "allow *")),
    DaemonKind.MDS: (
        ("mon", "allow profile mds"),
        ("osd", "allow rw tag cephfs *=*"),
        ("mds", "allow"),
        ("mgr", "allow profile mds"),
    ),
    DaemonKind.RGW: (("mon", "allow rw"), ("osd", "allow rwx tag rgw *=*"), ("mgr", "allow rw")),
}


def start_server(
    design: Design,
    host: Host,
    paths: LabPaths,
    *,
    identity: Identity,
    runc: Runc,
    report: Report,
    next_release: str = "",
) -> None:
    """Start one server, on what it kept of an earlier life where there was one.

    The drives and the server's changes to its root outlive it; its configuration is laid anew each time.
    Where the lab is on its way to `next_release`, programs that had moved to that do so again.
    """
    server = paths.server(host.name)
    container_id = paths.container(host.name)
    runc.delete(container_id)
    laid = server_files(design, host, identity)
    users = lay_root(server, laid, image=image_root(design.ceph))
    for drive in host.drives:
        ensure_drive(server.drives / drive.name, drive.size, users["ceph"])
    runc.start(
        Container(
            id=container_id,
            hostname=host.name,
            root=server.root,
            namespace=paths.namespace(host.name),
            argv=_INIT,
            cgroup=paths.cgroup(host.name),
            memory=host.memory,
            cpus=host.cpus,
            binds=tuple((f"/dev/{drive.name}", str(server.drives / drive.name)) for drive in host.drives),
            shared=_beside(next_release),
            fuse=Path("/dev/fuse").exists(),
        ),
        bundle=server.folder,
        console=server.console,
    )
    wait_awake(host.name, runc.running()[container_id], report)
    note_laid(server, digests(laid))


def _beside(release: str) -> tuple[tuple[str, str], ...]:
    """Return what a server has of a release that it is on its way to, once there is an image."""
    there = release and image_root(release).is_dir()
    return ((NEXT, str(image_root(release))),) if there else ()


def server_files(design: Design, host: Host, identity: Identity) -> tuple[File, ...]:
    """Return everything that is laid into a server: configuration, our programs, keys."""
    folders = (files("rookery.systems.native") / "guest", files("rookery.drivers.ceph") / "guest")
    scripts = [file for folder in folders for file in packaged(folder, SCRIPTS.lstrip("/"), mode=0o755)]
    rendered = render_server(design, host, fsid=identity["fsid"])
    return (*rendered, *scripts, *secret_files(design, host, identity))


def wait_awake(name: str, pid: int, report: Report) -> None:
    """Wait until the supervisor of a server answers: only then is the server more than a process."""
    supervisor = Supervisor(pid)
    wait_for(
        f"the supervisor of {name}",
        lambda: Look(seen="silent", value=supervisor.is_awake() or None),
        limit=_WAKE_LIMIT,
        report=report,
    )


def secret_files(design: Design, host: Host, identity: Identity) -> tuple[File, ...]:
    """Return the keys and certificates of one server; each is readable by its user alone."""
    if Role.LOAD_BALANCER in host.roles:
        return ()
    found = [*_tls_files(host, identity), *_user_keyrings(design, host, identity)]
    for daemon in host.daemons:
        found += _daemon_files(design, daemon, identity)
    for app in design.apps:
        row = APPS[app.name].on_servers
        if row is not None and row.private_files is not None:
            own = [instance for instance in host.instances if instance.app == app.name]
            for instance in own:
                found += row.private_files(design, app, host, instance, identity.table)
    return tuple(found)


def _tls_files(host: Host, identity: Identity) -> tuple[File, ...]:
    certificate, key = identity[f"tls.{host.name}.crt"], identity[f"tls.{host.name}.key"]
    owner = "ceph" if host.daemons else "root"
    folder = "etc/rookery/tls"
    return (
        File.text(f"{folder}/ca.crt", identity["ca.crt"]),
        # What all programs of a server trust: it reaches nobody else. ffmpeg 9 verifies whom it fetches
        # segments from, by this file alone, whatever it was told for the playlist.
        File.text("etc/ssl/certs/ca-certificates.crt", identity["ca.crt"]),
        File.text(f"{folder}/server.crt", certificate),
        File.text(f"{folder}/server.key", key, mode=0o400, owner=owner),
        File.text(f"{folder}/server.pem", key + certificate, mode=0o400, owner=owner),
    )


def _user_keyrings(design: Design, host: Host, identity: Identity) -> tuple[File, ...]:
    return tuple(
        File.text(
            f"etc/ceph/ceph.client.{user.name}.keyring",
            render_keyring([(f"client.{user.name}", identity[f"cephx.client.{user.name}"], ())]),
            mode=0o600,
        )
        for user in design.users
        if host.name in user.hosts
    )


def _daemon_files(design: Design, daemon: Daemon, identity: Identity) -> tuple[File, ...]:
    """Return what a daemon needs to prove who it is. A gateway's key comes later, with its pools."""
    if daemon.kind is DaemonKind.RGW:
        return ()
    if daemon.kind is DaemonKind.MON:
        text = cluster_keyring(design, identity)
        return (File.text("etc/ceph/mon.keyring", text, mode=0o600, owner="ceph"),)
    folder = f"var/lib/ceph/{daemon.kind}/ceph-{daemon.id}"
    keyring = render_keyring([(daemon.name, identity[f"cephx.{daemon.name}"], ())])
    found = [File.text(f"{folder}/keyring", keyring, mode=0o600, owner="ceph")]
    if daemon.kind is DaemonKind.OSD:
        found.append(File.text(f"{folder}/.uuid", identity[f"osd.{daemon.id}.uuid"]))
    return tuple(found)


def gateway_keyring(daemon: Daemon, identity: Identity) -> File:
    """Return the key that lets a gateway start."""
    entity = f"client.rgw.{daemon.id}"
    return File.text(
        f"var/lib/ceph/radosgw/ceph-rgw.{daemon.id}/keyring",
        render_keyring([(entity, identity[f"cephx.{entity}"], ())]),
        mode=0o600,
        owner="ceph",
    )


def monitor_keyring(daemon: Daemon, identity: Identity) -> File:
    """Return the monitors' own key, as a monitor has it that was away when the others took it."""
    return File.text(
        f"var/lib/ceph/mon/ceph-{daemon.id}/keyring",
        render_keyring([("mon.", identity["cephx.mon."], (("mon", "allow *"),))]),
        mode=0o600,
        owner="ceph",
    )


def cluster_keyring(design: Design, identity: Identity) -> str:
    """Return every cephx entity with its key and capabilities, as the first monitors start with it."""
    caps: dict[str, tuple[tuple[str, str], ...]] = {"mon.": (("mon", "allow *"),)}
    for host in design.hosts:
        for daemon in host.daemons:
            if daemon.kind is DaemonKind.RGW:
                caps[f"client.rgw.{daemon.id}"] = _DAEMON_CAPS[daemon.kind]
            elif daemon.kind is not DaemonKind.MON:
                caps[daemon.name] = _DAEMON_CAPS[daemon.kind]
    caps |= {f"client.{user.name}": user.caps for user in design.users}
    return render_keyring(
        (entity, identity[f"cephx.{entity}"], caps[entity]) for entity in cephx_entities(design)
    )
