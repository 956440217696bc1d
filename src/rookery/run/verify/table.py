"""Every check there is, in the order in which people read them: a new one is a function and a row."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from rookery.design.cluster import has_cilium
from rookery.design.model import Design
from rookery.drivers.clients.http import Browser
from rookery.drivers.machine.waiting import awaited
from rookery.run.verify import cluster, database, kubernetes, media, room, storage, web
from rookery.run.verify.result import NATIVE, ON_KUBERNETES, Check, Outcome, Result, Subject
from rookery.systems.protocol import System


def _has_app(name: str) -> Callable[[Design], bool]:
    return lambda design: any(app.name == name for app in design.apps)


def _has_user(name: str) -> Callable[[Design], bool]:
    return lambda design: any(user.name == name and user.hosts for user in design.users)


def _has_instances(design: Design) -> bool:
    return any(host.instances for host in design.hosts)


def _has_files(design: Design) -> bool:
    return design.file_system is not None


def _has_database(design: Design) -> bool:
    return design.database is not None


def _has_live(design: Design) -> bool:
    return any(route.path == "/live/" for route in design.routes)


def _has_objects(design: Design) -> bool:
    return design.object_store is not None


CHECKS: tuple[Check, ...] = (
    Check(name="programs", title="every program runs", look=web.programs_run),
    Check(name="quorum", title="monitors in quorum", look=cluster.quorum, platforms=NATIVE),
    Check(name="health", title="cluster is HEALTH_OK", look=cluster.health, platforms=NATIVE),
    Check(name="managers", title="a manager active, the others standing by", look=cluster.managers),
    Check(name="osds", title="OSDs up on every host", look=cluster.osds, platforms=NATIVE),
    Check(name="pgs", title="all PGs active+clean", look=cluster.placement_groups, platforms=NATIVE),
    Check(name="pools", title="pools as designed", look=cluster.pools),
    Check(name="clocks", title="clocks in step", look=cluster.clocks),
    Check(
        name="least-privilege",
        title="users may not administer",
        look=cluster.least_privilege,
        applies=lambda design: any(user.name != "admin" and user.hosts for user in design.users),
        platforms=NATIVE,
    ),
    Check(
        name="encryption",
        title="Ceph traffic encrypted",
        look=cluster.encryption,
        applies=lambda design: design.network.encryption,
    ),
    Check(
        name="block",
        title="RBD image write and read",
        look=storage.block_round_trip,
        applies=_has_user("block"),
        platforms=NATIVE,
    ),
    Check(name="mds", title="MDS active and standing by", look=storage.metadata_servers, applies=_has_files),
    Check(
        name="file",
        title="CephFS from two hosts",
        look=storage.file_from_two_hosts,
        applies=_has_user("file"),
        platforms=NATIVE,
    ),
    Check(
        name="object",
        title="S3 put, get, delete",
        look=storage.object_round_trip,
        applies=_has_objects,
        platforms=NATIVE,
    ),
    Check(
        name="anonymous",
        title="S3 without credentials refused",
        look=storage.anonymous_write_refused,
        applies=_has_objects,
    ),
    Check(
        name="gateways",
        title="gateways on different hosts",
        look=storage.gateways_apart,
        applies=_has_objects,
        platforms=NATIVE,
    ),
    Check(
        name="tls",
        title="TLS from our own authority",
        look=web.tls_chain,
        applies=lambda design: bool(design.frontends),
        platforms=NATIVE,
    ),
    Check(name="room", title="volumes and drives have room", look=room.room_left),
    Check(name="site", title="site through the balancer", look=web.site_served, applies=_has_app("cdn")),
    Check(
        name="instances",
        title="instances on different hosts",
        look=web.instances_apart,
        applies=lambda design: any(host.instances for host in design.hosts),
        platforms=NATIVE,
    ),
    Check(
        name="cache",
        title="assets cached on every edge",
        look=web.cached_on_every_edge,
        applies=_has_app("cdn"),
        platforms=NATIVE,
    ),
    Check(name="http", title="ETag, ranges, compression", look=web.http_caching, applies=_has_app("cdn")),
    Check(name="primary", title="one primary, followed", look=database.primary, applies=_has_database),
    Check(
        name="database",
        title="rows committed and read",
        look=database.round_trip,
        applies=_has_database,
    ),
    Check(
        name="replica",
        title="replica serves reads",
        look=database.replica_reads,
        applies=lambda design: design.database is not None and len(design.database.instances) > 1,
    ),
    Check(
        name="strangers",
        title="no password, no TLS: refused",
        look=database.strangers_refused,
        applies=_has_database,
        platforms=NATIVE,
    ),
    Check(
        name="renditions",
        title="every rendition plays",
        look=media.renditions_play,
        applies=_has_app("streaming"),
        platforms=NATIVE,
    ),
    Check(name="live", title="live channel advances", look=media.live_advances, applies=_has_live),
    Check(
        name="origins",
        title="every origin serves live",
        look=media.live_on_every_origin,
        applies=_has_live,
        platforms=NATIVE,
    ),
    Check(
        name="catalogue",
        title="catalogue ready everywhere",
        look=media.catalogue_health,
        applies=_has_app("catalogue"),
        platforms=NATIVE,
    ),
    Check(name="plays", title="plays are counted", look=media.plays_counted, applies=_has_app("catalogue")),
    Check(
        name="dashboard",
        title="dashboard login",
        look=web.dashboard_login,
        applies=lambda design: design.dashboard,
    ),
    Check(name="ports", title="nothing else listens", look=web.nothing_else_listens, platforms=NATIVE),
    Check(
        name="nodes", title="nodes Ready, labelled, tainted", look=kubernetes.nodes, platforms=ON_KUBERNETES
    ),
    Check(name="monitors", title="monitors in quorum", look=kubernetes.quorum, platforms=ON_KUBERNETES),
    Check(name="health-ok", title="cluster is HEALTH_OK", look=kubernetes.health, platforms=ON_KUBERNETES),
    Check(name="drives", title="an OSD on every drive", look=kubernetes.osds, platforms=ON_KUBERNETES),
    Check(
        name="clean", title="all PGs active+clean", look=kubernetes.placement_groups, platforms=ON_KUBERNETES
    ),
    Check(
        name="spread",
        title="instances on different nodes",
        look=kubernetes.spread,
        applies=_has_instances,
        platforms=ON_KUBERNETES,
    ),
    Check(
        name="claims",
        title="volumes bound",
        look=kubernetes.claims,
        applies=lambda design: _has_database(design) or _has_live(design),
        platforms=ON_KUBERNETES,
    ),
    Check(
        name="objects",
        title="S3 put, get, delete from a pod",
        look=kubernetes.object_round_trip,
        applies=_has_app("cdn"),
        platforms=ON_KUBERNETES,
    ),
    Check(
        name="policies",
        title="policies let through and refuse",
        look=kubernetes.policies,
        # Nobody enforces them on a bridge: the design's findings say so (RK808).
        applies=lambda design: _has_app("cdn")(design) and _has_database(design) and has_cilium(design),
        platforms=ON_KUBERNETES,
    ),
    Check(
        name="strictness",
        title="privileged pods refused",
        look=kubernetes.strictness,
        applies=_has_instances,
        platforms=ON_KUBERNETES,
    ),
)


def verify(system: System, *, mark: str, checks: Sequence[Check] = CHECKS) -> tuple[Result, ...]:
    """Run every check that applies to the system's design; return the results in the table's order.

    `mark` names what the checks make for a moment. A check that breaks has observed nothing.
    """
    design = system.design
    chosen = [check for check in checks if design.platform in check.platforms and check.applies(design)]
    with Browser(str(system.ca_file), system.addresses) as browser, ThreadPoolExecutor(max_workers=8) as pool:
        subject = Subject(system=system, browser=browser, mark=mark)
        return tuple(pool.map(lambda check: _run(check, subject), chosen))


def new_mark() -> str:
    """Return a name for what a verification makes for a moment, which no other has."""
    return f"{int(time.time())}-{os.urandom(3).hex()}"


def _run(check: Check, subject: Subject) -> Result:
    began = time.monotonic()
    try:
        with awaited(f"the check `{check.title}`"):
            evidence = check.look(subject)
        outcome, seen = evidence.outcome, evidence.seen
    except Exception as error:  # noqa: BLE001 - a broken check is a result: nothing was observed
        outcome, seen = Outcome.NOT_OBSERVED, f"{type(error).__name__}: {str(error).splitlines()[0]}"
    seconds = time.monotonic() - began
    return Result(name=check.name, title=check.title, outcome=outcome, seen=seen, seconds=seconds)
