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
from rookery.run.backup_age import takes_sets
from rookery.run.verify import backup, cluster, database, kubernetes, media, room, storage, web
from rookery.run.verify.result import KUBERNETES, NATIVE, Check, Outcome, Result, Subject, everywhere
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


def _has_s3_clients(design: Design) -> bool:
    """A user's keys are tried from this machine; on Kubernetes in an edge's pod, as applications use them."""
    return _has_objects(design) and (design.platform == NATIVE or _has_app("cdn")(design))


CHECKS: tuple[Check, ...] = (
    Check(name="programs", title="every program runs", look=everywhere(web.programs_run)),
    Check(name="quorum", title="monitors in quorum", look=everywhere(cluster.quorum)),
    Check(name="health", title="cluster is HEALTH_OK", look=everywhere(cluster.health)),
    Check(
        name="managers",
        title="a manager active, the others standing by",
        look=everywhere(cluster.managers),
    ),
    Check(name="osds", title="OSDs up on every host", look=everywhere(cluster.osds)),
    Check(name="pgs", title="all PGs active+clean", look=everywhere(cluster.placement_groups)),
    Check(name="pools", title="pools as designed", look=everywhere(cluster.pools)),
    Check(name="clocks", title="clocks in step", look=everywhere(cluster.clocks)),
    Check(
        name="least-privilege",
        title="users may not administer",
        look={NATIVE: cluster.least_privilege},
        applies=lambda design: any(user.name != "admin" and user.hosts for user in design.users),
    ),
    Check(
        name="encryption",
        title="Ceph traffic encrypted",
        look=everywhere(cluster.encryption),
        applies=lambda design: design.network.encryption,
    ),
    Check(
        name="block",
        title="RBD image write and read",
        look={NATIVE: storage.block_round_trip},
        applies=_has_user("block"),
    ),
    Check(
        name="mds",
        title="MDS active and standing by",
        look=everywhere(storage.metadata_servers),
        applies=_has_files,
    ),
    Check(
        name="file",
        title="CephFS from two hosts",
        look={NATIVE: storage.file_from_two_hosts},
        applies=_has_user("file"),
    ),
    Check(
        name="object",
        title="S3 put, get, delete",
        look={NATIVE: storage.object_round_trip, KUBERNETES: kubernetes.object_round_trip},
        applies=_has_s3_clients,
    ),
    Check(
        name="anonymous",
        title="S3 without credentials refused",
        look=everywhere(storage.anonymous_write_refused),
        applies=_has_objects,
    ),
    Check(
        name="gateways",
        title="gateways on different hosts",
        look={NATIVE: storage.gateways_apart, KUBERNETES: kubernetes.gateways_apart},
        applies=_has_objects,
    ),
    Check(
        name="tls",
        title="TLS from our own authority",
        look=everywhere(web.tls_chain),
        applies=lambda design: bool(design.frontends),
    ),
    Check(name="room", title="volumes and drives have room", look=everywhere(room.room_left)),
    Check(
        name="site",
        title="site through the balancer",
        look=everywhere(web.site_served),
        applies=_has_app("cdn"),
    ),
    Check(
        name="instances",
        title="instances on different hosts",
        look=everywhere(web.instances_apart),
        applies=_has_instances,
    ),
    Check(
        name="cache",
        title="assets cached on every edge",
        look={NATIVE: web.cached_on_every_edge},
        applies=_has_app("cdn"),
    ),
    Check(
        name="http",
        title="ETag, ranges, compression",
        look=everywhere(web.http_caching),
        applies=_has_app("cdn"),
    ),
    Check(
        name="primary",
        title="one primary, followed",
        look=everywhere(database.primary),
        applies=_has_database,
    ),
    Check(
        name="database",
        title="rows committed and read",
        look=everywhere(database.round_trip),
        applies=_has_database,
    ),
    Check(
        name="replica",
        title="replica serves reads",
        look=everywhere(database.replica_reads),
        applies=lambda design: design.database is not None and len(design.database.instances) > 1,
    ),
    Check(
        name="strangers",
        title="no password, no TLS: refused",
        look={NATIVE: database.strangers_refused},
        applies=_has_database,
    ),
    Check(
        name="archiving",
        title="the database's log in the store",
        look={NATIVE: backup.archiving},
        applies=lambda design: _has_database(design) and _has_app("backup")(design),
    ),
    Check(
        name="locked",
        title="backups locked against their writer",
        look={NATIVE: backup.locked},
        applies=lambda design: any(bucket.lock for bucket in design.buckets),
    ),
    Check(
        name="sets",
        title="backups taken in time",
        look={NATIVE: backup.sets_in_time},
        applies=takes_sets,
    ),
    Check(
        name="checked",
        title="backups whole at the last look",
        look={NATIVE: backup.checked},
        applies=takes_sets,
    ),
    Check(
        name="renditions",
        title="every rendition plays",
        look={NATIVE: media.renditions_play},
        applies=_has_app("streaming"),
    ),
    Check(
        name="live",
        title="live channel advances",
        look=everywhere(media.live_advances),
        applies=_has_live,
    ),
    Check(
        name="origins",
        title="every origin serves live",
        look={NATIVE: media.live_on_every_origin},
        applies=_has_live,
    ),
    Check(
        name="catalogue",
        title="catalogue ready everywhere",
        look={NATIVE: media.catalogue_health},
        applies=_has_app("catalogue"),
    ),
    Check(
        name="plays",
        title="plays are counted",
        look=everywhere(media.plays_counted),
        applies=_has_app("catalogue"),
    ),
    Check(
        name="dashboard",
        title="dashboard login",
        look=everywhere(web.dashboard_login),
        applies=lambda design: design.dashboard,
    ),
    Check(name="ports", title="nothing else listens", look={NATIVE: web.nothing_else_listens}),
    Check(name="nodes", title="nodes Ready, labelled, tainted", look={KUBERNETES: kubernetes.nodes}),
    Check(
        name="claims",
        title="volumes bound",
        look={KUBERNETES: kubernetes.claims},
        applies=lambda design: _has_database(design) or _has_live(design),
    ),
    Check(
        name="policies",
        title="policies let through and refuse",
        look={KUBERNETES: kubernetes.policies},
        # Nobody enforces them on a bridge: the design's findings say so (RK808).
        applies=lambda design: _has_app("cdn")(design) and _has_database(design) and has_cilium(design),
    ),
    Check(
        name="strictness",
        title="privileged pods refused",
        look={KUBERNETES: kubernetes.strictness},
        applies=_has_instances,
    ),
)


def verify(system: System, *, mark: str, checks: Sequence[Check] = CHECKS) -> tuple[Result, ...]:
    """Run every check that applies to the system's design; return the results in the table's order.

    `mark` names what the checks make for a moment. A check that breaks has observed nothing.
    """
    design = system.design
    chosen = [check for check in checks if design.platform in check.look and check.applies(design)]
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
            evidence = check.look[subject.design.platform](subject)
        outcome, seen = evidence.outcome, evidence.seen
    except Exception as error:  # noqa: BLE001 - a broken check is a result: nothing was observed
        outcome, seen = Outcome.NOT_OBSERVED, f"{type(error).__name__}: {str(error).splitlines()[0]}"
    seconds = time.monotonic() - began
    return Result(name=check.name, title=check.title, outcome=outcome, seen=seen, seconds=seconds)
