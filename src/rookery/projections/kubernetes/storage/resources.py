"""What Ceph's pods request, as Rook's charts take it; the figures are those of the design's table of pods."""

from __future__ import annotations

from typing import Any

from rookery.apps.ground.pods import sized
from rookery.design import pods
from rookery.design.model import DaemonKind, Design
from rookery.design.pods import daemon_sizes


def daemon_resources(design: Design, kind: DaemonKind) -> dict[str, Any]:
    """Return requests, and the limit of memory, of one daemon's container."""
    return sized(daemon_sizes(design)[kind])


def helper_resources() -> dict[str, Any]:
    """Return what the small helpers beside the daemons request, under the names that Rook gives them."""
    return {
        "prepareosd": sized(pods.PREPARE_OSD),
        "mgr-sidecar": sized(pods.MGR_SIDECAR),
        "crashcollector": sized(pods.CRASH_COLLECTOR),
        "logcollector": sized(pods.LOG_COLLECTOR),
        "cleanup": sized(pods.CLEANUP),
        "exporter": sized(pods.EXPORTER),
        "cmd-reporter": sized(pods.CMD_REPORTER),
    }
