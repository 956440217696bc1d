"""The stage that watches: Prometheus, Alertmanager and Grafana, sized for small machines."""

from __future__ import annotations

from typing import Any

from rookery.apps.ground.names import BLOCK_CLASS, FILE_CLASS, MONITORING, NAMESPACE
from rookery.apps.ground.pods import quantity, sized
from rookery.design import pods
from rookery.design.cluster import ALERTMANAGER_VOLUME, PROMETHEUS_VOLUME, has_cilium, monitoring_storage
from rookery.design.model import Design
from rookery.manifest import Item, NeededSecret, NeededSecrets, Objects, Release, Stage, manifest
from rookery.projections.kubernetes.dashboards import dashboards
from rookery.versions import PROMETHEUS

_WHY = """\
It comes before Ceph, because Ceph's charts bring ServiceMonitors and rules, whose definitions are here.{own}
Ceph's alerts come with Rook's chart (`createPrometheusRules`); the dashboards are small ones of our own."""

_OWN = """ Its
own volumes are on Ceph ({name}): Prometheus' pod stays Pending until that storage class is there, which is
right."""

_GRAFANA_SECRET = "grafana-admin"  # noqa: S105 - the name of a secret


def monitoring_stage(design: Design) -> Stage:
    """Return the stage."""
    items: tuple[Item, ...] = (
        NeededSecrets(
            name="passwords",
            why="The password of Grafana's administrator.",
            secrets=(
                NeededSecret(
                    name=_GRAFANA_SECRET,
                    namespace=MONITORING,
                    username="admin",
                    why="Grafana's administrator",
                ),
            ),
        ),
        Release(
            name="kube-prometheus-stack",
            why="Prometheus with its operator, Alertmanager, Grafana and the exporters.",
            namespace=MONITORING,
            chart=PROMETHEUS,
            values=prometheus_values(design),
            waits=False,
        ),
    )
    items = (
        *items,
        Objects(
            name="dashboards",
            why="Dashboards for Grafana, whose sidecar finds them by their label.",
            objects=dashboards(MONITORING, site=bool(design.apps)),
        ),
    )
    if design.apps:
        items = (*items, _rules())
    name = volume_class(design)
    why = _WHY.format(own=_OWN.format(name=name) if name else "")
    return Stage(name="40-monitoring", title="Monitoring", why=why, items=items)


def prometheus_values(design: Design) -> dict[str, Any]:
    """Return the values of kube-prometheus-stack's chart."""
    nothing_by_helm = {
        f"{kind}SelectorNilUsesHelmValues": False for kind in ("serviceMonitor", "podMonitor", "rule")
    }
    return {
        "prometheus": {
            "prometheusSpec": {
                # Monitors and rules of all namespaces count, not only those of this release.
                **nothing_by_helm,
                "retention": "7d",
                "retentionSize": "8GB",
                "resources": sized(pods.PROMETHEUS),
                **_volume(design, "storageSpec", PROMETHEUS_VOLUME),
            }
        },
        "alertmanager": {
            "alertmanagerSpec": {
                "resources": sized(pods.ALERTMANAGER),
                **_volume(design, "storage", ALERTMANAGER_VOLUME),
            }
        },
        "grafana": _grafana(),
        "prometheusOperator": {"resources": sized(pods.PROMETHEUS_OPERATOR)},
        "kube-state-metrics": {"resources": sized(pods.STATE_METRICS)},
        "prometheus-node-exporter": {"resources": sized(pods.NODE_EXPORTER)},
        # Cilium does its work where it is.
        "kubeProxy": {"enabled": not has_cilium(design)},
    }


def _grafana() -> dict[str, Any]:
    # The password is made by whoever applies this tree; nothing here holds one.
    admin = {"existingSecret": _GRAFANA_SECRET, "userKey": "username", "passwordKey": "password"}
    return {"admin": admin, "resources": sized(pods.GRAFANA)}


def _volume(design: Design, key: str, size: int) -> dict[str, Any]:
    """Return the setting `key` of a volume of Ceph's, or none where nothing of Ceph's makes volumes: then it
    is a folder of the pod's own."""
    name = volume_class(design)
    if not name:
        return {}
    claim = {
        "storageClassName": name,
        "accessModes": ["ReadWriteOnce"],
        "resources": {"requests": {"storage": quantity(size)}},
    }
    return {key: {"volumeClaimTemplate": {"spec": claim}}}


def volume_class(design: Design) -> str:
    """Return the class of monitoring's volumes: block storage's, else CephFS', else none."""
    classes = {"rbd": BLOCK_CLASS, "cephfs": FILE_CLASS, "": ""}
    return classes[monitoring_storage(design)]


def _rules() -> Objects:
    """Return alerts on the media site: what a person on call would want to know of it."""
    groups = [{"name": "media-site", "rules": [*_site_rules(), *_storage_rules()]}]
    labels = {"app.kubernetes.io/part-of": "media-site"}
    return Objects(
        name="rules",
        why="Alerts on the media site, beside those on Ceph and on Kubernetes that the charts bring.",
        objects=(
            manifest(
                "monitoring.coreos.com/v1",
                "PrometheusRule",
                "media-site",
                namespace=MONITORING,
                labels=labels,
                spec={"groups": groups},
            ),
        ),
    )


def _site_rules() -> list[dict[str, Any]]:
    where = f'namespace="{NAMESPACE}"'
    missing = f"kube_deployment_status_replicas_available{{{where}}}"
    return [
        alert(
            "MediaSiteComponentDown",
            f"{missing} == 0",
            "2m",
            "critical",
            "No instance of {{ $labels.deployment }} is available: this part of the site is down.",
        ),
        alert(
            "MediaSiteInstanceMissing",
            f"{missing} < kube_deployment_spec_replicas{{{where}}}",
            "10m",
            "warning",
            "{{ $labels.deployment }} has fewer instances than designed: losing one more may stop it.",
        ),
        alert(
            "DatabaseReplicationLag",
            f"max by (pod) (cnpg_pg_replication_lag{{{where}}}) > 30",
            "5m",
            "warning",
            "The replica {{ $labels.pod }} is {{ $value }} s behind its primary.",
        ),
        alert(
            "DatabaseWithoutReplica",
            f"max(cnpg_pg_replication_streaming_replicas{{{where}}}) < 1",
            "10m",
            "warning",
            "No replica follows the primary: with synchronous replication, writes wait.",
        ),
    ]


def _storage_rules() -> list[dict[str, Any]]:
    where = f'namespace="{NAMESPACE}"'
    used = f"kubelet_volume_stats_used_bytes{{{where}}} / kubelet_volume_stats_capacity_bytes{{{where}}}"
    return [
        alert(
            "MediaSiteVolumeFilling",
            f"{used} > 0.85",
            "10m",
            "warning",
            "The volume {{ $labels.persistentvolumeclaim }} is {{ $value | humanizePercentage }} full; "
            "its claim can be made larger while it is in use.",
        ),
    ]


def alert(name: str, expr: str, after: str, severity: str, text: str) -> dict[str, Any]:
    """Return an alert that is raised once `expr` has held for as long as `after` says."""
    return {
        "alert": name,
        "expr": expr,
        "for": after,
        "labels": {"severity": severity},
        "annotations": {"summary": text},
    }
