"""A PostgreSQL of its own, made of a base backup and the log after it, up to a target: reached by a socket in
its folder only, and archiving nowhere.

What is left of one that was killed is ended and removed by the next in the same folder.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

from . import barman, fetch
from .database_archive import Base
from .errors import BackupError
from .kind import Work
from .tools import run

PORT = 5433
"""A socket's name has a port in it; nothing listens on one."""

_FETCH_LIMIT, _REPLAY_LIMIT, _END_LIMIT = 6 * 3600.0, 6 * 3600.0, 120.0  # seconds
_LOOK = 0.1
_LINES = 8
_SPARE = 512 << 20  # bytes that stay free beside it
_LOG_ROOM = 256 << 20  # bytes of log that it keeps
_TOO_SHORT = "recovery ended before configured recovery target was reached"


class Recovery:
    """One in a folder: `data` is its PGDATA there, and the folder its socket's. `lasting` says whether it is
    to be used in earnest, so that everything is flushed."""

    def __init__(self, work: Work, folder: Path, *, lasting: bool) -> None:
        self._work = work
        self._told = work.told.config["database"]
        self._lasting = lasting
        self.folder = folder
        self.data = folder / "data"

    def require_room(self, base: Base) -> str:
        """Say how much room it takes and how much there is; raises BackupError where that is too little."""
        wanted = base.whole * 11 // 10 + _LOG_ROOM + _SPARE
        place = self.folder
        while not place.exists():
            place = place.parent
        free = shutil.disk_usage(place).free
        said = f"{_in_mib(wanted)} wanted, {_in_mib(free)} free at {place}"
        if free < wanted:
            raise BackupError(
                f"there is no room to restore the database: {said}",
                hint="Nothing was changed. Make room there, or restore where there is more.",
                kind="not-possible",
            )
        return said

    def make(self, base: Base, target: Mapping[str, str]) -> None:
        """Fetch a base backup, replay the log up to the target, and serve from there on.

        Raises BackupError where the target is not reached: nothing serves then.
        """
        self.remove()
        self.folder.mkdir(parents=True)
        shutil.chown(self.folder, self._told["owner"], self._told["owner"])
        self.folder.chmod(0o700)
        self._work.report(f"database: base backup {base.id}, {_in_mib(base.whole)}")
        self._fetch(base)
        self._work.report("database: the log")
        self._replay(target)

    def sql(self, statement: str) -> str:
        """Ask it, as the superuser; return what it says."""
        argv = (
            *("psql", "--no-psqlrc", "--tuples-only", "--no-align", "--set=ON_ERROR_STOP=1"),
            *(f"--host={self.folder}", f"--port={PORT}", "--dbname=postgres", f"--command={statement}"),
        )
        owner = self._told["owner"]
        said = run(argv, what="SQL on what was restored", limit=60.0, user=owner, environment={"HOME": "/"})
        return said.strip()

    def end(self) -> None:
        """Stop it in order, with all that it has on the disk."""
        owner = self._told["owner"]
        argv = (f"{self._told['programs']}/pg_ctl", "stop", "--mode=fast", "--wait", f"--pgdata={self.data}")
        run((*argv, f"--timeout={_END_LIMIT:.0f}"), what="pg_ctl stop", limit=_END_LIMIT + 10, user=owner)

    def remove(self) -> bool:
        """Take it away, whether it runs or not; tell whether there was one."""
        if not self.folder.exists():
            return False
        owner = postmaster(self.data)
        if owner is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(owner, signal.SIGQUIT)
            limit = time.monotonic() + _END_LIMIT
            while postmaster(self.data) is not None:
                if time.monotonic() > limit:
                    raise BackupError(f"the instance in {self.folder} does not end: process {owner}")
                time.sleep(_LOOK)
        shutil.rmtree(self.folder)
        return True

    def _fetch(self, base: Base) -> None:
        place = self._work.store.place
        url = barman.url(place, self._told["prefix"])
        argv = (
            "barman-cloud-restore",
            f"--endpoint-url={place.endpoint}",
            url,
            self._told["server"],
            base.id,
        )
        run(
            (*argv, str(self.data)),
            what="barman-cloud-restore",
            limit=_FETCH_LIMIT,
            user=self._told["owner"],
            environment=barman.environment(place),
        )

    def _replay(self, target: Mapping[str, str]) -> None:
        owner = self._told["owner"]
        # It reads no setting of the running system's, whose files came with the base backup.
        self._write("postgresql.conf", "")
        self._write("ident.conf", "")
        self._write("hba.conf", "local all all trust\n")  # the folder is the superuser's alone
        self._write("data/recovery.signal", "")
        settings = [f"--{name}={value}" for name, value in {**self._settings(), **target}.items()]
        argv = ("setpriv", f"--reuid={owner}", f"--regid={owner}", "--init-groups", "--")
        with (self.folder / "log").open("wb") as log:
            process = subprocess.Popen(
                (*argv, f"{self._told['programs']}/postgres", "-D", str(self.data), *settings),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                # It stays when this program ends.
                start_new_session=True,
            )
        limit = time.monotonic() + _REPLAY_LIMIT
        while _state(self.data) != "ready":
            if process.poll() is not None:
                raise self._error()
            if time.monotonic() > limit:
                raise BackupError(f"the log was not replayed within {_REPLAY_LIMIT:.0f} s")
            time.sleep(_LOOK)

    def _settings(self) -> dict[str, str]:
        return {
            "config_file": f"{self.folder}/postgresql.conf",
            "hba_file": f"{self.folder}/hba.conf",
            "ident_file": f"{self.folder}/ident.conf",
            "listen_addresses": "",
            "port": str(PORT),
            "unix_socket_directories": str(self.folder),
            "unix_socket_permissions": "0700",
            "shared_buffers": "64MB",
            "max_wal_size": f"{_LOG_ROOM >> 20}MB",
            "restore_command": fetch.command(f"{self.folder}/spool"),
            "recovery_target_action": "promote",
            # Before it serves it need not bear the primary's connections.
            "hot_standby": "off",
            "archive_mode": "off",
            "primary_conninfo": "",
            "primary_slot_name": "",
            "synchronous_standby_names": "",
            "wal_log_hints": "on",
            "logging_collector": "off",
            "log_destination": "stderr",
            "fsync": "on" if self._lasting else "off",
        }

    def _write(self, name: str, text: str) -> None:
        path = self.folder / name
        path.write_text(text, encoding="utf-8")
        shutil.chown(path, self._told["owner"], self._told["owner"])

    def _error(self) -> BackupError:
        said = (self.folder / "log").read_text(encoding="utf-8", errors="replace").splitlines()
        if any(_TOO_SHORT in line for line in said):
            return BackupError(
                "the log in the store ends before that moment",
                hint="`rookery backup check` names what is missing.",
                details=tuple(said[-_LINES:]),
            )
        return BackupError("the restored database does not start", details=tuple(said[-_LINES:]))


def postmaster(data: Path) -> int | None:
    """Return the process of the PostgreSQL that runs on a PGDATA; None where none does."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        owner = int((data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[0])
        if Path(f"/proc/{owner}/exe").resolve().name == "postgres":
            return owner
    return None


def _state(data: Path) -> str:
    """Return what a postmaster says of itself in the last line of its file: `ready` once it takes writes."""
    with contextlib.suppress(OSError, IndexError):
        return (data / "postmaster.pid").read_text(encoding="utf-8").splitlines()[7].strip()
    return ""


def _in_mib(size: int) -> str:
    return f"{size / (1 << 20):,.0f} MiB"
