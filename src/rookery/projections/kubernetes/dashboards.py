"""Grafana's dashboards: Ceph and the media site, as ConfigMaps that Grafana's sidecar finds by their label.

They are ours and small instead of fetched from Grafana's library, which a closed network does not reach.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from rookery.apps.ground.names import NAMESPACE
from rookery.manifest import Manifest, manifest

_WIDTH, _HEIGHT, _PER_ROW = 8, 7, 3
_SOURCE = {"type": "prometheus", "uid": "prometheus"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """One graph: expressions of Prometheus with what each is called, in a unit of Grafana's.

    With `now`, the latest value is shown as a number instead of its course.
    """

    title: str
    unit: str
    lines: tuple[tuple[str, str], ...]
    now: bool = False


_CEPH = (
    Panel(title="Health (0 is OK)", unit="short", lines=(("ceph_health_status", "status"),), now=True),
    Panel(
        title="OSDs up and in",
        unit="short",
        lines=(("sum(ceph_osd_up)", "up"), ("sum(ceph_osd_in)", "in")),
        now=True,
    ),
    Panel(
        title="Raw space used",
        unit="percentunit",
        lines=(("ceph_cluster_total_used_bytes / ceph_cluster_total_bytes", "used"),),
        now=True,
    ),
    Panel(
        title="Placement groups that are not clean",
        unit="short",
        lines=(("sum(ceph_pg_total) - sum(ceph_pg_clean)", "not clean"),),
    ),
    Panel(
        title="Client operations",
        unit="ops",
        lines=(
            ("sum(rate(ceph_osd_op_r[1m]))", "reads"),
            ("sum(rate(ceph_osd_op_w[1m]))", "writes"),
        ),
    ),
    Panel(
        title="Client traffic",
        unit="Bps",
        lines=(
            ("sum(rate(ceph_osd_op_r_out_bytes[1m]))", "read"),
            ("sum(rate(ceph_osd_op_w_in_bytes[1m]))", "written"),
        ),
    ),
    Panel(
        title="Commit latency of OSDs",
        unit="ms",
        lines=(
            ("avg(ceph_osd_commit_latency_ms)", "average"),
            ("max(ceph_osd_commit_latency_ms)", "slowest"),
        ),
    ),
    Panel(
        title="Recovery",
        unit="ops",
        lines=(("sum(rate(ceph_osd_recovery_ops[1m]))", "objects a second"),),
    ),
    Panel(
        title="Fullest OSDs",
        unit="percentunit",
        lines=(("topk(5, ceph_osd_stat_bytes_used / ceph_osd_stat_bytes)", "{{ceph_daemon}}"),),
    ),
)

_WHERE = f'namespace="{NAMESPACE}"'
_VOLUMES = f"kubelet_volume_stats_{{}}_bytes{{{{{_WHERE}}}}}"
_FILLED = f"{_VOLUMES.format('used')} / {_VOLUMES.format('capacity')}"
_SITE = (
    Panel(
        title="Instances available",
        unit="short",
        lines=((f"kube_deployment_status_replicas_available{{{_WHERE}}}", "{{deployment}}"),),
    ),
    Panel(
        title="Replication lag of the database",
        unit="s",
        lines=((f"max by (pod) (cnpg_pg_replication_lag{{{_WHERE}}})", "{{pod}}"),),
    ),
    Panel(
        title="Transactions of the database",
        unit="ops",
        lines=(
            (f"sum by (datname) (rate(cnpg_pg_stat_database_xact_commit{{{_WHERE}}}[1m]))", "{{datname}}"),
        ),
    ),
    Panel(
        title="CPU of pods",
        unit="short",
        lines=(
            (
                f'sum by (pod) (rate(container_cpu_usage_seconds_total{{{_WHERE}, container!=""}}[2m]))',
                "{{pod}}",
            ),
        ),
    ),
    Panel(
        title="Memory of pods",
        unit="bytes",
        lines=((f'sum by (pod) (container_memory_working_set_bytes{{{_WHERE}, container!=""}})', "{{pod}}"),),
    ),
    Panel(title="Volumes", unit="percentunit", lines=((_FILLED, "{{persistentvolumeclaim}}"),)),
)


def dashboards(namespace: str, *, site: bool) -> tuple[Manifest, ...]:
    """Return the dashboards, that of the media site where there is one."""
    wanted = [("ceph", "Ceph", _CEPH), *([("media-site", "Media site", _SITE)] if site else [])]
    return tuple(
        manifest(
            "v1",
            "ConfigMap",
            f"dashboard-{name}",
            namespace=namespace,
            labels={"grafana_dashboard": "1"},
            data={f"{name}.json": json.dumps(_dashboard(name, title, panels), indent=1) + "\n"},
        )
        for name, title, panels in wanted
    )


def _dashboard(name: str, title: str, panels: Sequence[Panel]) -> dict[str, Any]:
    return {
        "uid": f"rookery-{name}",
        "title": title,
        "tags": ["rookery"],
        "timezone": "utc",
        "schemaVersion": 39,
        "refresh": "10s",
        "time": {"from": "now-30m", "to": "now"},
        "panels": [_panel(number, panel) for number, panel in enumerate(panels)],
    }


def _panel(number: int, panel: Panel) -> dict[str, Any]:
    place = {
        "x": number % _PER_ROW * _WIDTH,
        "y": number // _PER_ROW * _HEIGHT,
        "w": _WIDTH,
        "h": _HEIGHT,
    }
    return {
        "id": number + 1,
        "type": "stat" if panel.now else "timeseries",
        "title": panel.title,
        "datasource": _SOURCE,
        "gridPos": place,
        "fieldConfig": {"defaults": {"unit": panel.unit, "min": 0}, "overrides": []},
        "targets": list(_targets(panel)),
    }


def _targets(panel: Panel) -> Iterator[dict[str, Any]]:
    for letter, (expression, legend) in zip("ABCDEF", panel.lines, strict=False):
        yield {
            "refId": letter,
            "datasource": _SOURCE,
            "expr": expression,
            "legendFormat": legend,
            "instant": panel.now,
        }
