"""Everything that one server of the native platform holds, but for secrets.

Keys and certificates are made when the system is and laid beside these files by the system itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from rookery.apps.table import APPS
from rookery.design.model import AppDesign, Daemon, DaemonKind, Design, Host, Instance, Role
from rookery.files import NOT_TOLD, File, Part, Program
from rookery.projections.native.ceph_conf import mon_addresses, render_ceph_conf
from rookery.projections.native.haproxy import render_dashboard_tls, render_haproxy
from rookery.projections.native.supervisor_conf import render_supervisor_conf
from rookery.releases import RELEASES
from rookery.units import MIB

SCRIPTS = "/usr/lib/rookery"
_BALANCER = "etc/haproxy/haproxy.cfg"
_DASHBOARD_TLS = "etc/rookery/dashboard-tls.cfg"

# Monitors first: everything else waits for them.
_PRIORITY = {
    DaemonKind.MON: 100,
    DaemonKind.MGR: 300,
    DaemonKind.OSD: 200,
    DaemonKind.MDS: 400,
    DaemonKind.RGW: 450,
}

# As Ceph's own units start its daemons (/etc/default/ceph). With tcmalloc's default, 32 MiB for the caches of
# all threads, a write costs the OSDs a fifth to a quarter more CPU.
_ALLOCATOR = (("TCMALLOC_MAX_TOTAL_THREAD_CACHE_BYTES", str(128 * MIB)),)


def render_server(design: Design, host: Host, *, fsid: str) -> tuple[File, ...]:
    """Return the files of `host`; paths are relative to the server's root."""
    return tuple(file for part in server_parts(design, host, fsid=fsid) for file in part.files)


def server_programs(design: Design, host: Host) -> tuple[Program, ...]:
    """Return the programs that the supervisor of `host` keeps running."""
    return tuple(program for piece in _pieces(design, host) for program in piece.programs)


def server_parts(design: Design, host: Host, *, fsid: str) -> tuple[Part, ...]:
    """Return everything that `host` holds, in parts: which programs read which files."""
    supervisor = render_supervisor_conf(server_programs(design, host))
    common = (
        File.text("etc/hostname", f"{host.name}\n"),
        File.text("etc/hosts", _hosts_file(design)),
        File.text("etc/motd", _motd(design, host)),
        File.text("etc/profile.d/rookery.sh", _profile(design)),
        File.text("etc/supervisor/supervisord.conf", supervisor),
    )
    parts = (Part(files=piece.files(fsid), programs=piece.programs) for piece in _pieces(design, host))
    return (Part(files=common), *parts)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Piece:
    """A part before its files are rendered from the fsid: who asks for programs alone renders none."""

    programs: tuple[Program, ...]
    files: Callable[[str], tuple[File, ...]]


def _pieces(design: Design, host: Host) -> Iterator[_Piece]:
    if Role.LOAD_BALANCER in host.roles:
        yield _Piece(
            programs=(_haproxy("haproxy", _BALANCER),),
            files=lambda _: (File.text(_BALANCER, render_haproxy(design, host)),),
        )
        return
    yield _Piece(
        programs=tuple(daemon_program(daemon) for daemon in host.daemons),
        files=lambda fsid: _ceph_files(design, host, fsid),
    )
    if design.dashboard and host.daemons_of(DaemonKind.MGR):
        yield _Piece(
            programs=(_haproxy("dashboard-tls", _DASHBOARD_TLS),),
            files=lambda _: (File.text(_DASHBOARD_TLS, render_dashboard_tls(host)),),
        )
    yield _Piece(programs=share_programs(design, host), files=lambda _: ())
    for app in design.apps:
        for instance in host.instances:
            if instance.app == app.name:
                yield from _app_piece(design, app, host, instance)


