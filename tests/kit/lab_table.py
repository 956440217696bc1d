"""The labs of the tests: a row for each, in the order in which they are brought up.

A test says by its mark on which it is (`pytest.mark.on("default")`); all that are on one share it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

DEFAULT = "pattern: production-minimum\n"


@dataclass(frozen=True, kw_only=True)
class LabRow:
    """A lab: its spec but for its name, what lies beside that, and the worker that has it (decision 0032)."""

    spec: str
    beside: Mapping[str, str] = field(default_factory=dict)
    worker: str = "labs"


# Their names have no dash: xdist finds them in the names of tests, before whatever else is in brackets there.
LABS: Mapping[str, LabRow] = {
    # One drive a node and a small volume, which grows.
    "database": LabRow(
        spec="hosts: {storage: {drives: [{count: 1, size: 20GB}]}}\napps: {database: {volume: 10GB}}\n"
    ),
    # The default design; tests that change it come last.
    "default": LabRow(spec=DEFAULT),
    # The same again: what tests of backups take and lose is half of all that labs take.
    "backup": LabRow(spec=DEFAULT, worker="other labs"),
    # The least that has backups of every kind. Another lab has their copies, and it is destroyed as a whole.
    "lost": LabRow(
        spec="""\
hosts:
  controlPlane: {count: 0}
  workers: {count: 0}
  storage: {count: 3, also: [worker, control-plane], cpus: 4, memory: 16GiB, drives: [{count: 1, size: 20GB}]}
storage:
  mons: 1
  mgrs: 1
  dashboard: false
  block: {enabled: true}
  file: {enabled: true, mds: {active: 1, standby: 0}}
  object: {gateways: 1}
apps: {database: {}, cdn: {}}
backup: {}
""",
        worker="other labs",
    ),
    # The default design with the release of Ceph before it.
    "former": LabRow(spec=f'{DEFAULT}storage: {{ceph: "18"}}\n', worker="other labs"),
    # Killed while it comes up, again and again.
    "kill": LabRow(spec=DEFAULT, worker="other labs"),
    # Erasure codes everywhere, encryption, a second network, two device classes, the user's own site.
    "coded": LabRow(
        spec="""\
pattern: object-heavy
network:
  encryption: true
  cluster: 10.127.8.0/24
storage:
  block: {enabled: true, pool: {erasureCoding: {k: 2, m: 2}}}
  file: {enabled: true, pool: {erasureCoding: {k: 2, m: 1}}, mds: {active: 2, standby: 1}}
hosts:
  storage:
    drives:
      - {count: 1, size: 20GB, class: ssd}
      - {count: 1, size: 30GB, class: hdd}
apps:
  cdn: {site: ./site}
""",
        beside={
            "site/index.html": "<html><title>ours</title>our own page</html>",
            "site/ein Brief.txt": "names may have spaces",
            "site/.hidden": "not for visitors",
        },
        worker="other labs",
    ),
    # Three servers that do everything; it is brought up beside "coded".
    "compact": LabRow(spec="pattern: compact\n", worker="other labs"),
}


def worker_of(test: str) -> str:
    """Return which worker has the lab of a test, by the test's name; empty where it is on none.

    xdist tells who gets a test by its name alone. `tests/lab/conftest.py` puts the lab's into brackets there.
    """
    path, _, rest = test.partition("::")
    name = rest.partition("[")[2].rstrip("]").partition("-")[0]
    return LABS[name].worker if path.startswith("tests/lab/") and name in LABS else ""
