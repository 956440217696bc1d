"""The tree: each stage a folder, each item a numbered file in it, and what applies them in this order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from rookery.apps.table import APPS
from rookery.design.model import Design
from rookery.files import File
from rookery.manifest import Item, Objects, Release, Remote, Secrets, Stage, Wait
from rookery.projections.kubernetes.databases import databases_stage
from rookery.projections.kubernetes.emit import dump
from rookery.projections.kubernetes.foundation import foundation_stage
from rookery.projections.kubernetes.monitoring import monitoring_stage
from rookery.projections.kubernetes.namespaces import has_database, namespaces_stage
from rookery.projections.kubernetes.network import network_stage
from rookery.projections.kubernetes.storage import storage_stage

# Where each application's own stage begins; they follow each other in the order of their table.
_FIRST_APP = 71


@dataclass(frozen=True, slots=True, kw_only=True)
class Placed:
    """An item of a stage with the number and the path of its file, relative to the tree; some have none."""

    stage: Stage
    item: Item
    number: int
    path: str

    @property
    def id(self) -> str:
        """A name that no other item of the tree has."""
        name = "wait" if isinstance(self.item, Wait) else self.item.name
        return f"{self.stage.name[:2]}-{self.number:02}-{name}"


def build_stages(design: Design) -> tuple[Stage, ...]:
    """Return what is applied to the cluster of a design, from its namespaces to its site."""
    assert design.kubernetes is not None, "only a design on Kubernetes has this projection"
    stages = [namespaces_stage(design), network_stage(design), foundation_stage(design)]
    if design.kubernetes.monitoring:
        stages.append(monitoring_stage(design))
    stages.append(storage_stage(design))
    if has_database(design):
        stages.append(databases_stage(design))
    if design.apps:
        from rookery.projections.kubernetes.access import access_stage

        stages.append(access_stage(design))
    return (*stages, *_app_stages(design))


def _app_stages(design: Design) -> Iterator[Stage]:
    for number, app in enumerate(design.apps, _FIRST_APP):
        items = APPS[app.name].cluster_items(design, app)
        if items:
            title = f"Application: {app.name}"
            yield Stage(name=f"{number}-{app.name}", title=title, why=_first_words(app.name), items=items)


_ABOUT = {
    "database": "PostgreSQL for the catalogue: a primary and its replicas, each on a block volume of its own,"
    " and daily backups to a bucket.",
    "streaming": "Films and music are made by a job and published to a bucket; the live channel is written to"
    " the shared file system by one pod, and served by two.",
    "catalogue": "The HTTP API over the database: titles, plays, counts.",
    "cdn": "The website, published to a bucket, and the caching edges that serve it and everything below it.",
}


def _first_words(name: str) -> str:
    return _ABOUT.get(name, "")


def placed_items(stages: tuple[Stage, ...]) -> tuple[Placed, ...]:
    """Return every item of the stages with its number, in the order in which they are applied."""
    found = []
    for stage in stages:
        for place, item in enumerate(stage.items, 1):
            number = place * 10 if len(stage.items) < 10 else place
            path = f"{stage.name}/{_file_name(item, number)}" if isinstance(item, Objects | Release) else ""
            found.append(Placed(stage=stage, item=item, number=number, path=path))
    return tuple(found)


def _file_name(item: Objects | Release, number: int) -> str:
    suffix = ".values.yaml" if isinstance(item, Release) else ".yaml"
    return f"{number:02}-{item.name}{suffix}"


def stage_files(placed: tuple[Placed, ...]) -> Iterator[File]:
    """Yield a file for each item that has one: objects, or the values of a release."""
    for one in placed:
        item = one.item
        if isinstance(item, Objects):
            yield File.text(one.path, dump(item.objects, comment=item.why))
        elif isinstance(item, Release):
            chart = item.chart
            said = f"{item.why}\nValues of {chart.name} {chart.version} from {chart.repository}"
            yield File.text(one.path, dump((item.values,), comment=said))
        else:
            assert isinstance(item, Remote | Secrets | Wait)


def render_kubernetes(design: Design, *, gitops: str = "") -> tuple[File, ...]:
    """Return the tree of a design, relative to its folder; with `gitops="flux"` Flux' objects too."""
    from rookery.projections.kubernetes.bootstrap import render_bootstrap
    from rookery.projections.kubernetes.flux import render_flux
    from rookery.projections.kubernetes.guide import render_guide
    from rookery.projections.kubernetes.script import render_script

    placed = placed_items(build_stages(design))
    return (
        File.text("README.md", render_guide(design, placed)),
        File.text("apply.sh", render_script(design, placed), mode=0o755),
        *render_bootstrap(design),
        *stage_files(placed),
        *(render_flux(design, placed) if gitops == "flux" else ()),
    )
