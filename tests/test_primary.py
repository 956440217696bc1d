"""SQL on the primary while it moves: what may be done again is, what is wrong is said."""

from __future__ import annotations

import pytest

from rookery.drivers.machine.process import CommandError
from rookery.systems.native.database import is_no_primary


@pytest.mark.parametrize(
    ("output", "moved"),
    [
        ("psql:<stdin>:3: ERROR:  cannot execute ALTER ROLE in a read-only transaction\n", True),
        (
            "psql: error: ... FATAL:  the database system is starting up",
            True,
        ),
        ("psql: error: ... FATAL:  the database system is not yet accepting connections", True),
        ("psql:<stdin>:9: FATAL:  terminating connection due to administrator command", True),
        (
            (
                'psql: error: connection to server on socket "/var/run/postgresql/.s.PGSQL.5432" failed:'
                " No such file or directory\n\tIs the server running locally and accepting connections on"
                " that socket?\n"
            ),
            True,
        ),
        ("psql:<stdin>:9: server closed the connection unexpectedly", True),
        ('psql:<stdin>:3: ERROR:  syntax error at or near "ALTR"', False),
        ('psql:<stdin>:5: ERROR:  permission denied for table "titles"', False),
    ],
)
def test_who_is_no_primary_is_told_from_what_is_wrong(output: str, moved: bool) -> None:
    assert is_no_primary(CommandError(("psql",), exit_code=3, output=output)) is moved
