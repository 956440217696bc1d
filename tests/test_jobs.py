"""Jobs of which there is one at a time: what did the same before goes first, by whatever way they come."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from typing import Any

import yaml

from rookery.apps.ground.names import NAMESPACE
from rookery.design.model import Design
from rookery.manifest import JOB_LABEL, Objects, jobs_of
from rookery.projections.kubernetes import build_stages, render_kubernetes
from rookery.projections.kubernetes.placed import Placed, placed_items
from rookery.run.workspace import open_spec
from rookery.systems.kubernetes.items import Applier
from tests.kit.fake_cluster import FakeHelm, FakeKubectl

# What Flux may remove because the tree has it no more: none of these holds data.
HARMLESS = {
    "Certificate",
    "ConfigMap",
    "CronJob",
    "Job",
    "NetworkPolicy",
    "ServiceAccount",
}


@cache
def design() -> Design:
    return open_spec("production-minimum", as_new=True, provider="existing").design


def with_jobs() -> list[tuple[Placed, Objects]]:
    placed = placed_items(build_stages(design()))
    return [(one, one.item) for one in placed if isinstance(one.item, Objects) and any(jobs_of(one.item))]


def quiet(_text: str) -> None:
    """Hears what is reported, and forgets it."""


def test_every_job_is_one_of_these() -> None:
    found = [job.work for _, item in with_jobs() for job in jobs_of(item)]
    assert sorted(found) == [
        "backup-bucket",
        "catalogue-schema",
        "cdn-versions",
        "dashboard-certificate",
        "site-publisher",
        "streaming-packager",
        "streaming-versions",
    ]
    jobs = [
        one
        for stage in build_stages(design())
        for item in stage.items
        if isinstance(item, Objects)
        for one in item.objects
        if one["kind"] == "Job"
    ]
    assert len(jobs) == len(found)
    # What a CronJob makes goes by its own rules, and its pods are found by what they are.
    for job in jobs:
        assert JOB_LABEL not in job["spec"]["template"]["metadata"]["labels"]


def test_a_job_takes_the_place_of_the_one_before_it_even_where_it_was_there_earlier() -> None:
    kubectl = FakeKubectl()
    to = Applier(kubectl=kubectl, helm=FakeHelm(), charts={}, remotes={})
    first, item = next((one, item) for one, item in with_jobs() if item.name == "publisher")
    job: Any = next(one for one in item.objects if one["kind"] == "Job")
    other = {**job, "metadata": {**job["metadata"], "name": "site-publisher-0123456789"}}
    second = replace(first, item=replace(item, objects=(other,)))
    kubectl.put({"kind": "Job", "metadata": {"name": "somebody-elses", "namespace": NAMESPACE}})

    def jobs() -> list[str]:
        return [name for kind, _, name in sorted(kubectl.objects) if kind == "job"]

    to.apply(first, quiet)
    to.apply(second, quiet)
    assert jobs() == ["site-publisher-0123456789", "somebody-elses"]
    # What was wanted first is wanted again: its Job is not there any more, so it runs.
    assert to.facts([second]) == {second.id}
    to.apply(first, quiet)
    assert jobs() == [job["metadata"]["name"], "somebody-elses"]
    assert to.facts([first]) == {first.id}
    # A tree that was applied by other means left an earlier one.
    kubectl.put(other)
    assert to.facts([first]) == frozenset()


def test_flux_removes_what_is_no_more_only_where_there_are_jobs() -> None:
    files = {file.path: file for file in render_kubernetes(design(), gitops="flux")}
    chain = list(yaml.safe_load_all(files["flux/sync.yaml"].content))
    pruned = [one["metadata"]["name"] for one in chain if one["spec"]["prune"]]
    assert pruned == [one.id for one, _ in with_jobs()]
    kinds = {one["kind"] for _, item in with_jobs() for one in item.objects}
    assert kinds <= HARMLESS


def test_the_guide_has_the_command() -> None:
    guide = next(file for file in render_kubernetes(design()) if file.path == "README.md").content.decode()
    _, item = next((one, item) for one, item in with_jobs() if item.name == "publisher")
    [job] = jobs_of(item)
    assert (
        "kubectl delete jobs --namespace media --selector rookery.io/job=site-publisher \\\n"
        f"    --field-selector metadata.name!={job.name} --cascade=foreground\n"
        "kubectl apply --server-side -f 74-cdn/"
    ) in guide