def _ceph_files(design: Design, host: Host, fsid: str) -> tuple[File, ...]:
    conf = File.text("etc/ceph/ceph.conf", render_ceph_conf(design, fsid=fsid))
    found = [conf]
    if host.name != design.admin_host.name:
        found.append(File.text("usr/local/bin/ceph", _signpost(design), mode=0o755))
    if not host.daemons_of(DaemonKind.MON):
        return tuple(found)
    lines = (f"{name} {addresses}\n" for name, addresses in mon_addresses(design))
    release = File.text("etc/rookery/ceph-release", f"{RELEASES[design.ceph].code_name}\n")
    return (*found, File.text("etc/rookery/monitors", "".join(lines)), release)


# Without a key `ceph` says in nine lines that it found none. Who names a user or a key, or asks a daemon of
# the host by its socket, is let through.
_SIGNPOST = """\
#!/bin/sh
for word; do
    case $word in
        -n* | -k* | -h | -v | --name* | --id | --id=* | --user* | --keyring* | --key* | --admin-daemon* | \\
            --help | --version | -c* | --conf* | daemon | daemonperf)
            exec /usr/bin/ceph "$@" ;;
    esac
done
[ ! -e /etc/ceph/ceph.client.admin.keyring ] || exec /usr/bin/ceph "$@"
echo "ceph: the administrator's key is on ADMIN only: \\`rookery shell ADMIN -- ceph $*\\`" >&2
exit 1
"""


def _signpost(design: Design) -> str:
    """Return what stands before `ceph` on hosts that have no administrator's key: it says which host has."""
    return _SIGNPOST.replace("ADMIN", design.admin_host.name)


def _app_piece(design: Design, app: AppDesign, host: Host, instance: Instance) -> Iterator[_Piece]:
    row = APPS[app.name].on_servers
    if row is not None:
        yield _Piece(
            programs=row.programs(design, app, host, instance),
            files=lambda _: row.files(design, app, host, instance),
        )


def share_programs(design: Design, host: Host) -> tuple[Program, ...]:
    """Return the programs that mount directories of CephFS on `host`."""
    assert design.file_system is not None or not any(app.shares for app in design.apps)
    return tuple(
        Program(
            name=f"share-{share.name}",
            argv=(f"{SCRIPTS}/mount-share", share.name, share.user, share.directory, share.path),
            priority=550,
            gated=True,
            told=NOT_TOLD,
            uses_ceph=True,
        )
        for app in design.apps
        for share in app.shares
        if host.name in share.hosts
    )


def _haproxy(name: str, config: str) -> Program:
    """Return a HAProxy whose master hands over to new workers when told of a change: connections stay."""
    return Program(name=name, argv=("haproxy", "-W", "-db", "-f", f"/{config}"), told="USR2")


def daemon_program(daemon: Daemon) -> Program:
    """Return the program of a Ceph daemon: a script that prepares its data once, then becomes it."""
    argument = (daemon.drive,) if daemon.kind is DaemonKind.OSD else ()
    return Program(
        name=program_name(daemon),
        argv=(f"{SCRIPTS}/start-{daemon.kind}", daemon.id, *argument),
        environment=_ALLOCATOR,
        priority=_PRIORITY[daemon.kind],
        gated=daemon.kind is DaemonKind.RGW,
        told=NOT_TOLD,
        uses_ceph=True,
    )


def program_name(daemon: Daemon) -> str:
    """Return a daemon's name in its supervisor: `osd.3`, `mon.storage-k`."""
    return daemon.name


def _hosts_file(design: Design) -> str:
    lines = ["127.0.0.1 localhost"]
    lines += [f"{host.address} {host.name}" for host in design.hosts]
    return "\n".join(lines) + "\n"


def _motd(design: Design, host: Host) -> str:
    roles = ", ".join(host.roles)
    return (
        f"\n{host.name} ({roles}) of {design.name}, {host.address}\n"
        "`supervisorctl status` shows what runs here"
        + (", `ceph -s` the cluster" if Role.CONTROL_PLANE in host.roles else "")
        + ".\n\n"
    )


def _profile(design: Design) -> str:
    return (
        f"PS1='\\u@\\h:\\w\\$ '\n"
        f"export ROOKERY_SYSTEM={design.name}\n"
        'if [ -t 1 ] && [ -z "$ROOKERY_GREETED" ]; then export ROOKERY_GREETED=1; cat /etc/motd; fi\n'
    )
