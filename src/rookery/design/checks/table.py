"""Every check there is: a new one is one function and one row here.

A row's `why` is its section of docs/findings.md, which is generated from this table. Codes never change
their meaning; the first digit is the subject: 1 servers, 2 daemons, 3 pools, 4 room, 5 the servers' sizes,
6 the machine of a lab, 7 networks, 8 Kubernetes (`table_kubernetes.py`), 9 what a user brings
(`table_content.py`), 0 backups (`table_backups.py`).
"""

from __future__ import annotations

from rookery.design.checks import daemons, fitting, hosts, lab, network, pools, resources, room
from rookery.design.checks.finding import Check, Finding, Remark, Severity, Subject
from rookery.design.checks.table_backups import BACKUP_CHECKS
from rookery.design.checks.table_bounds import CLUSTER_BOUNDS, NETWORK_BOUNDS
from rookery.design.checks.table_content import CONTENT_CHECKS
from rookery.design.checks.table_kubernetes import KUBERNETES_CHECKS
from rookery.design.content import Content
from rookery.design.machine import Machine
from rookery.design.model import Design

_ORDER = tuple(Severity)
_ERROR = (Severity.ERROR,)
_WARNING = (Severity.WARNING,)
_INFO = (Severity.INFO,)


CHECKS: tuple[Check, ...] = (
    *BACKUP_CHECKS,
    Check(
        code="RK101",
        severities=_ERROR,
        title="Pools want more hosts than there are",
        why="Each copy or chunk of an object goes to another host, so that losing a host takes one of "
        "them only. Where a pool keeps more than there are storage nodes, its placement groups "
        "stay incomplete and the system never becomes healthy. Add storage nodes, or keep fewer "
        "copies or chunks.",
        function=hosts.pools_without_hosts,
    ),
    Check(
        code="RK102",
        severities=_WARNING,
        title="No healing after losing a storage node",
        why="Ceph heals by making lost copies or chunks again on other hosts. Where a pool already "
        "uses every storage node there is no other, and redundancy stays reduced until the lost "
        "node is back or replaced. Add one storage node more than the pool keeps copies or "
        "chunks.",
        function=hosts.no_healing,
    ),
    Check(
        code="RK103",
        severities=_WARNING,
        title="Fewer than four storage nodes",
        why="Four storage nodes are the least that keep three copies and heal after losing a node; "
        "with fewer, either there are fewer copies or there is no healing. Use four.",
        function=hosts.few_storage_nodes,
    ),
    Check(
        code="RK104",
        severities=_WARNING,
        title="One drive in each storage node",
        why="With two drives or more, losing one leaves the node with the others, and less has to be "
        "copied. Every storage node has the same drives, so one more here is one more on each.",
        function=hosts.few_drives,
    ),
    Check(
        code="RK105",
        severities=_WARNING,
        title="Drives of unequal size",
        why="CRUSH weighs drives by their size: a drive twice as large gets twice the data and twice "
        "the requests, and becomes the slowest part. Use one size within a device class.",
        function=hosts.unequal_drives,
    ),
    Check(
        code="RK106",
        severities=_WARNING,
        title="Drives that nothing uses",
        why="All pools are placed on the device class of the first kind of drives. Drives of other "
        "classes would become OSDs that hold nothing. Use one class.",
        function=hosts.unused_drives,
    ),
    Check(
        code="RK107",
        severities=_ERROR,
        title="Drives too small for Rook",
        why="Rook asks ceph-volume which drives a node has, and it rejects what is smaller than 5 GiB "
        "(5,368,709,120 bytes): no OSD is made there. A drive of 5 GB is such a drive. It applies to "
        "platform: kubernetes only; on the native platform OSDs are made without ceph-volume.",
        function=fitting.small_drives,
    ),
    Check(
        code="RK110",
        severities=_WARNING,
        title="An even number of control planes",
        why="etcd works while more than half of its members do. An even number bears no more losses "
        "than the odd one below it, and adds one server that can fail.",
        function=hosts.even_control_planes,
    ),
    Check(
        code="RK111",
        severities=_INFO,
        title="One control plane",
        why="While the only control plane is down, applications and storage go on as they are, but "
        "nothing can be changed, moved or repaired. Three bear the loss of one.",
        function=hosts.one_control_plane,
    ),
    Check(
        code="RK112",
        severities=_ERROR,
        title="A control plane too small for Kubernetes",
        why="kubeadm checks a control plane before it starts and refuses fewer than 2 CPUs or less "
        "than 1700 MiB of memory. It applies to platform: kubernetes only.",
        function=hosts.small_control_plane,
    ),
    Check(
        code="RK113",
        severities=_ERROR,
        title="No node for operators",
        why="Control planes and storage nodes are tainted, so that nothing else runs there. Operators, "
        "cert-manager and monitoring tolerate no taint: they need a worker, or storage nodes that are "
        "workers too. It applies to platform: kubernetes only.",
        function=fitting.no_open_node,
    ),
    Check(
        code="RK120",
        severities=_WARNING,
        title="An application on one host",
        why="A component of an application whose instances are all on one host stops with that host. "
        "Give it a second worker, and let it use both. etcd is not meant: without it the database "
        "goes on, and one control plane is RK111.",
        function=hosts.apps_on_one_host,
    ),
    Check(
        code="RK201",
        severities=_WARNING,
        title="Fewer than three monitors",
        why="Monitors decide by majority. One or two of them have no majority left after losing one, "
        "and without it all I/O stops. Use three.",
        function=daemons.few_mons,
    ),
    Check(
        code="RK202",
        severities=_WARNING,
        title="An even number of monitors",
        why="An even number of monitors bears no more losses than the odd one below it. Use 3, or 5 "
        "for large systems.",
        function=daemons.even_mons,
    ),
    Check(
        code="RK203",
        severities=_ERROR,
        title="More monitors than storage nodes",
        why="Monitors listen on fixed ports (3300, 6789), so two do not fit on one host; and if they "
        "did, one loss would take both and perhaps the majority. Use at most as many as there are "
        "storage nodes.",
        function=daemons.crowded_mons,
    ),
    Check(
        code="RK204",
        severities=_WARNING,
        title="One manager",
        why="Reads and writes need no manager. The dashboard, balancing, figures and the making of "
        "volumes do. A second one takes over within seconds.",
        function=daemons.few_mgrs,
    ),
    Check(
        code="RK205",
        severities=_ERROR,
        title="More managers than storage nodes",
        why="Managers listen on a fixed port (the dashboard's), so two do not fit on one host.",
        function=daemons.crowded_mgrs,
    ),
    Check(
        code="RK206",
        severities=_WARNING,
        title="No metadata server stands by",
        why="A file system stops while one of its ranks has no metadata server. A standby takes the "
        "rank over within seconds; without one, the file system waits for the lost server. It "
        "applies where storage.file is on.",
        function=daemons.no_standby_mds,
    ),
    Check(
        code="RK207",
        severities=(*_ERROR, *_WARNING),
        title="More metadata servers than storage nodes",
        why="Two metadata servers on one host are lost together, perhaps the active one with its "
        "standby. Use at most as many as there are storage nodes. On Kubernetes it is an error: no two of "
        "them share a host there, so those that are too many would wait for good.",
        function=daemons.crowded_mds,
    ),
    Check(
        code="RK208",
        severities=_WARNING,
        title="One gateway",
        why="Object storage is reached through its gateways. The load balancer leads around a lost "
        "one only where there is another. It applies where storage.object is on.",
        function=daemons.few_gateways,
    ),
    Check(
        code="RK209",
        severities=_ERROR,
        title="More gateways than storage nodes",
        why="Gateways listen on a fixed port, so two do not fit on one host.",
        function=daemons.crowded_gateways,
    ),
    Check(
        code="RK210",
        severities=_ERROR,
        title="Standbys that Rook does not start",
        why="Rook's file system has a switch for standbys, `activeStandby`, and no number: with it there are "
        "twice as many metadata servers as active ones, without it there is none that stands by. On "
        "platform: kubernetes the number of standbys is that of the active ones, or 0.",
        function=daemons.other_standbys,
    ),
    Check(
        code="RK301",
        severities=_ERROR,
        title="One copy of the data",
        why="With one copy, the first drive that fails loses data. Ceph refuses such pools unless "
        "forced. Use three copies.",
        function=pools.single_copies,
    ),
    Check(
        code="RK302",
        severities=_WARNING,
        title="Two copies of the data",
        why="With two copies, writes go on with one after a loss. What is written then is in one "
        "place: a second failure, or the return of the older copy, loses it. Use three copies.",
        function=pools.two_copies,
    ),
    Check(
        code="RK303",
        severities=_WARNING,
        title="One coding chunk",
        why="With m=1 Ceph goes on writing when k chunks are left, which is what remains after losing any "
        "one host. Nothing is to spare then: the next loss loses what was written meanwhile. Use m=2.",
        function=pools.one_coding_chunk,
    ),
    Check(
        code="RK401",
        severities=_INFO,
        title="How much may be stored",
        why="Healing needs room: what was on the lost drive or node has to fit on the others. The "
        "finding names the amount of data that still fits under nearfull (85 %, where health "
        "warns) afterwards, and where backfillfull (90 %, healing stops) and full (95 %, writing "
        "stops) would be reached. It counts data as users store it, in the mix of pools that the "
        "design expects, without what BlueStore takes for itself.",
        function=pools.safe_amount,
    ),
    Check(
        code="RK402",
        severities=(*_ERROR, *_WARNING),
        title="More is promised than may be stored",
        why="Volumes and claims take space when they are written, and promise it before. What may be "
        "stored is what fits under nearfull (85 %) after replication or coding. A single volume that "
        "is larger could never be filled (an error); all of them together being larger works until "
        "that much is written (a warning): at 95 % every write of everybody stops.",
        function=room.promised_space,
    ),
    Check(
        code="RK403",
        severities=_WARNING,
        title="A small volume",
        why="A file system, a database's first files and its write-ahead log take their part of a volume "
        "whatever is stored. The log's limit follows the volume (a quarter of it); below 4 GB little is "
        "left, and a database whose volume is full stops.",
        function=room.small_volumes,
    ),
    Check(
        code="RK501",
        severities=(*_ERROR, *_WARNING),
        title="Not enough memory on a server",
        why="What runs on a server has to fit in its memory, or its daemons are killed: an error "
        "where not even the least they need fits, a warning where it fits but what they are given "
        "does not. On Kubernetes every pod that lands on a node is counted by what it requests: daemons, "
        "what Rook starts beside them, the pods of every node, operators, monitoring, applications. Pods may "
        "have what a server shows of its memory (95 % of it, for its kernel keeps some), less 512 MiB for "
        "the system and kubelet. A storage node keeps room for one daemon of each kind, so that wherever the "
        "scheduler puts them, each finds a place, also after a node was lost. What fits on no node is an "
        "error.",
        function=resources.short_memory,
    ),
    Check(
        code="RK502",
        severities=_WARNING,
        title="Less memory than Ceph recommends",
        why="Ceph recommends 1 GiB for a monitor, 1 GiB for a manager, 4 GiB for an OSD (2 GiB at the "
        "least), 4 GiB for a metadata server and 1 GiB for a gateway. With less, caches are "
        "small: light loads work, heavy ones are slow. A storage node in production would have 8 "
        "CPU and 16 GiB.",
        function=resources.below_recommended_memory,
    ),
    Check(
        code="RK503",
        severities=_WARNING,
        title="Fewer CPUs than the daemons may use",
        why="Rook's chart asks for one CPU for each monitor, OSD, metadata server and gateway and "
        "half a one for a manager. With fewer, they wait for each other under load and while "
        "healing, which is when it matters.",
        function=resources.short_cpus,
    ),
    Check(
        code="RK504",
        severities=_ERROR,
        title="Pods that no node has CPUs for",
        why="A pod is placed where its requests of CPU are free. Daemons request less where a node has few "
        "CPUs, but not less than 50m each. What fits on no node would wait for good. It applies to "
        "platform: kubernetes only.",
        function=fitting.short_node_cpus,
    ),
    Check(
        code="RK601",
        severities=_ERROR,
        title="Too little memory on this machine for the lab",
        why="The sum of what each daemon and each instance was measured to take on a small, lightly "
        "loaded lab has to be available on the machine. It is far less than the design's servers "
        "have, because nothing is reserved.",
        function=lab.scarce_memory,
    ),
    Check(
        code="RK602",
        severities=(*_ERROR, *_WARNING),
        title="Too little disk on this machine for the lab",
        why="The lab's drives are sparse files: they take what is written, not what they promise. An "
        "error where not even an empty lab fits, a warning where the drives could grow past what "
        "is free.",
        function=lab.scarce_disk,
    ),
    Check(
        code="RK603",
        severities=_INFO,
        title="Servers share this machine's CPUs",
        why="The lab's servers may together have more CPUs than the machine. Everything works, but "
        "speeds measured there are those of one machine and not of seven.",
        function=lab.shared_cpus,
    ),
    Check(
        code="RK701",
        severities=_ERROR,
        title="Networks overlap each other",
        why="The public and the cluster network have to be apart, or a server cannot tell through "
        "which an address is reached.",
        function=network.overlapping_networks,
    ),
    Check(
        code="RK702",
        severities=_ERROR,
        title="A network is taken on this machine",
        why="A lab's network must not overlap one that the machine already routes, or one of the two "
        "is out of reach. The default route does not count, nor do the routes of the lab itself.",
        function=network.taken_networks,
    ),
    Check(
        code="RK703",
        severities=(*_ERROR, *_WARNING),
        title="A network that is not ours to use",
        why="Addresses set aside for loopback, link-local use or multicast do not work for servers "
        "(an error); addresses that belong to others on the internet hide their owners (a "
        "warning). Use a part of 10.0.0.0/8, 172.16.0.0/12 or 192.168.0.0/16.",
        function=network.unfit_networks,
    ),
    Check(
        code="RK704",
        severities=_INFO,
        title="Traffic is not encrypted",
        why="Ceph's msgr2 protocol protects its messages against errors by default, and against "
        "readers in secure mode. Turn it on where others share the network.",
        function=network.readable_traffic,
    ),
    *NETWORK_BOUNDS,
    *KUBERNETES_CHECKS,
    *CLUSTER_BOUNDS,
    *CONTENT_CHECKS,
)


def check_design(
    design: Design, machine: Machine | None = None, content: tuple[Content, ...] = ()
) -> tuple[Finding, ...]:
    """Return all findings on `design`, errors first, each severity in the table's order.

    `machine` adds the checks that need the machine a lab is to run on, `content` those of what a user brings.
    """
    subject = Subject(design=design, machine=machine, content=content)
    findings = [_finding(check, remark) for check in CHECKS for remark in check.function(subject)]
    return tuple(sorted(findings, key=lambda finding: _ORDER.index(finding.severity)))


def _finding(check: Check, remark: Remark) -> Finding:
    assert remark.severity in check.severities, (
        f"{check.code} gives {remark.severity}; its row does not say so"
    )
    return Finding(
        code=check.code,
        severity=remark.severity,
        path=remark.path,
        message=remark.message,
        hint=remark.hint,
    )
