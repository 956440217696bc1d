"""What the measurements share: running `rookery` with a time limit, a lab of their own, results, records."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import figures
from rookery.design.model import Design
from rookery.run.workspace import open_spec
from rookery.systems.lab.paths import CGROUP_ROOT

NAME = "bench"
SPEC = f"apiVersion: rookery/v1\npattern: production-minimum\nname: {NAME}\n"
# The same servers with the CDN alone: what is compared with a Ceph that has no application beside it.
BARE_SPEC = f"{SPEC}apps: {{database: null, streaming: null, catalogue: null}}\nbackup: null\n"
CHECKOUT = Path(__file__).parents[1]
UP_LIMIT, DOWN_LIMIT = 300.0, 60.0  # seconds; past them something hangs, which is no measurement


@dataclass(frozen=True, slots=True, kw_only=True)
class Done:
    """A command that ended; `code` is None where its time ran out. `seconds` is the process's wall clock."""

    argv: tuple[str, ...]
    code: int | None
    out: str
    err: str
    seconds: float

    def tail(self, lines: int = 25) -> str:
        """What it said last, for a person who looks why it failed."""
        ended = "ran out of time" if self.code is None else f"exit status {self.code}"
        said = [*self.out.splitlines()[-lines:], *self.err.splitlines()[-lines:]]
        return "\n".join((f"{' '.join(self.argv)}: {ended}", *(f"  {line}" for line in said)))


class FailedError(Exception):
    """A measurement that cannot go on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One measured figure with its limit; `limit` is None for a figure that only informs."""

    name: str
    value: float
    unit: str
    limit: float | None = None
    at_least: bool = False

    @property
    def ok(self) -> bool:
        if self.limit is None:
            return True
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def arguments(doc: str | None) -> argparse.ArgumentParser:
    """Return the parser that every measurement begins with; `doc` is its docstring."""
    parser = argparse.ArgumentParser(description=(doc or "").partition("\n")[0])
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument(
        "--record",
        nargs="?",
        const="",
        metavar="NOTE",
        help="keep the figures in docs/figures, and in docs/figures.md; NOTE says under which conditions",
    )
    return parser


def launcher() -> tuple[str, ...]:
    """How a person starts the program: by the launcher where there is one."""
    script = CHECKOUT / "rookery"
    return (str(script),) if os.access(script, os.X_OK) else (sys.executable, "-m", "rookery")


def run(argv: Sequence[str], *, limit: float, environment: dict[str, str] | None = None) -> Done:
    """Run a command to its end, or end it with its children at the limit."""
    path = os.pathsep.join(filter(None, (str(CHECKOUT / "src"), os.environ.get("PYTHONPATH"))))
    began = time.monotonic()
    process = subprocess.Popen(
        argv,
        # Where no folder is called like the lab: `down NAME` would take it for a spec's.
        cwd="/",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        errors="replace",
        env={**os.environ, **(environment or {}), "PYTHONPATH": path},
        encoding="utf-8",
    )
    code: int | None
    try:
        out, err = process.communicate(timeout=limit)
        code = process.returncode
    except subprocess.TimeoutExpired:
        out, err = _end(process)
        code = None
    except BaseException:
        _end(process)
        raise
    return Done(argv=tuple(argv), code=code, out=out, err=err, seconds=time.monotonic() - began)


