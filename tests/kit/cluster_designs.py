"""Designs on Kubernetes, of specs that tests write as data or draw by chance."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml
from hypothesis import strategies as st

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.model import Design
from rookery.spec.load import read_pattern
from rookery.spec.parse import parse_spec

NO_APPS = {"database": None, "streaming": None, "catalogue": None, "cdn": None}


def design(**data: Any) -> Design:
    whole = {"apiVersion": "rookery/v1", "platform": "kubernetes", "pattern": "production-minimum", **data}
    spec = parse_spec(
        yaml.safe_dump({"provider": "existing", **whole}),
        file="demo.yaml",
        settings=SETTINGS,
        read_pattern=lambda name: read_pattern(name, relative_to=Path()),
    )
    return build_design(spec, placers=PLACERS)


@st.composite
def storage_of(draw: st.DrawFn, nodes: int) -> dict[str, Any]:
    active = draw(st.integers(1, nodes // 2))
    return {
        "mons": draw(st.sampled_from([1, 3])),
        "mgrs": draw(st.integers(1, 3)),
        "dashboard": draw(st.booleans()),
        "block": {"enabled": draw(st.booleans())},
        "file": {
            "enabled": draw(st.booleans()),
            "mds": {"active": active, "standby": draw(st.sampled_from([0, active]))},
        },
        "object": {"enabled": draw(st.booleans()), "gateways": draw(st.integers(1, nodes))},
    }


@st.composite
def apps_of(draw: st.DrawFn, storage: dict[str, Any]) -> dict[str, Any]:
    """Draw applications whose storage is there."""
    block, file, store = (storage[kind]["enabled"] for kind in ("block", "file", "object"))
    streams: list[dict[str, Any]] = [{"channel": False}, *([{}, {"media": "films"}] if file else [])]
    database: dict[str, Any] | None = draw(st.sampled_from([None, {}])) if block else None
    streaming: dict[str, Any] | None = draw(st.sampled_from([None, *streams])) if store else None
    both = database is not None and streaming is not None
    return {
        "database": database,
        "streaming": streaming,
        "catalogue": draw(st.sampled_from([None, {}])) if both else None,
        "cdn": draw(st.sampled_from([None, {}])) if store else None,
    }


@st.composite
def backup_of(draw: st.DrawFn, storage: dict[str, Any]) -> dict[str, Any] | None:
    """Draw whether and how there are backups, where there is storage for them."""
    if not storage["object"]["enabled"]:
        return None
    recipients = ["age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p"]
    copy = {"name": "away", "endpoint": "https://s3.example.org", "bucket": "rookery-away"}
    whole = {"lock": None, "copies": [copy], "encryption": {"recipients": recipients}}
    return draw(st.sampled_from([None, {}, whole]))
