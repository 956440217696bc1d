"""restic's repository in the store: made where there is none, written to, looked at, read from.

Whoever writes to it holds the lease of backups (`lease.py`), so a lock of restic's that is in the way then is
a killed one's. Whoever only reads takes no lock.
"""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from .errors import BackupError
from .kind import Part, Work
from .tools import child

FOLDER = "files"
_CACHE = "/var/cache/rookery-backup/restic"
_ABSENT, _LOCKED, _WRONG_PASSWORD = 10, 11, 12
# restic tries again for a quarter of an hour what the store refuses; these will not become better by that.
_FATAL = {
    "QuotaExceeded": "the store's quota is used up (403)",
    "InsufficientCapacity": "the store is full (507)",
    "AccessDenied": "the store refuses these keys (403)",
    "Access Denied": "the store refuses these keys (403)",
    "InvalidAccessKeyId": "the store does not know this access key",
    "SignatureDoesNotMatch": "the secret key is wrong",
    "NoSuchBucket": "there is no such bucket",
}
_PATIENCE = 120.0  # seconds in which nothing but failures comes
_LINES = 6
_GONE = "no such file or directory"
_TIMES = 4  # that what was brought back may have gone again
_CONNECTIONS = 10

Message = dict[str, Any]
"""A line of restic's output, as JSON."""


