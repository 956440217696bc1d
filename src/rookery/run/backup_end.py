"""A system whose new spec has no backups: those that it takes let go of it while their programs are there."""

from __future__ import annotations

from rookery.errors import NotPossibleError, RookeryError
from rookery.plan.step import Step
from rookery.run.systems import find_system
from rookery.run.workspace import Workspace, open_running, running_names, saved_spec
from rookery.systems.protocol import Report

ENDING = Step(
    id="backup-ends", phase="apps", title="backups end; what they stored stays, and returns with backup: {}"
)


def ends_backups(workspace: Workspace) -> bool:
    """Tell whether the system of that name takes backups, and shall not by its spec."""
    name = workspace.design.name
    if workspace.design.backup is not None or workspace.design.platform != "native":
        return False
    if name not in running_names() or saved_spec(name) is None:
        return False
    return open_running(name).design.backup is not None


def end_backups(name: str, report: Report) -> None:
    """Have the backups of a running system store the last of its database's log, and let go of its volumes
    and files. A system that does not answer is left as it is.

    Raises NotPossibleError while a set is being taken, or where it cannot be done.
    """
    system = find_system(open_running(name).design)
    try:
        backups = system.backups
        if backups is None or not system.is_reachable():
            return
        for trouble in backups.ask("leave", {}, report):
            report(trouble)
    except NotPossibleError:
        raise
    except RookeryError as error:
        raise NotPossibleError(
            f"the backups of {name} cannot be ended: {error.what}",
            details=error.details,
            hint="What they hold of volumes and files would stay: bring it up with its `backup` first.",
        ) from None
    finally:
        system.close()
