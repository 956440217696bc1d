"""What the edges of a lab keep of the buckets: forgotten at once where the buckets become what they were.

An edge gives what it has for as long as it was told, and, while it asks for the new one, once more: a film
that was broken and is whole again would stay broken for its viewers for minutes, or for a year where it is
one of those files that never change.
"""

from __future__ import annotations

from rookery.apps.cdn.nginx import CACHE
from rookery.drivers.containers.supervisor import Supervisor
from rookery.systems.native.lab import Lab


def forget_copies(lab: Lab) -> tuple[str, ...]:
    """Have every edge of a lab fetch anew what it serves; return the hosts of those that do not run.

    The files go first, then nginx is told to read its configuration again: its new workers have none of them
    open, those before end with their last answer.
    """
    pids = lab.pids()
    edges = [(host.name, one.name) for host in lab.design.hosts for one in host.instances if one.app == "cdn"]
    for host, program in edges:
        if host in pids:
            lab.execute(host, ("find", CACHE, "-type", "f", "-delete"))
            Supervisor(pids[host]).tell(program, "HUP")
    return tuple(host for host, _ in edges if host not in pids)
