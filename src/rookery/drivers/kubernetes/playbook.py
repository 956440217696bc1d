"""Ansible playbooks: run from a folder that has its own inventory and settings, task by task."""

from __future__ import annotations

import os
import sysconfig
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

from rookery.drivers.machine.process import run_heard

_LIMIT = 3600.0  # seconds: a kernel upgrade with a restart of every server is part of it
_PLAIN = {"ANSIBLE_NOCOLOR": "1", "ANSIBLE_FORCE_COLOR": "0"}


def run_playbook(
    folder: Path,
    playbook: str,
    report: Callable[[str], None],
    *,
    options: tuple[str, ...] = (),
    staying: bool = False,
) -> None:
    """Run a playbook in `folder`; `report` hears each task's name. Raises CommandError.

    The program is Ansible's of this very environment, so its version is the locked one. With `staying`, one
    Python stays on each server for all tasks, instead of a new one for each: what that costs counts where
    servers share one machine.
    """

    def hear(line: str) -> None:
        if line.startswith("TASK ["):
            report(line.partition("[")[2].partition("]")[0])

    program = Path(sysconfig.get_path("scripts")) / "ansible-playbook"
    argv = (str(program), playbook, *options)
    environment = {**_PLAIN, **(staying_environment() if staying else {})}
    run_heard(argv, hear, folder=folder, timeout=_LIMIT, wrapper=_together(), environment=environment)


def staying_environment() -> dict[str, str]:
    """Return what makes Ansible use Mitogen, which keeps a Python on each server while a playbook runs."""
    found = find_spec("ansible_mitogen")
    assert found is not None, "it is among the locked dependencies"
    assert found.submodule_search_locations is not None, "it is a package"
    plugins = Path(found.submodule_search_locations[0]) / "plugins" / "strategy"
    return {
        "ANSIBLE_STRATEGY": "mitogen_linear",
        "ANSIBLE_STRATEGY_PLUGINS": str(plugins),
        # It says in each run that strategies of others will go some day; the lock says which Ansible runs.
        "ANSIBLE_DEPRECATION_WARNINGS": "0",
    }


def _together() -> tuple[str, ...]:
    """Return what makes everything that a playbook starts end with it: a process namespace, root's to make.

    Its workers would live on otherwise where it is killed, and go on with their tasks.
    """
    return ("unshare", "--pid", "--fork", "--kill-child=KILL") if os.geteuid() == 0 else ()
