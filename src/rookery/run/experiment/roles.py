"""Who is what in a running system: what the words of an experiment for its targets need to know."""

from __future__ import annotations

import contextlib

from rookery.drivers.ceph.session import CephError
from rookery.errors import RookeryError
from rookery.experiments.targets import Roles
from rookery.systems.protocol import System

_CHANNEL = "channel"


def look_up_roles(system: System) -> Roles:
    """Return who is what now; what nobody can tell is empty."""
    members = system.members() if system.design.database is not None else ()
    return Roles(
        primary=next((one.name for one in members if one.is_primary), ""),
        replicas=tuple(one.name for one in members if one.follows),
        mds=_active_mds(system),
        leader=_leader(system),
        channel=_encoder(system),
    )


def _active_mds(system: System) -> str:
    ceph = system.ceph_or_none()
    if ceph is None or system.design.file_system is None:
        return ""
    with contextlib.suppress(CephError, KeyError, IndexError):
        return f"mds.{ceph.mon('status')['fsmap']['by_rank'][0]['name']}"
    return ""


def _leader(system: System) -> str:
    ceph = system.ceph_or_none()
    if ceph is None:
        return ""
    with contextlib.suppress(CephError, KeyError):
        return f"mon.{ceph.mon('quorum_status')['quorum_leader_name']}"
    return ""


def _encoder(system: System) -> str:
    """Return the host whose channel encodes: there runs an ffmpeg, and nowhere else."""
    for host in system.design.hosts:
        if not any((one.app, one.component) == ("streaming", _CHANNEL) for one in host.instances):
            continue
        with contextlib.suppress(RookeryError):
            if system.execute(host.name, ("sh", "-c", "pgrep -x ffmpeg || true")).strip():
                return host.name
    return ""
