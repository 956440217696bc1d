"""What the schedule starts: it leaves the system to who uses it, ends with it, and hurries when awaited."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from rookery.apps.backup.guest.backups.gently import at_once, run

# Counts its turns of 10 ms: of those that it could have taken in its time, and did not, it was stopped.
WORK = "import sys, time\nfor _ in range(int(sys.argv[1])): time.sleep(0.01)\nsys.exit(3)"
RUN = (
    "import sys; from pathlib import Path; from rookery.apps.backup.guest.backups.gently import run;"
    " run((sys.executable, '-c', sys.argv[1]), Path(sys.argv[2]))"
)


def timed(waited_for: Path, turns: int) -> float:
    began = time.monotonic()
    assert run((sys.executable, "-c", WORK, str(turns)), waited_for) == 3
    return time.monotonic() - began


def test_it_rests_most_of_the_time_until_somebody_waits(tmp_path: Path) -> None:
    waited_for = tmp_path / "waited"
    gently = timed(waited_for, 60)
    assert gently > 1.5
    waited_for.touch()
    os.utime(waited_for, (time.time() + 60, time.time() + 60))
    assert timed(waited_for, 60) < gently


def test_nobody_is_stopped_while_the_moments_of_a_set_are_taken(tmp_path: Path) -> None:
    moment = tmp_path / "moment"
    took = []
    for held in (True, False):
        began = time.monotonic()
        with at_once(moment) if held else contextlib.nullcontext():
            run((sys.executable, "-c", WORK, "60"), tmp_path / "waited", moment)
        took.append(time.monotonic() - began)
    assert took[0] < took[1]
    assert took[1] > 1.5
    assert not moment.exists()


def test_one_that_was_awaited_earlier_rests_again(tmp_path: Path) -> None:
    waited_for = tmp_path / "waited"
    waited_for.touch()
    os.utime(waited_for, (1, 1))
    assert timed(waited_for, 60) > 1.5


def test_what_is_stopped_ends_with_who_started_it(tmp_path: Path) -> None:
    note = tmp_path / "pid"
    work = f"import os, time; open({str(note)!r}, 'w').write(str(os.getpid())); time.sleep(60)"
    process = subprocess.Popen((sys.executable, "-c", RUN, work, str(tmp_path / "waited")))
    limit = time.monotonic() + 20
    while not (note.exists() and note.read_text()) and time.monotonic() < limit:
        time.sleep(0.05)
    process.send_signal(signal.SIGKILL)
    process.wait()
    pid = int(note.read_text())
    while Path(f"/proc/{pid}").exists() and _state(pid) != "Z" and time.monotonic() < limit:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists() or _state(pid) == "Z"


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return "Z"
