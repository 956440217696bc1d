"""Checks of the database: what clients rely on, tried as clients."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from rookery.drivers.clients.postgres import DatabaseError, Door, connected, query
from rookery.run.verify.result import Evidence, Subject, failed, judged, not_observed, passed

_USER = "verify"
_LAG_LIMIT = 10.0  # seconds; a replica further behind than that is behind
# Two that make the same table at once collide in spite of IF NOT EXISTS; one waits for the other.
_PROBE = "SELECT pg_advisory_xact_lock(1); CREATE TABLE IF NOT EXISTS probe (mark text PRIMARY KEY)"
_REFUSED = "password authentication failed"
_READ_ONLY = "25006"  # read_only_sql_transaction


def primary(subject: Subject) -> Evidence:
    """One instance is primary and every other follows it; synchronously where the design says so."""
    members = subject.system.members()
    if not members:
        return not_observed("no instance answers")
    service = subject.design.database
    assert service is not None
    seen = ", ".join(f"{m.name} {m.role.replace('_', ' ')} {m.state}" for m in members)
    leaders = sum(member.is_primary for member in members)
    followers = sum(member.follows for member in members)
    wants_standby = service.synchronous and len(service.instances) > 1
    standby = any(member.role == "sync_standby" for member in members)
    good = leaders == 1 and followers == len(service.instances) - 1 and (standby or not wants_standby)
    return judged(good, seen)


def round_trip(subject: Subject) -> Evidence:
    """A row is committed through the balancer's port for writes, and read back over a new connection."""
    door = subject.system.database_door(_USER)
    with _probe(door, subject.mark):
        back = query(door, "SELECT inet_server_addr()::text FROM probe WHERE mark = %s", (subject.mark,))
    if len(back) != 1:
        return failed(f"of a committed row {len(back)} came back")
    return passed(f"committed and read on {_host_at(subject, back[0][0])}")


def replica_reads(subject: Subject) -> Evidence:
    """The port for reads leads to a replica, which shows what was written and refuses to write; how far it
    is behind is measured by a row that appears there."""
    service = subject.design.database
    assert service is not None
    if len(service.instances) < 2:
        return not_observed("there is one instance only")
    door = subject.system.database_door(_USER, reads=True)
    with connected(door) as reader:
        asked = reader.execute(b"SELECT pg_is_in_recovery(), inet_server_addr()::text")
        recovering, address = asked.fetchall()[0]
        host = _host_at(subject, address)
        if not recovering:
            return failed(f"the port for reads leads to the primary, {host}")
        with _probe(subject.system.database_door(_USER), subject.mark + "-replica") as mark:
            began = time.monotonic()
            while not reader.execute(b"SELECT FROM probe WHERE mark = %s", (mark,)).fetchall():
                if time.monotonic() - began > _LAG_LIMIT:
                    return failed(f"{host} is more than {_LAG_LIMIT:.0f} s behind")
                time.sleep(0.001)
            behind = (time.monotonic() - began) * 1000
    refusal = _refused(door, "CREATE TABLE not_here (n int)")
    if refusal is not None and not refusal.state:
        return not_observed(f"{host} went away while it was asked to write: {refusal.what}")
    good = refusal is not None and refusal.state == _READ_ONLY
    seen = f"{host}, {behind:.0f} ms behind, refuses to write"
    return judged(good, seen if good else f"a write on a replica: {refusal.what if refusal else 'accepted'}")


@contextmanager
def _probe(door: Door, mark: str) -> Iterator[str]:
    """A committed row that is there inside the `with`."""
    query(door, _PROBE)
    query(door, "INSERT INTO probe VALUES (%s)", (mark,))
    try:
        yield mark
    finally:
        query(door, "DELETE FROM probe WHERE mark = %s", (mark,))


def strangers_refused(subject: Subject) -> Evidence:
    """A wrong password is refused, and so is the right one without TLS; on the hosts themselves too."""
    door = subject.system.database_door(_USER)
    service = subject.design.database
    assert service is not None
    wrong = _refusal(door.with_password(f"not-{subject.mark}"), "SELECT 1")
    attempts = {"without TLS, through the balancer": _refusal(door.in_clear(), "SELECT 1")}
    for name, address in service.instances:
        attempts[f"without TLS, on {name}"] = _refusal(replace(door.in_clear(), host=address), "SELECT 1")
    let_in = [what for what, refusal in attempts.items() if not refusal]
    if not wrong or let_in:
        return failed(f"let in: {', '.join([*(['a wrong password'] if not wrong else []), *let_in])}")
    unclear = [f"{what}: {r}" for what, r in attempts.items() if "pg_hba.conf" not in r]
    if _REFUSED not in wrong or unclear:
        return not_observed("; ".join([wrong, *unclear]))
    return passed("a wrong password and clear text refused, by the balancer's port and on every host")


def _refusal(door: Door, sql: str) -> str:
    """Return why a statement is refused, empty where it is not."""
    error = _refused(door, sql)
    return error.what if error else ""


def _refused(door: Door, sql: str) -> DatabaseError | None:
    """Return the error by which a statement is refused, None where it is not."""
    try:
        query(door, sql)
    except DatabaseError as error:
        return error
    return None


def _host_at(subject: Subject, address: str) -> str:
    plain = address.partition("/")[0]
    return next((host.name for host in subject.design.hosts if host.address == plain), plain)
