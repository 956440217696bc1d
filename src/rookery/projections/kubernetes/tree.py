"""The tree: each stage a folder, each item a numbered file in it, and what applies them in this order."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace

from rookery.apps.pod_image import image_reference
from rookery.apps.table import APPS
from rookery.design.model import Design
from rookery.files import File
from rookery.manifest import NeededSecrets, Objects, Release, Remote, Stage, Wait
from rookery.projections.kubernetes.access import access_stage
from rookery.projections.kubernetes.backups import backup_of, backups_stage
from rookery.projections.kubernetes.balancer import needs_balancer, render_balancer
from rookery.projections.kubernetes.bootstrap import render_bootstrap
from rookery.projections.kubernetes.databases import databases_stage
from rookery.projections.kubernetes.emit import dump
from rookery.projections.kubernetes.flux import render_flux
from rookery.projections.kubernetes.foundation import foundation_stage
from rookery.projections.kubernetes.guide import render_guide
from rookery.projections.kubernetes.monitoring import monitoring_stage
from rookery.projections.kubernetes.namespaces import (
    has_database,
    has_site_namespace,
    namespaces_stage,
)
from rookery.projections.kubernetes.network import network_stage
from rookery.projections.kubernetes.placed import Placed, placed_items
from rookery.projections.kubernetes.recovery import recovery_items
from rookery.projections.kubernetes.script import render_script
from rookery.projections.kubernetes.storage import storage_stage

# Where each application's own stage begins; they follow each other in the order of their table.
_FIRST_APP = 71


def build_stages(design: Design, *, image: str = "") -> tuple[Stage, ...]:
    """Return what is applied to the cluster of a design, from its namespaces to its site.

    `image` is what pods name our image by; empty where it is as this version builds it.
    """
    assert design.kubernetes is not None, "only a design on Kubernetes has this projection"
    stages = [namespaces_stage(design), network_stage(design), foundation_stage(design)]
    if design.kubernetes.monitoring:
        stages.append(monitoring_stage(design))
    stages.append(storage_stage(design))
    if has_database(design):
        stages.append(databases_stage(design))
    own = image or image_reference()
    backup = backup_of(design)
    if backup is not None:
        stages.append(backups_stage(backup, design, own))
    if has_site_namespace(design):
        stages.append(access_stage(design))
    stages += _app_stages(design, own)
    names = {stage.name.partition("-")[2]: stage.name for stage in stages}
    return tuple(replace(stage, after=_after(stage.name, names)) for stage in stages)


# What each stage builds on, where it is there; an application builds on all that is before applications, and
# on the applications before it.
_BUILDS_ON = {
    "namespaces": (),
    "network": ("namespaces",),
    "foundation": ("network",),
    "monitoring": ("network",),
    # Ceph's charts bring ServiceMonitors and rules, whose definitions come with monitoring.
    "storage": ("foundation", "monitoring"),
    "databases": ("foundation", "monitoring"),
    "backups": ("storage",),
    "access": ("foundation",),
}


def _after(name: str, names: Mapping[str, str]) -> tuple[str, ...]:
    short = name.partition("-")[2]
    if short in _BUILDS_ON:
        return tuple(names[one] for one in _BUILDS_ON[short] if one in names)
    return tuple(other for other in names.values() if other < name)


def _app_stages(design: Design, image: str) -> Iterator[Stage]:
    for number, app in enumerate(design.apps, _FIRST_APP):
        row = APPS[app.name]
        items = row.in_pods.items(design, app, image) if row.in_pods is not None else ()
        if items:
            assert row.in_pods is not None
            title, why = f"Application: {app.name}", row.in_pods.about or row.about
            yield Stage(name=f"{number}-{app.name}", title=title, why=why, items=items)


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
            assert isinstance(item, Remote | NeededSecrets | Wait)


def render_kubernetes(design: Design, *, gitops: str = "", image: str = "") -> tuple[File, ...]:
    """Return the tree of a design, relative to its folder; with `gitops="flux"` Flux' objects too.

    `image` is what pods name our image by; empty where it is as this version builds it.
    """
    placed = placed_items(build_stages(design, image=image))
    return (
        File.text("README.md", render_guide(design, placed, image)),
        File.text("apply.sh", render_script(design, placed), mode=0o755),
        *((File.text("haproxy.cfg", render_balancer(design)),) if needs_balancer(design) else ()),
        *render_bootstrap(design, image=image),
        *stage_files(placed),
        *(File.text(path, dump(item.objects, comment=item.why)) for path, item in recovery_items(design)),
        *(render_flux(design, placed) if gitops == "flux" else ()),
    )
