"""The first `up` on a machine: nothing is cached, the servers' root image is built on the way.

ROOKERY_HOME is a fresh folder, so there is neither image nor lab. Reported are the seconds of the step that
builds the image, which a mirror's speed decides, and the rest of the process's wall clock, verification
included, which has the limit. The folder is removed at the end, after a look that nothing is mounted in it.

Run as root: PYTHONPATH=src python bench/first_up.py [--folder /var/tmp] [--json] [--record]
"""

from __future__ import annotations

import shutil
import sys
import tempfile
from pathlib import Path

import harness
from harness import FailedError, Row
from rookery.drivers.machine.mounts import mount_points, unmount

REST_LIMIT = 60.0
FIRST_LIMIT = 1800.0  # seconds; a slow mirror is slow, not broken


def measure(folder: Path) -> list[Row]:
    """Bring the lab up from nothing below `folder`, and down again."""
    environment = {"ROOKERY_HOME": str(folder)}
    with harness.spec_file() as spec, harness.lab_gone_after(environment):
        done, report = harness.up(spec, environment, limit=FIRST_LIMIT)
    build = harness.step_seconds(report, "image", ("image",))
    return [
        Row(name="first `up` with verification", value=done.seconds, unit="s"),
        Row(name="image build in it", value=build, unit="s"),
        Row(name="all but the image build", value=done.seconds - build, unit="s", limit=REST_LIMIT),
    ]


def remove(folder: Path) -> None:
    """Remove the folder. An interrupted build may have mounted /dev or /proc below it: those go first, and
    nothing is deleted while one of them is left."""
    for point in mount_points(folder):
        unmount(point)
    if left := mount_points(folder):
        raise FailedError(f"still mounted, so nothing below {folder} is deleted: {', '.join(map(str, left))}")
    shutil.rmtree(folder)


def main() -> int:
    """Print the figures; return 1 where the limit is passed or something failed."""
    parser = harness.arguments(__doc__)
    parser.add_argument("--folder", default="/var/tmp", help="an ordinary file system with 3 GB free")
    options = parser.parse_args()
    harness.prepare()
    folder = Path(tempfile.mkdtemp(prefix="rookery-first-up-", dir=options.folder))
    try:
        return harness.conclude(lambda: measure(folder), options, __file__)
    finally:
        remove(folder)


if __name__ == "__main__":
    sys.exit(main())