def _end(process: subprocess.Popen[str]) -> tuple[str, str]:
    """Ask a process to end, then insist; what it said comes back."""
    process.terminate()
    try:
        return process.communicate(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
    try:
        return process.communicate(timeout=5)
    except subprocess.TimeoutExpired:
        # A child of it still holds the pipe.
        return "", "(its output is held open by a child)"


def rookery(*words: str, limit: float, environment: dict[str, str] | None = None) -> Done:
    return run((*launcher(), *words), limit=limit, environment=environment)


def require(done: Done) -> Done:
    """Return a command that succeeded; raise FailedError with its last words for another."""
    if done.code != 0:
        raise FailedError(done.tail())
    return done


def prepare() -> None:
    """Require root, and let an end from outside pass through every `finally`."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if os.geteuid() != 0:
        raise SystemExit("a lab needs root: run it with sudo")


def require_image(*releases: str) -> None:
    """Build the servers' images of releases of Ceph, by default the default's, where they are missing, so
    that what is measured later is warm."""
    from rookery.releases import DEFAULT_RELEASE
    from rookery.systems.native.root import ensure_image

    for release in releases or (DEFAULT_RELEASE,):
        ensure_image(release, lambda text: print(text, file=sys.stderr))


def spec_with(release: str) -> str:
    """Return the spec of the default seven servers with a release of Ceph."""
    return f'{SPEC}storage: {{ceph: "{release}"}}\n'


@contextlib.contextmanager
def spec_file(text: str = SPEC) -> Iterator[Path]:
    """A spec of the default seven servers under the measurements' own name."""
    with tempfile.TemporaryDirectory(prefix="rookery-bench-") as folder:
        path = Path(folder) / f"{NAME}.yaml"
        path.write_text(text, encoding="utf-8")
        yield path


@contextlib.contextmanager
def lab_gone_after(environment: dict[str, str] | None = None) -> Iterator[None]:
    """Whatever happens inside, no lab of ours is left; one of an earlier run is removed first."""
    earlier = rookery("down", NAME, limit=DOWN_LIMIT, environment=environment)
    if not _is_gone(earlier):
        raise FailedError(earlier.tail())
    try:
        yield
    finally:
        done = rookery("down", NAME, limit=DOWN_LIMIT, environment=environment)
        if not _is_gone(done):
            print(done.tail(), file=sys.stderr)


def _is_gone(down: Done) -> bool:
    """Tell whether `down` left nothing; that there never was anything is an error only to a person."""
    return down.code == 0 or (down.code == 2 and f"there is no system {NAME} " in down.err)


def up(
    spec: Path, environment: dict[str, str] | None = None, *, limit: float = UP_LIMIT
) -> tuple[Done, dict[str, Any]]:
    """Bring the lab up, verification included; return the command and the JSON that it printed."""
    done = rookery("up", str(spec), "--output", "json", limit=limit, environment=environment)
    try:
        found = json.loads(done.out)
    except ValueError:
        found = {}  # it ended before it had anything to report
    if done.code != 0:
        raise FailedError("\n".join((*_not_passed(found), done.tail())))
    assert isinstance(found, dict)
    return done, found


def _not_passed(report: dict[str, Any]) -> list[str]:
    """Return the checks that did not pass, each with what it saw: the report's last lines show others."""
    checks = report.get("verify", {}).get("checks", ())
    return [f"{c['title']}: {c['outcome']}: {c['seen']}" for c in checks if c["outcome"] != "pass"]


def design_of(spec: Path) -> Design:
    return open_spec(str(spec)).design


def step_seconds(report: dict[str, Any], first: str, last: tuple[str, ...]) -> float:
    """Seconds from the begin of the first step whose id starts with `first` to the end of all of `last`."""
    steps = report["steps"]
    began = min(step["from"] for step in steps if step["step"].startswith(first))
    ended = max(step["to"] for step in steps if step["step"] in last)
    return float(ended) - float(began)


@dataclass(frozen=True, slots=True, kw_only=True)
class Process:
    """A process of a server: its command line, and the CPU time that its threads took so far."""

    pid: int
    parent: int
    command: str
    cpu_seconds: float


def processes(cgroup: str) -> list[Process]:
    """Return the processes of a server, by its cgroup."""
    folder = next(path for path in _hierarchies(cgroup) if (path / "cgroup.procs").exists())
    found = []
    for pid in map(int, (folder / "cgroup.procs").read_text(encoding="utf-8").split()):
        with contextlib.suppress(OSError):  # it ended meanwhile
            command = (
                Path(f"/proc/{pid}/cmdline")
                .read_text(errors="replace", encoding="utf-8")
                .replace("\0", " ")
                .strip()
            )
            # After the name in parentheses, which may hold anything: state, parent, ..., utime, stime.
            fields = (
                Path(f"/proc/{pid}/stat")
                .read_text(errors="replace", encoding="utf-8")
                .rpartition(")")[2]
                .split()
            )
            ticks = int(fields[11]) + int(fields[12])
            seconds = ticks / os.sysconf("SC_CLK_TCK")
            found.append(Process(pid=pid, parent=int(fields[1]), command=command, cpu_seconds=seconds))
    return found


def cpu_seconds(cgroup: str) -> float:
    """Return the CPU time that everything in a cgroup took so far, what ended included."""
    for folder in _hierarchies(cgroup):
        with contextlib.suppress(OSError):
            return int((folder / "cpuacct.usage").read_text(encoding="utf-8")) / 1e9
        with contextlib.suppress(OSError):
            words = (folder / "cpu.stat").read_text(encoding="utf-8").split()
            return int(words[words.index("usage_usec") + 1]) / 1e6
    raise FailedError(f"nothing counts the CPU time of {cgroup}")


def _hierarchies(cgroup: str) -> list[Path]:
    """Return where a cgroup may be: where cgroup v1 counts CPU time, or in v2's only hierarchy."""
    return [CGROUP_ROOT / kind / cgroup.lstrip("/") for kind in ("cpuacct", "cpu,cpuacct", "")]


def table(rows: Iterable[Row]) -> str:
    """Return the figures as a Markdown table."""
    lines = ["| what | measured | limit | ok |", "| --- | ---: | ---: | --- |"]
    for row in rows:
        sign = ">=" if row.at_least else "<="
        limit = "" if row.limit is None else f"{sign} {row.limit:g} {row.unit}".rstrip()
        verdict = "" if row.limit is None else ("yes" if row.ok else "**no**")
        lines.append(f"| {row.name} | {row.value:.2f} {row.unit}".rstrip() + f" | {limit} | {verdict} |")
    return "\n".join(lines)


def data(rows: Iterable[Row]) -> list[dict[str, Any]]:
    """Return the figures for JSON."""
    return [
        {
            "what": row.name,
            "measured": round(row.value, 3),
            "unit": row.unit,
            "limit": row.limit,
            "atLeast": row.at_least,
            "ok": row.ok,
        }
        for row in rows
    ]


def tell(rows: Sequence[Row], options: argparse.Namespace, program: str) -> None:
    """Print the figures as the options want them, and record them where these say so."""
    print(json.dumps(data(rows), indent=1) if options.json else table(rows))
    record(rows, options, program)


def conclude(measure: Callable[[], Sequence[Row]], options: argparse.Namespace, program: str) -> int:
    """Measure and tell the figures; return 1 where a limit is passed or something failed."""
    try:
        rows = measure()
    except FailedError as error:
        print(error, file=sys.stderr)
        return 1
    tell(rows, options, program)
    return 0 if all(row.ok for row in rows) else 1


def record(
    rows: Sequence[Row], options: argparse.Namespace, program: str, *, folder: Path = figures.FOLDER
) -> None:
    """Keep what a program (its file) measured in `folder`, in place of its last record.

    Nothing is kept without `--record`.
    """
    if options.record is None:
        return
    path = folder / f"{Path(program).stem}.json"
    content = {
        "benchmark": f"bench/{Path(program).name}",
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": _commit(),
        "machine": _machine(),
        "transcribed": "",
        "notes": [options.record] if options.record else [],
        "rows": data(rows),
    }
    path.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"{path} is written", file=sys.stderr)
    if folder == figures.FOLDER:
        figures.main()


def _commit() -> str:
    """Return the commit that is measured, marked where files differ from it."""
    # Root measures what somebody else may own, which git refuses unless it is told.
    argv = ("git", "-c", "safe.directory=*", "describe", "--always", "--dirty", "--exclude=*", "--abbrev=7")
    done = subprocess.run(argv, cwd=CHECKOUT, capture_output=True, text=True, check=False, encoding="utf-8")
    return done.stdout.strip() or "unknown"


def _machine() -> str:
    """Return what the machine is: its system, cores and memory."""
    release = Path("/etc/os-release").read_text(encoding="utf-8")
    name = re.search(r'^PRETTY_NAME="?([^"\n]*)', release, re.MULTILINE)
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return f"{name[1] if name else 'Linux'}, {os.cpu_count()} cores, {total:.0f} GiB of memory"
