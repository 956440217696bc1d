"""Labs for tests: real servers, brought up by the command a user types."""

from __future__ import annotations

import atexit
import functools
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rookery.systems.lab.leftovers import find_leftovers
from rookery.systems.lab.paths import LabPaths
from tests.kit.lab_table import LABS

SOURCE = Path(__file__).parents[2] / "src"
UP_LIMIT = 1500  # seconds; the first one on a machine builds the image


@dataclass(frozen=True, kw_only=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    @property
    def data(self) -> Any:
        return json.loads(self.out)

    @property
    def trouble(self) -> str:
        """What to read first where `up` did not end well: the checks that failed, else all it said."""
        if self.code == 4:  # verification failed; the rest of a long report hides which check it was
            failed = [one for one in self.data["verify"]["checks"] if one["outcome"] != "pass"]
            return json.dumps(failed, indent=1)
        return self.err + self.out


# Users may close whatever they make to others, and have files made where nobody else may go: servers have to
# come out the same.
STRICTEST = 0o077


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(SOURCE), "COLUMNS": "100", "TMPDIR": _closed_folder()}


@functools.cache
def _closed_folder() -> str:
    """Return a folder that only its owner may enter."""
    folder = tempfile.mkdtemp(prefix="test-closed-")
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def rookery(*arguments: str, limit: float = UP_LIMIT) -> Done:
    """Run the program as a user does and wait for it."""
    done = subprocess.run(
        (sys.executable, "-m", "rookery", *arguments),
        capture_output=True,
        text=True,
        timeout=limit,
        check=False,
        env=environment(),
        stdin=subprocess.DEVNULL,
        umask=STRICTEST,
    )
    return Done(code=done.returncode, out=done.stdout, err=done.stderr)


NOTHING_HAPPENS_LIMIT = 300.0  # seconds


def kill_up(spec: Path, here: Callable[[str], bool], *, then_seconds: float) -> None:
    """Start `up`, and kill it some seconds after it said a line that is `here`."""
    process = subprocess.Popen(
        (sys.executable, "-m", "rookery", "up", str(spec)),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=environment(),
        umask=STRICTEST,
    )
    assert process.stderr is not None
    deadline = time.monotonic() + NOTHING_HAPPENS_LIMIT
    for line in process.stderr:
        if here(line) or time.monotonic() > deadline:
            break
    time.sleep(then_seconds)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(timeout=30)
    process.stderr.close()


@dataclass(frozen=True, kw_only=True)
class Lab:
    """A lab that runs, and what `up` said of it."""

    name: str
    spec: Path
    arrival: Any

    @property
    def url(self) -> str:
        return str(next(e["url"] for e in self.arrival["endpoints"] if e["name"] == "site"))

    @property
    def ca(self) -> str:
        return str(LabPaths(name=self.name).ca)


def write_spec(folder: Path, name: str, text: str) -> Path:
    path = folder / f"{name}.yaml"
    path.write_text(f"apiVersion: rookery/v1\nname: {name}\n{text}")
    return path


def bring_up(folder: Path, row: str, *, spec_text: str = "") -> Iterator[Lab]:
    """Bring a lab of the table up, hand it out, take it down, and see that nothing is left; `spec_text` takes
    the place of its spec."""
    name = f"test-{row}"
    for path, text in LABS[row].beside.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    spec = write_spec(folder, name, spec_text or LABS[row].spec)
    try:
        done = rookery("up", str(spec), "--output", "json")
        assert done.code == 0, done.trouble
        yield Lab(name=name, spec=spec, arrival=done.data)
    finally:
        gone = rookery("down", name)
    assert gone.code == 0, gone.out + gone.err
    assert find_leftovers(LabPaths(name=name)) == ()
