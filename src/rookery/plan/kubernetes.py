"""The steps that bring a system up on Kubernetes: a cluster of the servers, then the tree, item by item.

An item's step needs the one before it in its stage, and a stage those that it comes after. So the parts that
have nothing to do with each other (monitoring, certificates, the operator of databases) are under way at
once.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rookery.apps.table import APPS
from rookery.design.model import Design
from rookery.manifest import NeededSecrets, Objects, Release, Remote, Wait
from rookery.plan.step import Step
from rookery.projections.kubernetes.placed import Placed

IMAGE, BOOTSTRAP = "image", "bootstrap"
SETTLED = "settled"
# The phase of everything up to a cluster.
MACHINES = "machines"


def cluster_steps(design: Design, placed: Sequence[Placed], *, made: Sequence[Step] = ()) -> tuple[Step, ...]:
    """Return every step, in an order in which each comes after those that it needs.

    `made` are those that make the servers; none where they are there already.
    """
    cluster = design.kubernetes
    assert cluster is not None, "only a design on Kubernetes has these steps"
    count = len(design.servers)
    there = cluster.bootstrap == "none"
    by = f"cluster of {count} servers by {cluster.bootstrap}"
    title = "nodes of the cluster that is there" if there else by
    image = Step(id=IMAGE, phase=MACHINES, title="container image of the applications")
    steps = [*([image] if needs_image(design) else []), *made]
    # A server that is started again is a member as before: nothing is made anew for it.
    before = tuple(step.id for step in steps)
    steps.append(Step(id=BOOTSTRAP, phase=MACHINES, title=title, after=before))
    if made:
        # What a cluster says of a server that lost power is old for a while: nothing is waited for before.
        title = "no pod of a server's earlier life"
        steps.append(Step(id=SETTLED, phase=MACHINES, title=title, after=(BOOTSTRAP,)))
    return (*steps, *_item_steps(placed, after=steps[-1].id), *_content_steps(design, placed))


def needs_image(design: Design) -> bool:
    """Whether our own container image is built here: who made the nodes brings it to them otherwise."""
    return bool(design.apps) and design.kubernetes is not None and design.kubernetes.bootstrap != "none"


def _item_steps(placed: Sequence[Placed], *, after: str) -> Iterator[Step]:
    """Yield a step for each item of the tree, the first ones after a step.

    What follows a wait comes after it and builds on what stands before that: where something has to be waited
    for again, what is there already is not made again.
    """
    built: dict[str, str] = {}
    last: dict[str, str] = {}
    for one in placed:
        stage = one.stage
        stages = (stage.name,) if stage.name in last else tuple(name for name in stage.after if name in last)
        yield Step(
            id=one.id,
            phase=_phase(one),
            title=_title(one),
            needs=tuple(built[name] for name in stages if name in built),
            after=tuple(last[name] for name in stages) or (after,),
            target=one.path,
        )
        last[stage.name] = one.id
        if not isinstance(one.item, Wait):
            built[stage.name] = one.id


def content_id(app: str) -> str:
    """Return the step that sends what an application has in no tree."""
    return f"content:{app}"


def _content_steps(design: Design, placed: Sequence[Placed]) -> Iterator[Step]:
    """Yield the steps that send what no tree can hold.

    They build on nothing: whether that is there, the bucket says.
    """
    for app in design.apps:
        pods = APPS[app.name].in_pods
        last = [one.id for one in placed if _phase(one) == app.name]
        if last and pods is not None and pods.sending is not None:
            title = "content from this machine"
            yield Step(id=content_id(app.name), phase=app.name, title=title, after=(last[-1],))


def _phase(one: Placed) -> str:
    return one.stage.name.partition("-")[2]


def _title(one: Placed) -> str:
    item = one.item
    if isinstance(item, Release):
        return f"{item.name} {item.chart.version}"
    if isinstance(item, Wait):
        name = "every" if item.name == "--all" else item.name
        path, _, value = item.condition.rpartition("=")
        # Of a number it says what is counted: the last word of its path.
        counted = f" {path.rpartition('.')[2].strip('{}')}" if value.isdigit() else ""
        return f"{name} {item.kind}: {value}{counted}"
    assert isinstance(item, Objects | Remote | NeededSecrets)
    return item.name.replace("-", " ")
