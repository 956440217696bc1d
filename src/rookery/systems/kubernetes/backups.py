"""Backups on Kubernetes, which their own operators take: what is asked for here is theirs to do.

No program of ours inside a cluster takes a set, lists one or brings one back. What is refused here says whose
command does it, so that nobody believes that something was done.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NoReturn

from rookery.apps.backup.places import BLOCK, DATABASE, FILES, OBJECTS, SYSTEM
from rookery.apps.ground.names import NAMESPACE, VELERO
from rookery.design.model import Design
from rookery.errors import NotPossibleError
from rookery.projections.kubernetes.backups import backup_of
from rookery.systems.protocol import Report

_PLUGIN = "--method=plugin --plugin-name=barman-cloud.cloudnative-pg.io"
# What does here what a command of ours does in a lab.
_COMMANDS = {
    "now": (
        f"the database: kubectl cnpg -n {NAMESPACE} backup database {_PLUGIN}",
        f"volumes: velero -n {VELERO} backup create --from-schedule volumes",
        f"etcd: kubectl -n {VELERO} create job --from=cronjob/etcd-backup etcd-backup-now",
    ),
    "list": (
        f"the database: kubectl -n {NAMESPACE} get backups.postgresql.cnpg.io",
        f"volumes: velero -n {VELERO} backup get",
        f"etcd: kubectl -n {VELERO} get jobs -l app.kubernetes.io/component=etcd",
    ),
    "check": (
        f"the database: kubectl cnpg -n {NAMESPACE} status database",
        f"volumes: velero -n {VELERO} backup describe NAME --details",
    ),
    "prune": ("each operator removes by itself what is older than the spec's `retention.sets`",),
}
_VOLUMES = (
    f"velero -n {VELERO} restore create --from-schedule volumes --namespace-mappings {NAMESPACE}:scratch"
    " --include-resources persistentvolumeclaims,persistentvolumes"
)
_RESTORES = {
    DATABASE: "the tree's recovery/ has a manifest for each case: rookery render",
    OBJECTS: "aws s3api list-object-versions names the version, copy-object brings it back; kubectl"
    f" -n {NAMESPACE} rollout restart deploy/cdn-edge has the edges forget what they fetched before",
    FILES: _VOLUMES,
    BLOCK: _VOLUMES,
    SYSTEM: "age --decrypt, then etcdutl snapshot restore: the tree's guide has the commands",
}


class ClusterBackups:
    """Says, for each command on backups, which of the cluster's own does it; does none itself."""

    def ask(self, command: str, request: Mapping[str, Any], report: Report) -> Any:
        """Raise NotPossibleError, with what does `command` here."""
        del request, report
        _refuse(f"`{command}` of backups", _COMMANDS.get(command, ()))

    def own(self) -> Mapping[str, bytes]:
        """Return nothing: what such a system is built from is in its cluster, and kept with its etcd."""
        return {}

    def keep(self, secrets: Mapping[str, str]) -> None:
        """Raise NotPossibleError: a copy's keys are a Secret there, which somebody makes."""
        del secrets
        made = f"kubectl -n {NAMESPACE} create secret generic backup-copy-NAME"
        _refuse("keeping the keys of a copy", (f"{made} --from-file=access --from-file=secret",))

    def restore(self, request: Mapping[str, Any], report: Report) -> Mapping[str, Any]:
        """Raise NotPossibleError, with what brings that kind back here."""
        del report
        kind = request["kind"]
        _refuse(f"restoring {kind}", (_RESTORES[kind],) if kind in _RESTORES else ())


def cluster_backups(design: Design) -> ClusterBackups | None:
    """Return the backups of a system of that design; None where its spec has none."""
    return ClusterBackups() if backup_of(design) is not None else None


def _refuse(what: str, instead: tuple[str, ...]) -> NoReturn:
    raise NotPossibleError(
        f"{what} is not done by rookery on Kubernetes: operators in the cluster take backups there",
        hint="; ".join(instead) or "The tree's guide says what each kind's own tool is.",
    )
