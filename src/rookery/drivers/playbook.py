"""Ansible playbooks: run from a folder that has its own inventory and settings, task by task."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable
from pathlib import Path

from rookery.drivers.process import run_heard

_LIMIT = 3600.0  # seconds: a kernel upgrade with a restart of every server is part of it
_PLAIN = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}


def run_playbook(
    folder: Path, playbook: str, report: Callable[[str], None], *, options: tuple[str, ...] = ()
) -> None:
    """Run a playbook in `folder`; `report` hears each task's name. Raises CommandError.

    The program is Ansible's of this very environment, so its version is the locked one.
    """

    def hear(line: str) -> None:
        if line.startswith("TASK ["):
            report(line.partition("[")[2].partition("]")[0])

    program = Path(sysconfig.get_path("scripts")) / "ansible-playbook"
    argv = (str(program), playbook, *options)
    run_heard(argv, hear, folder=folder, timeout=_LIMIT, wrapper=_together(), environment=_PLAIN)


def _together() -> tuple[str, ...]:
    """Return what makes everything that a playbook starts end with it: a process namespace, root's to make.

    Its workers would live on otherwise where it is killed, and go on with their tasks.
    """
    return ("unshare", "--pid", "--fork", "--kill-child=KILL") if os.geteuid() == 0 else ()
