"""Secrets of a cluster that come from whoever made its servers: laid by standard input, compared by value."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterable

from rookery.drivers.kubernetes.kubectl import Kubectl
from rookery.manifest import Item, Wait
from rookery.projections.kubernetes.placed import Placed
from rookery.systems.servers import ClusterSecret, Told


def lay_secrets(kubectl: Kubectl, secrets: Iterable[ClusterSecret]) -> None:
    """Make secrets what they are to be. Arguments show to everyone who looks: these go by standard input."""
    for one in secrets:
        document = {
            "apiVersion": "v1",
            "kind": "Secret",
            "metadata": {"name": one.name, "namespace": one.namespace},
            "type": "Opaque",
            "data": _encoded(one),
        }
        kubectl.apply("-", stdin=json.dumps(document))


def secrets_for(item: Item, told: Callable[[], Told]) -> tuple[ClusterSecret, ...]:
    """Return the secret that an item waits for, where whoever made the servers knows what is in it."""
    if not isinstance(item, Wait) or item.kind != "secret":
        return ()
    return tuple(one for one in told().secrets if (one.name, one.namespace) == (item.name, item.namespace))


def old_secrets(kubectl: Kubectl, placed: Iterable[Placed], told: Callable[[], Told]) -> frozenset[str]:
    """Return the items that wait for a secret which is there with other values than it is to have."""
    return frozenset(
        one.id for one in placed if not all(_has(kubectl, two) for two in secrets_for(one.item, told))
    )


def _has(kubectl: Kubectl, wanted: ClusterSecret) -> bool:
    found = kubectl.find("secret", wanted.name, namespace=wanted.namespace)
    return found is not None and found.get("data") == _encoded(wanted)


def _encoded(secret: ClusterSecret) -> dict[str, str]:
    return {name: base64.b64encode(value.encode()).decode() for name, value in secret.values.items()}
