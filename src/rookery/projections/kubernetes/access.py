"""The stage before the applications: who may speak to whom, and the one door from outside."""

from __future__ import annotations

from rookery.apps.policies import policy_items
from rookery.design.model import Design
from rookery.manifest import Stage
from rookery.projections.kubernetes.gateway import gateway_items

_WHY = """\
Nothing may speak to anything in the applications' namespace, and then exactly what each part needs is
allowed. The Gateway is the only way in from outside. It looks at the name that a client asks for (SNI) and
passes TLS through, so TLS ends where the data is: at the edges, at the S3 gateways, at Ceph's dashboard."""


def access_stage(design: Design) -> Stage:
    """Return the stage."""
    items = (*policy_items(design), *gateway_items(design))
    return Stage(name="70-access", title="Policies and the Gateway", why=_WHY, items=items)
