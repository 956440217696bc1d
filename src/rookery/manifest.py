"""What is applied to a Kubernetes cluster, as values: objects, Helm releases, and what is waited for.

Nothing here is text yet: objects are structures that one emitter writes (`projections/kubernetes/emit.py`),
so indentation and quoting are right by construction. What belongs together is a `Stage`, whose items are
applied in their order; by hand, by `rookery up` and by Flux alike.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

Manifest = Mapping[str, Any]
"""One Kubernetes object, or any other structure that YAML can hold."""

MANAGED_BY = "rookery"
# What a Job does, whatever its name goes on with: of each there is one at a time.
JOB_LABEL = "rookery.io/job"
ROLLED_OUT = "rolled out"


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """Objects that are applied together, one file of the tree. `why` is its comment: a sentence or two."""

    name: str
    why: str
    objects: tuple[Manifest, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """A Helm chart at a pinned version; `repository` is its URL."""

    name: str
    version: str
    repository: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A Helm release: a chart with values of ours, in a namespace that is there already.

    `waits` says that the next item comes when its pods are ready; without it, what they need comes later.
    """

    name: str
    why: str
    namespace: str
    chart: Chart
    values: Manifest
    waits: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Remote:
    """Objects of somebody else's that are applied from where they are published.

    `url` has the version in it. `repository`, `tag` and `path` say the same for GitOps, which reads git.
    """

    name: str
    why: str
    url: str
    repository: str
    tag: str
    path: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait:
    """What must be true before the next item: `condition` of `kubectl wait --for`, on one object, or that a
    Deployment is rolled out, for it is available all the while that new pods take the place of others.

    `seconds` is the limit; `name` may be `--all`.
    """

    kind: str
    name: str
    condition: str
    seconds: int
    namespace: str = ""

    def words(self, seconds: int) -> tuple[str, ...]:
        """Return kubectl's words for waiting up to `seconds`; 0 looks once, at a rollout for 1 s."""
        if self.condition == ROLLED_OUT:
            return ("rollout", "status", f"{self.kind}/{self.name}", f"--timeout={max(seconds, 1)}s")
        return ("wait", self.kind, self.name, f"--for={self.condition}", f"--timeout={seconds}s")


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededSecret:
    """A Secret of a user's name and a password that nobody chose: kubernetes.io/basic-auth. Without a name it
    is the password alone, by whatever `key` its reader wants.

    It is made in the cluster where it is missing, and never again; no tree holds it. `labels` go with it.
    """

    name: str
    namespace: str
    username: str
    why: str
    labels: tuple[tuple[str, str], ...] = ()
    key: str = "password"


@dataclass(frozen=True, slots=True, kw_only=True)
class NeededSecrets:
    """Secrets that must be there before the next item."""

    name: str
    why: str
    secrets: tuple[NeededSecret, ...]


Item = Objects | Release | Remote | Wait | NeededSecrets


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Items that are applied one after the other. `name` is the stage's folder, `why` its part in the guide.

    Applied by hand, stages follow each other in the order of their names. Who can do several things at once
    starts one when those in `after` are done.
    """

    name: str
    title: str
    why: str
    items: tuple[Item, ...]
    after: tuple[str, ...] = ()


def manifest(
    api: str,
    kind: str,
    name: str,
    *,
    namespace: str = "",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **body: Any,
) -> Manifest:
    """Return an object: apiVersion, kind, metadata, then `body` (`spec=...`, `data=...`) as it is given."""
    metadata: dict[str, Any] = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = dict(labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {"apiVersion": api, "kind": kind, "metadata": metadata, **body}


@dataclass(frozen=True, slots=True, kw_only=True)
class OneJob:
    """A Job with the work that it does, `JOB_LABEL`: those that did the same before it are to go.

    A Job that ended says that its work is done. Left behind, it would say so again where what it did is
    wanted once more, and nothing would run.
    """

    work: str
    name: str
    namespace: str

    @property
    def selector(self) -> str:
        return f"{JOB_LABEL}={self.work}"

    @property
    def others(self) -> tuple[str, ...]:
        """kubectl's words for all but this one; pods of one that still runs end before the command does."""
        chosen = ("--selector", self.selector, "--field-selector", f"metadata.name!={self.name}")
        return ("delete", "jobs", *chosen, "--cascade=foreground")


def jobs_of(item: Objects) -> Iterator[OneJob]:
    """Yield the Jobs among objects that take the place of others."""
    for one in item.objects:
        metadata = one["metadata"]
        if one["kind"] == "Job" and JOB_LABEL in metadata.get("labels", {}):
            work = metadata["labels"][JOB_LABEL]
            yield OneJob(work=work, name=metadata["name"], namespace=metadata["namespace"])


def common_labels(name: str, *, component: str = "", part_of: str = "") -> dict[str, str]:
    """Return Kubernetes' recommended labels of what belongs to an application."""
    labels = {"app.kubernetes.io/name": name}
    if component:
        labels["app.kubernetes.io/component"] = component
    if part_of:
        labels["app.kubernetes.io/part-of"] = part_of
    return labels | {"app.kubernetes.io/managed-by": MANAGED_BY}


def selector(labels: Mapping[str, str]) -> dict[str, Any]:
    """Return the label selector of what carries these labels, but for who manages it."""
    kept = {name: value for name, value in labels.items() if not name.endswith("managed-by")}
    return {"matchLabels": kept}


def expression(key: str, operator: str, values: Sequence[str] = ()) -> dict[str, Any]:
    """Return one requirement of a selector, such as `key In values`."""
    found: dict[str, Any] = {"key": key, "operator": operator}
    if values:
        found["values"] = list(values)
    return found
