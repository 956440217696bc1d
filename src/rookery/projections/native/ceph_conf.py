"""ceph.conf of the native platform: one text for every server.

Settings that differ from Ceph's defaults carry their reason beside them; everything else is the default.
"""

from __future__ import annotations

from rookery.design.model import DaemonKind, Design
from rookery.releases import RELEASES

_MDS_GRACE = 6  # seconds


def render_ceph_conf(design: Design, *, fsid: str) -> str:
    """Return ceph.conf; `fsid` is the cluster's UUID, made when the system is."""
    sections = (
        ("global", _global(design, fsid)),
        ("mon", _mon(design)),
        ("mgr", _mgr(design)),
        ("osd", _osd()),
        *((("mds", _mds(design.file_system.name)),) if design.file_system else ()),
        ("client", _client()),
        *((d.name, (f"osd_memory_target = {d.memory}",)) for _, d in design.with_daemon(DaemonKind.OSD)),
    )
    return "\n".join(f"[{name}]\n" + "\n".join(lines) + "\n" for name, lines in sections)


def mon_addresses(design: Design) -> tuple[tuple[str, str], ...]:
    """Return each monitor's id and its addresses as `mon_host` and monmaptool write them.

    Where traffic is encrypted there is no address for msgr1, which cannot encrypt.
    """
    form = "[v2:{0}:3300]" if design.network.encryption else "[v2:{0}:3300,v1:{0}:6789]"
    return tuple(
        (daemon.id, form.format(host.address)) for host, daemon in design.with_daemon(DaemonKind.MON)
    )


def _global(design: Design, fsid: str) -> tuple[str, ...]:
    lines = [
        f"fsid = {fsid}",
        f"mon_host = {' '.join(addresses for _, addresses in mon_addresses(design))}",
        f"mon_initial_members = {','.join(d.id for _, d in design.with_daemon(DaemonKind.MON))}",
        f"public_network = {design.network.public}",
        "# Old clients that cannot prove a reclaimed id are refused, as every cluster should since 2021.",
        "auth_allow_insecure_global_id_reclaim = false",
        "# pg_num comes from the design; the autoscaler would change it while one looks.",
        "osd_pool_default_pg_autoscale_mode = off",
        "# A monitor that does not answer yet is tried again soon: all start in the same second.",
        "mon_client_hunt_interval = 0.3",
        "mon_client_hunt_interval_backoff = 1.2",
        "# A monitor that hangs is left for another after 10 s, not 30: what was asked of it waits as long,",
        "# reports of OSDs that hang with it too.",
        "mon_client_ping_interval = 2",
        "mon_client_ping_timeout = 10",
    ]
    if design.network.cluster:
        lines.append(f"cluster_network = {design.network.cluster}")
    if design.network.encryption:
        lines += [
            "# msgr2 in secure mode everywhere: traffic is encrypted, and nobody may speak in clear.",
            *(f"ms_{side}_mode = secure" for side in ("cluster", "service", "client")),
            *(f"ms_mon_{side}_mode = secure" for side in ("cluster", "service", "client")),
            "ms_bind_msgr1 = false",
        ]
    return tuple(lines)


def _mon(design: Design) -> tuple[str, ...]:
    return (
        "# The servers share the machine's disk: a monitor sees its fullness, not that of a disk of its own.",
        "mon_data_avail_warn = 5",
        "mon_data_avail_crit = 2",
        "# Changes are committed after 50 ms instead of up to 1 s: a demo waits for each of them.",
        "paxos_propose_interval = 0.05",
        "paxos_min_wait = 0.01",
        "# Monitors a bridge apart answer in a millisecond: an election waits 1 s for the last, not 5.",
        "mon_election_timeout = 1",
        "# A monitor that was lost holds every change up for twice its lease, 5 s otherwise.",
        "mon_lease = 2",
        "# A silent metadata server is succeeded after 6 s, also where a monitor was lost with it: not",
        "# after 15 s, nor after a minute in which its silence is put down to the monitors. These look every",
        "# second, for they forgive all silence where two looks were farther apart than the grace less the",
        "# interval of its beacons.",
        f"mds_beacon_grace = {_MDS_GRACE}",
        f"mds_beacon_mon_down_grace = {_MDS_GRACE}",
        "mon_tick_interval = 1",
        "# The small pools of a demo have few PGs on purpose, and much per PG once they fill.",
        "mon_pg_warn_max_object_skew = 0",
        "mon_max_pg_per_osd = 500",
        "# `ceph osd pool delete` is for people who experiment.",
        "mon_allow_pool_delete = true",
        *(("mgr_initial_modules = dashboard",) if design.dashboard else ()),
    )


def _mgr(design: Design) -> tuple[str, ...]:
    return (
        f"mgr_disabled_modules = {' '.join(RELEASES[design.ceph].unused_modules)}",
        "# PG states reach the monitors after 1 s instead of 5: one sees what a fault does while it does it.",
        "mgr_stats_period = 1",
        "mgr_tick_period = 1",
    )


def _osd() -> tuple[str, ...]:
    return (
        "# No 10 s benchmark of every drive at its first start: files on one disk tell nothing.",
        "osd_mclock_skip_benchmark = true",
        "bluestore_fsck_on_mkfs = false",
        "# The design names each drive's class; a file on the machine's disk cannot.",
        "osd_class_update_on_start = false",
    )


def _mds(file_system: str) -> tuple[str, ...]:
    return (
        "# A free MDS joins the one file system there is.",
        f"mds_join_fs = {file_system}",
        "# It is heard of every second, and takes itself for cut off when the monitors do.",
        "mds_beacon_interval = 1",
        f"mds_beacon_grace = {_MDS_GRACE}",
        "# Who takes over waits so long for clients to come back, not 45 s: those that live do within a",
        "# moment, and one that was lost never does. It looks at each tick, of which the default is 5 s.",
        "mds_reconnect_timeout = 3",
        "mds_tick_interval = 1",
    )


def _client() -> tuple[str, ...]:
    return (
        "# Who used how much of S3, for `radosgw-admin usage show`.",
        "rgw_enable_usage_log = true",
        "# Who waits for an OSD asks after 2 s whether another leads the object now, not after 10 to 15.",
        "objecter_timeout = 2",
        "objecter_tick_interval = 1",
    )
