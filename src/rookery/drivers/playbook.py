"""Ansible playbooks: run from a folder that has its own inventory and settings, task by task."""

from __future__ import annotations

import os
import subprocess
import sysconfig
from collections import deque
from collections.abc import Callable
from pathlib import Path

from rookery.drivers.process import ENDS_WITH_US, CommandError

_LIMIT = 3600.0  # seconds: a kernel upgrade with a restart of every server is part of it
_KEPT = 40  # lines of output for the error of a playbook that failed


def run_playbook(
    folder: Path, playbook: str, report: Callable[[str], None], *, options: tuple[str, ...] = ()
) -> None:
    """Run a playbook in `folder`; `report` hears each task's name. Raises CommandError.

    The program is Ansible's of this very environment, so its version is the locked one.
    """
    program = Path(sysconfig.get_path("scripts")) / "ansible-playbook"
    command = (str(program), playbook, *options)
    argv = (*ENDS_WITH_US, *_together(), *command)
    environment = {**os.environ, "ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}
    said: deque[str] = deque(maxlen=_KEPT)
    with subprocess.Popen(
        argv,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
    ) as process:
        assert process.stdout is not None
        for line in process.stdout:
            said.append(line.rstrip())
            if line.startswith("TASK ["):
                report(line.partition("[")[2].partition("]")[0])
        code = process.wait(timeout=_LIMIT)
    if code:
        raise CommandError(command, exit_code=code, output="\n".join(said))


def _together() -> tuple[str, ...]:
    """Return what makes everything that a playbook starts end with it: a process namespace, root's to make.

    Its workers would live on otherwise where it is killed, and go on with their tasks.
    """
    return ("unshare", "--pid", "--fork", "--kill-child=KILL") if os.geteuid() == 0 else ()
