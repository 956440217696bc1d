"""Kubernetes with Rook on the lab's own servers: how long each part takes, and what it takes of the machine.

How: `up` with verification by the command a user types, from no servers, out of a mirror that is there. Where
images are still to be unpacked or ours to be built, an `up` before it does that. Then `up` again, with
nothing to do; `up` after a worker lost its power; `down`. One round, for it takes a quarter of an hour.

The playbooks are measured on the running cluster, where they change nothing, in turns: as `up` runs them,
with one Python that stays on each server, and by Ansible as it is, the floor. Both do the same tasks on the
same servers.

Where the machine's kernel has no rbd, the design is one without block storage: no database, no monitoring.

Run as root: PYTHONPATH=src python bench/cluster.py --mirror DIR [--turns 2] [--json] [--record]
Exit status 1 where a limit is passed or something fails.
"""

from __future__ import annotations

import json
import statistics
import sys
import time
from pathlib import Path
from typing import Any

import harness
from harness import FailedError, Row
from lab import GIB, lab_memory, show
from rookery.design.faults import Fault, FaultKind
from rookery.drivers.kubernetes.playbook import run_playbook
from rookery.drivers.machine import krbd
from rookery.plan.kubernetes import cluster_steps
from rookery.plan.lab_nodes import lab_node_steps
from rookery.projections.kubernetes import build_stages
from rookery.projections.kubernetes.placed import placed_items
from rookery.run.systems import find_system
from rookery.run.workspace import open_running
from rookery.systems.kubernetes.paths import ClusterPaths

LIMIT = 1800.0  # seconds for one command; past them something hangs
SPEC = f"{harness.SPEC}platform: kubernetes\n"
WITHOUT_BLOCK = """\
kubernetes: {monitoring: false}
storage: {block: {enabled: false}}
apps: {database: null, catalogue: null}
backup: null
"""


def bring_up(spec: Path, mirror: Path) -> dict[str, Any]:
    """Bring the cluster up; return the report, with the command's own seconds as `wall`."""
    done = harness.rookery("up", str(spec), "--mirror", str(mirror), "--output", "json", limit=LIMIT)
    harness.require(done)
    return {**json.loads(done.out), "wall": done.seconds}


def lose(host: str) -> None:
    """Take a server's power."""
    system = find_system(open_running(harness.NAME).design)
    system.faults.begin(Fault(kind=FaultKind.POWER, host=host))
    system.close()


def played(*, staying: bool) -> float:
    """Play the playbooks on the running cluster; return the seconds."""
    paths = ClusterPaths(name=harness.NAME)
    folder, options = paths.tree / "00-bootstrap", ("--extra-vars", f"@{paths.variables}")
    began = time.monotonic()
    run_playbook(folder, "site.yaml", lambda _: None, options=options, staying=staying)
    return time.monotonic() - began


def ids_by_title(spec: Path) -> dict[str, str]:
    design = harness.design_of(spec)
    return {
        step.title: step.id
        for step in cluster_steps(design, placed_items(build_stages(design)), made=lab_node_steps(design))
    }


def measure(mirror: Path, turns: int) -> tuple[list[Row], dict[str, tuple[int, int]]]:
    text = SPEC if krbd.is_available() else SPEC + WITHOUT_BLOCK
    with harness.spec_file(text) as spec, harness.lab_gone_after():
        ids = ids_by_title(spec)
        health = next(one for title, one in ids.items() if title.endswith("HEALTH_OK"))
        first = bring_up(spec, mirror)
        if not {"image", "image-store"}.isdisjoint(step["step"] for step in first["steps"]):
            harness.require(harness.rookery("down", harness.NAME, limit=harness.DOWN_LIMIT))
            first = bring_up(spec, mirror)
        memory = lab_memory()
        again = bring_up(spec, mirror)
        pairs = [(played(staying=True), played(staying=False)) for _ in range(turns)]
        lose("worker-a")
        lost = bring_up(spec, mirror)
        down = harness.require(harness.rookery("down", harness.NAME, limit=harness.DOWN_LIMIT))
    staying, plain = (statistics.median(times) for times in zip(*pairs, strict=True))
    nodes = harness.step_seconds(first, "network", (ids["every node: Ready"],))
    healthy = harness.step_seconds(first, "network", (health,))
    total = sum(size for _, size in memory.values())
    rows = [
        Row(name="`up` from no servers, verification included", value=first["wall"], unit="s"),
        Row(name="of it, to Ready nodes", value=nodes, unit="s"),
        Row(name="of it, from there to HEALTH_OK", value=healthy - nodes, unit="s"),
        Row(name="`up` again, nothing to do", value=again["wall"], unit="s"),
        Row(name="the playbooks again, by Ansible as it is", value=plain, unit="s"),
        Row(name="the playbooks again, as `up` runs them", value=staying, unit="s"),
        Row(name="ratio of the two", value=staying / plain, unit="", limit=0.5),
        Row(name="`up` after a lost worker", value=lost["wall"], unit="s"),
        Row(name="memory of everything (Pss)", value=total / GIB, unit="GiB"),
        Row(name="`down`", value=down.seconds, unit="s"),
    ]
    return rows, memory


def main() -> int:
    """Print the figures; return 1 where a limit is passed."""
    parser = harness.arguments(__doc__)
    parser.add_argument(
        "--mirror", type=Path, required=True, help="a folder that `rookery mirror pull` filled"
    )
    parser.add_argument("--turns", type=int, default=2, help="how often the playbooks are played, each way")
    options = parser.parse_args()
    harness.prepare()
    try:
        rows, memory = measure(options.mirror.resolve(), max(1, options.turns))
    except FailedError as error:
        print(error, file=sys.stderr)
        return 1
    return show(rows, memory, options, __file__)


if __name__ == "__main__":
    sys.exit(main())
