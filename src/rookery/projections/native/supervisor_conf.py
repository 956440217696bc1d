"""supervisord.conf of a server: the programs that are kept running, as a kubelet would."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

from rookery.files import Program

# Through which every program starts: it gets no input, and what an earlier life of it left is ended.
_START = "/usr/lib/rookery/run-program"

_HEAD = """\
[supervisord]
nodaemon=true
user=root
logfile=/var/log/supervisor/supervisord.log
logfile_maxbytes=1MB
logfile_backups=1
loglevel=warn
pidfile=/run/supervisord.pid
childlogdir=/var/log/supervisor
strip_ansi=true

[unix_http_server]
file=/run/supervisor.sock
chmod=0700

[rpcinterface:supervisor]
supervisor.rpcinterface_factory = supervisor.rpcinterface:make_main_rpcinterface

[supervisorctl]
serverurl=unix:///run/supervisor.sock
"""


def render_supervisor_conf(programs: tuple[Program, ...]) -> str:
    """Return supervisord.conf with the given programs, in their order of priority."""
    ordered = sorted(programs, key=lambda program: (program.priority, program.name))
    return "\n".join((_HEAD, *(_program(program) for program in ordered)))


def _program(program: Program) -> str:
    environment = ",".join(f"{name}={_quoted(value)}" for name, value in program.environment)
    argv = (_START, program.name, program.user or "root", *program.argv)
    lines = [
        f"[program:{program.name}]",
        f"command={_command(argv)}",
        f"priority={program.priority}",
        f"autostart={'false' if program.gated else 'true'}",
        "autorestart=true",
        # Restarts of a program that dies within a second come later and later.
        "startsecs=1",
        "startretries=1000000",
        "stopwaitsecs=10",
        "killasgroup=true",
        "stopasgroup=true",
        "redirect_stderr=true",
        "stdout_logfile=/var/log/supervisor/%(program_name)s.log",
        "stdout_logfile_maxbytes=2MB",
        "stdout_logfile_backups=1",
    ]
    if environment:
        lines.append(f"environment={environment}")
    return "\n".join(lines) + "\n"


def _command(argv: Sequence[str]) -> str:
    """Return the words as the supervisor reads them: `;` and `#` after a space begin a comment in quotes too,
    `%(name)s` is a value, and then they are words as a shell's."""
    assert not any("\n" in word for word in argv), "a line ends there"
    # Such a character is within quotes: those end before it and begin anew.
    return re.sub(r"(?<=\s)(?=[;#])", "''", shlex.join(argv).replace("%", "%%"))


def _quoted(value: str) -> str:
    """Return a variable's value in quotes, of which there are two kinds and no escapes.

    At a value's ends the supervisor drops any.
    """
    cannot_be_written = {'"', "'"} <= set(value) or re.search(r"^['\"]|\n|\s[;#]|['\"]$", value)
    assert not cannot_be_written, value
    quote = "'" if '"' in value else '"'
    return f"{quote}{value.replace('%', '%%')}{quote}"
