"""The design's facts for machines: design.json. Whoever reads the site may read these; no key is there."""

from __future__ import annotations

import json
from typing import Any

from rookery.apps.cdn.site.pages.facts import capacity
from rookery.design.model import Design, Host
from rookery.design.stored import Pool


def render_record(design: Design) -> str:
    """Return the facts as JSON."""
    room = capacity(design)
    network = design.network
    record = {
        "name": design.name,
        "description": design.description,
        "provider": design.provider,
        "platform": design.platform,
        "network": {
            "public": network.public,
            "gateway": network.gateway,
            "cluster": network.cluster or None,
            "mtu": network.mtu,
            "encryption": network.encryption,
        },
        "capacity": {
            "raw": room.raw,
            "reserve": room.reserve,
            "slack": room.slack,
            "redundancy": room.redundancy,
            "usable": room.usable,
        },
        "hosts": [_host(host) for host in design.hosts],
        "pools": [_pool(pool) for pool in design.pools],
        "loadBalancer": [
            {
                "name": front.name,
                "port": front.port,
                "backends": [name for name, _ in front.backends],
                "backendPort": front.backend_port,
            }
            for front in design.frontends
        ],
        "buckets": [bucket.name for bucket in design.buckets],
        "apps": [app.name for app in design.apps],
    }
    return json.dumps(record, indent=1, ensure_ascii=False) + "\n"


def _host(host: Host) -> dict[str, Any]:
    return {
        "name": host.name,
        "roles": [str(role) for role in host.roles],
        "address": host.address,
        "clusterAddress": host.cluster_address or None,
        "cpus": host.cpus,
        "memory": host.memory,
        "disk": host.disk,
        "drives": [
            {"name": drive.name, "size": drive.size, "class": drive.device_class} for drive in host.drives
        ],
        "daemons": [daemon.name for daemon in host.daemons],
        "instances": [instance.name for instance in host.instances],
    }


def _pool(pool: Pool) -> dict[str, Any]:
    code = pool.erasure_code
    return {
        "name": pool.name,
        "application": pool.application,
        "size": pool.size,
        "minSize": pool.min_size,
        "pgNum": pool.pg_num,
        "erasureCode": None if code is None else {"k": code.k, "m": code.m},
        "overhead": pool.overhead,
    }
