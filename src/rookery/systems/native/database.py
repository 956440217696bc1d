"""The database on the native platform: who is primary, and the databases and roles that applications ask for.

SQL runs as the superuser on the primary's own host, over its local socket: there is no other way in for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence

from rookery.apps.database.patroni import API_PORT
from rookery.design.model import Database, Design
from rookery.drivers.clients.http import Browser
from rookery.drivers.machine.process import CommandError, run
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.systems.native.identity import Identity
from rookery.systems.protocol import Member, Report
from rookery.units import format_size

# Seconds without anything new: what initdb and a copy of the primary write counts.
_PRIMARY_LIMIT = 120.0
_REPLICAS_LIMIT = 180.0
_AS_POSTGRES = ("setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups")
# What is said to who writes: by a standby, by one that starts or ends, by one that ends while it is asked,
# and by psql of one that is not there for a moment, as while it is rewound.
_NO_PRIMARY = (
    "in a read-only transaction",
    "the database system is",
    "terminating connection due to administrator command",
    "server closed the connection unexpectedly",
    "Is the server running locally and accepting connections on that socket?",
)
_PSQL = ("psql", "--no-psqlrc", "--quiet", "--set=ON_ERROR_STOP=1", "--file=-")

Exec = Callable[[str, Sequence[str]], list[str]]
"""Gives the command that runs another on a host."""


def members(design: Design, browser: Browser) -> tuple[Member, ...]:
    """Return the members as the first instance that answers tells them; none where all are silent."""
    service = design.database
    assert service is not None
    for _, address in service.instances:
        answer = browser.get(f"https://{address}:{API_PORT}/cluster")
        if answer.status == 200:
            return tuple(
                Member(name=entry["name"], role=entry["role"], state=entry["state"])
                for entry in json.loads(answer.body)["members"]
            )
    return ()


def wait_primary(
    design: Design, browser: Browser, report: Report, written: Callable[[], Mapping[str, int]] = dict
) -> str:
    """Wait until there is a primary that takes writes; return its host's name. `written` looks how many bytes
    each instance has on its volume."""

    def look() -> Look[str]:
        seen = members(design, browser)
        leaders = [m.name for m in seen if m.is_primary]
        return Look(seen=_in_words(seen, written()), value=leaders[0] if leaders else None)

    return wait_for("a primary", look, limit=_PRIMARY_LIMIT, report=report)


def wait_replicas(
    design: Design, browser: Browser, report: Report, written: Callable[[], Mapping[str, int]] = dict
) -> None:
    """Wait until every instance is the primary or follows it, one synchronously where that is asked."""
    service = design.database
    assert service is not None
    wants_standby = service.synchronous and len(service.instances) > 1

    def look() -> Look[bool]:
        seen = members(design, browser)
        done = len(seen) == len(service.instances) and all(m.is_primary or m.follows for m in seen)
        done = done and (not wants_standby or any(m.role == "sync_standby" for m in seen))
        return Look(seen=_in_words(seen, written()), value=done or None)

    wait_for("the replicas", look, limit=_REPLICAS_LIMIT, report=report)


def hand_over(design: Design, browser: Browser, exec_argv: Exec, host: str, report: Report) -> None:
    """Let another instance be the primary, where that of `host` is and another follows it; wait until one is.

    Patroni does it in order: the primary ends what it was doing, and its successor has all of it.
    """
    seen = members(design, browser)
    followers = [member for member in seen if member.name != host and member.follows]
    if not followers or not any(member.name == host and member.is_primary for member in seen):
        return
    successor = min(followers, key=lambda member: member.role != "sync_standby").name
    report(f"{host} hands over to {successor}")
    options = ("switchover", "--primary", host, "--candidate", successor, "--force")
    run(exec_argv(host, ("patronictl", *options)), timeout=60)

    def look() -> Look[bool]:
        now = members(design, browser)
        done = any(member.name == successor and member.is_primary for member in now)
        return Look(seen=_in_words(now, {}), value=done or None)

    wait_for(f"{successor} to be the primary", look, limit=_PRIMARY_LIMIT, report=report)


def _in_words(seen: Iterable[Member], written: Mapping[str, int]) -> str:
    """Say what instances say of themselves, and how much those have that do not run yet."""
    seen = tuple(seen)
    said = ", ".join(f"{m.name} {m.role} {m.state}" for m in seen) or "no instance answers"
    running = {m.name for m in seen if m.state in ("running", "streaming")}
    parts = [f"{format_size(n)} on {host}" for host, n in sorted(written.items()) if host not in running]
    return "; ".join((said, *parts))


def create_databases(design: Design, identity: Identity, exec_argv: Exec, primary: str) -> None:
    """Make the databases and roles that the applications ask for, on the primary."""
    parts = [
        "SET log_min_error_statement = panic;"
    ]  # a failing statement with a password stays out of the log
    for database in design.databases:
        parts += _role(database.user, f"LOGIN PASSWORD '{identity[f'database.user.{database.user}']}'")
        if not database.owns:
            parts += _role(database.owner, "NOLOGIN")
        parts += _database(database)
    run_sql(exec_argv, primary, "postgres", "\n".join(parts))


def run_sql(exec_argv: Exec, host: str, database: str, sql: str, *, timeout: float = 120.0) -> None:
    """Run SQL as the superuser on the primary; raises CommandError with psql's words."""
    run(exec_argv(host, (*_AS_POSTGRES, *_PSQL, f"--dbname={database}")), stdin=sql, timeout=timeout)


def is_no_primary(error: CommandError) -> bool:
    """Tell whether SQL failed for who was asked is no primary, or not any more. Its words are English."""
    return any(words in error.output for words in _NO_PRIMARY)


def _role(name: str, options: str) -> list[str]:
    missing = f"NOT EXISTS (SELECT FROM pg_roles WHERE rolname = '{name}')"
    return [
        f"SELECT 'CREATE ROLE \"{name}\"' WHERE {missing} \\gexec",
        f'ALTER ROLE "{name}" {options};',
    ]


def _database(database: Database) -> list[str]:
    name, owner = database.name, database.owner
    missing = f"NOT EXISTS (SELECT FROM pg_database WHERE datname = '{name}')"
    return [
        f'SELECT \'CREATE DATABASE "{name}" OWNER "{owner}"\' WHERE {missing} \\gexec',
        f'REVOKE ALL ON DATABASE "{name}" FROM PUBLIC;',
        f'GRANT CONNECT, TEMPORARY ON DATABASE "{name}" TO "{database.user}";',
    ]
