"""A server between two releases of Ceph: the next one's image beside its own root, and who runs by it.

A server keeps the root that it started with; the next release's image lies beside it (`NEXT`), to be read
only. A program that was moved sees that image's /usr in place of the server's own (guest/in-release). Which
ones are to is a list on the server's own disk, so that a server that is lost in between comes back as it was;
which ones do is what each program notes when it starts (guest/run-program).
"""

from __future__ import annotations

from pathlib import Path

NEXT = "/opt/rookery/next"
MOVED = "etc/rookery/moved"
# What is in the list for commands that are run on a server by hand, or by an agent.
COMMANDS = "commands"
_MARKS = "run/programs"
_BY_NEXT = "next"


def root_of(pid: int) -> Path:
    """Return the root of the server whose first process has `pid` on the machine."""
    return Path(f"/proc/{pid}/root")


def sees_next(pid: int) -> bool:
    """Tell whether a server sees the next release's image."""
    return (root_of(pid) / NEXT.lstrip("/") / "usr").is_dir()


def read_moved(root: Path) -> tuple[str, ...]:
    """Return the programs of a server that are to run by the next release, and `COMMANDS` where those are.

    `root` is the server's, as it is mounted on the machine or as the server sees it.
    """
    try:
        return tuple((root / MOVED).read_text(encoding="utf-8").split())
    except OSError:
        return ()


def began_by_next(pid: int, program: str) -> bool:
    """Tell whether a program of a server was started by the next release last."""
    try:
        mark = (root_of(pid) / _MARKS / program).read_text(encoding="utf-8")
    except OSError:
        return False
    return mark.strip() == _BY_NEXT