class Repository:
    """The repository with the file system's content. Every method raises BackupError."""

    def __init__(self, work: Work) -> None:
        place = work.store.place
        self.url = f"s3:{place.endpoint}/{place.bucket}/{FOLDER}"
        self._host = work.told.config["system"]
        self._environment = {
            "PATH": os.environ["PATH"],
            "HOME": "/root",
            "RESTIC_REPOSITORY": self.url,
            "RESTIC_PASSWORD": work.told.keys["restic"],
            "RESTIC_CACHE_DIR": _CACHE,
            "RESTIC_PROGRESS_FPS": "0.05",
            "AWS_ACCESS_KEY_ID": place.access,
            "AWS_SECRET_ACCESS_KEY": place.secret,
            "AWS_DEFAULT_REGION": place.region,
            **({"RESTIC_CACERT": place.authority} if place.authority else {}),
        }

    def backup(self, folder: Path, label: str) -> Message:
        """Store what is below a folder, and return restic's summary. What did not change since the latest
        snapshot, by name, size, times and inode, is not read again."""
        argv = ("backup", "--host", self._host, "--group-by", "host", "--tag", label, "--no-scan", ".")
        self._write(argv, cwd=folder, may_make=True)
        return self._summary()

    def snapshots(self) -> dict[str, Message]:
        """Return the snapshots that are there, by their identities; none where there is no repository."""
        done = self._run(("snapshots", "--no-lock"))
        if done == _ABSENT:
            return {}
        self._require(done, "snapshots")
        return {one["id"]: one for one in self._said[-1]} if self._said else {}

    def check(self, *, deep: bool) -> list[str]:
        """Look whether all that snapshots need is there; return what restic finds."""
        done = self._run(("check", "--no-lock", *(("--read-data",) if deep else ())))
        if done == _ABSENT:
            return [f"there is no repository at {self.url}"]
        if done != 1:
            self._require(done, "check")
            return []
        return list(_findings(map(_message, self._complaints))) or ["restic check finds errors"]

    def forget(self, snapshots: Sequence[str]) -> None:
        """Give up some snapshots, and remove what only they need."""
        if snapshots:
            self._write(("forget", *snapshots), may_make=False)
        self._write(("prune",), may_make=False)

    def restore(self, source: str, target: Path, *options: str) -> Message:
        """Bring back `SNAPSHOT:FOLDER` to a folder; return restic's summary.

        What somebody removes from there meanwhile, as whoever keeps the newest of something does, is an error
        to restic: it is run again, and leaves alone what is right already. Raises BackupError where that does
        not end.
        """
        for _ in range(_TIMES):
            done = self._run(("restore", "--no-lock", "--target", str(target), *options, source))
            if not done:
                return self._summary()
            if not any(_GONE in line for line in self._complaints):
                self._require(done, "restore")
        raise BackupError(
            f"{target} is written to meanwhile: files that were brought back went again",
            hint="Stop who writes there, and run the command again; or bring it back beside: --to scratch.",
            details=tuple(_message(line) for line in self._complaints[-_LINES:]),
        )

    def list(self, snapshot: str, path: str) -> list[Message]:
        """Return what is in a snapshot at a path and, if that is a folder, in it."""
        self._require(self._run(("ls", "--no-lock", snapshot, path)), "ls")
        return [one for one in self._said if one.get("message_type", one.get("struct_type")) == "node"]

    def _write(self, argv: Sequence[str], *, cwd: Path | None = None, may_make: bool) -> None:
        done = self._run(argv, cwd=cwd)
        if done == _ABSENT and may_make:
            self._require(self._run(("init",)), "init")
            done = self._run(argv, cwd=cwd)
        if done == _LOCKED:
            self._require(self._run(("unlock", "--remove-all")), "unlock")
            done = self._run(argv, cwd=cwd)
        self._require(done, argv[0])

    def _run(self, argv: Sequence[str], *, cwd: Path | None = None) -> int:
        """Run restic and return its exit status; what it says is in `_said` and `_complaints` then."""
        self._said: list[Any] = []
        self._complaints: list[str] = []
        self._refused = ""
        with tempfile.TemporaryFile() as output:
            process = subprocess.Popen(
                child("restic", "--json", "-o", f"s3.connections={_CONNECTIONS}", *argv),
                cwd=cwd,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.PIPE,
            )
            self._listen(process)
            status = process.wait()
            output.seek(0)
            self._said = list(_messages(output.read().decode(errors="replace")))
        return status

    def _listen(self, process: subprocess.Popen[bytes]) -> None:
        """Hear what restic complains of, and end it where waiting does not help."""
        assert process.stderr is not None
        since = 0.0
        for line in process.stderr:
            words = line.decode(errors="replace").strip()
            if "operation successful after" in words:
                since = 0.0
                continue
            self._complaints.append(words)
            if "retrying after" in words:
                since = since or time.monotonic()
                self._refused = next((meant for code, meant in _FATAL.items() if code in words), "")
                if self._refused or time.monotonic() - since > _PATIENCE:
                    self._refused = self._refused or f"the store did not answer for {_PATIENCE:.0f} s"
                    process.terminate()
        process.stderr.close()

    def _require(self, status: int, doing: str) -> None:
        if not status:
            return
        if status == _WRONG_PASSWORD:
            raise BackupError(
                f"the repository at {self.url} is encrypted with another passphrase",
                hint="It is the secret `backup.restic` of the system that wrote it.",
                kind="not-possible",
            )
        if status == _ABSENT:
            raise BackupError(f"there is no repository at {self.url}")
        last = tuple(" ".join(_message(line).split()) for line in self._complaints[-_LINES:])
        meant = self._refused or next(
            (meant for code, meant in _FATAL.items() if any(code in line for line in last)), ""
        )
        raise BackupError(
            f"restic {doing} failed (exit {status}){f': {meant}' if meant else ''}", details=last
        )

    def _summary(self) -> Message:
        for message in reversed(self._said):
            if isinstance(message, Mapping) and message.get("message_type") == "summary":
                return dict(message)
        raise BackupError("restic ended without a summary of what it did")


def given_up(
    there: Mapping[str, Message], kept: Mapping[str, Part], dropped: Mapping[str, Part]
) -> list[str]:
    """Return the snapshots that go: those of the dropped sets, and those that interrupted runs left, which
    are of no set and older than all that are kept. A snapshot has its set's label as its tag."""
    needed = {part["snapshot"] for part in kept.values()}
    over = {part["snapshot"] for part in dropped.values()}
    oldest = min(kept, default="")
    over |= {one for one, told in there.items() if all(tag < oldest for tag in told.get("tags") or ("~",))}
    return sorted((over & set(there)) - needed)


def _messages(output: str) -> Iterator[Any]:
    for line in output.splitlines():
        try:
            yield json.loads(line)
        except ValueError:
            continue


def _findings(messages: Iterable[str]) -> Iterator[str]:
    """Yield what a check found, without the advice that follows it."""
    for message in messages:
        if message.startswith(("\n", "Fatal:")):
            return
        yield " ".join(message.split())


def _message(line: str) -> str:
    """Return what a line says: restic writes some as JSON."""
    try:
        told = json.loads(line)
    except ValueError:
        return line
    error = told.get("error")
    return str(told.get("message") or (error.get("message") if isinstance(error, dict) else error) or line)
