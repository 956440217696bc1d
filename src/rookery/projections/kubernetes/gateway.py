"""The one door from outside: a Gateway that passes TLS through to whoever has the name that is asked for.

So TLS ends where the data is, as behind the lab's load balancer (decision 0010), and no key is kept here.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rookery.apps.ground.names import NAMESPACE, PART_OF
from rookery.design.model import Design
from rookery.manifest import Item, Manifest, Objects, Wait, common_labels, manifest
from rookery.projections.kubernetes.controllers import CONTROLLERS
from rookery.projections.kubernetes.doors import Door, doors_of

GATEWAY = "public"
_API = "gateway.networking.k8s.io/v1"
_GROUP = "gateway.networking.k8s.io"
_LABELS = common_labels("gateway", part_of=PART_OF)
_HTTP, _HTTPS = 80, 443


def gateway_items(design: Design) -> tuple[Item, ...]:
    """Return the Gateway and its routes; nothing where nothing is reached from outside."""
    doors = doors_of(design)
    if not doors:
        return ()
    assert design.kubernetes is not None, "only a design on Kubernetes has this projection"
    domain = design.kubernetes.domain
    away = tuple(door for door in doors if door.namespace != NAMESPACE)
    return (
        Objects(
            name="gateway",
            why="The Gateway: a listener for each name, and one that sends clear HTTP to HTTPS. Cilium makes "
            "a Service of type LoadBalancer for it.",
            objects=(_gateway(design, doors),),
        ),
        Objects(
            name="routes",
            why="Which Service has which name. A route leads into another namespace where a grant there lets "
            "it.",
            objects=(
                *(_route(door, domain) for door in doors),
                _redirect(doors, domain),
                *_grants(away),
            ),
        ),
        *([_address()] if has_address(design) else []),
    )


def has_address(design: Design) -> bool:
    """Whether somebody gives the Gateway an address: on a cloud its controller, if the tree installs one."""
    return design.traits.balancer != "cloud" or design.traits.controller


def _address() -> Wait:
    return Wait(
        kind="gateway", name=GATEWAY, condition="condition=Programmed", seconds=600, namespace=NAMESPACE
    )


def _gateway(design: Design, doors: tuple[Door, ...]) -> Manifest:
    assert design.kubernetes is not None
    here = {"namespaces": {"from": "Same"}}
    listeners: list[dict[str, Any]] = [
        {"name": "http", "protocol": "HTTP", "port": _HTTP, "allowedRoutes": here},
        *(
            {
                "name": door.name,
                "hostname": f"{door.name}.{design.kubernetes.domain}",
                "protocol": "TLS",
                "port": _HTTPS,
                "tls": {"mode": "Passthrough"},
                "allowedRoutes": here,
            }
            for door in doors
        ),
    ]
    annotations = _annotations(design)
    spec = {
        "gatewayClassName": "cilium",
        **({"infrastructure": {"annotations": annotations}} if annotations else {}),
        "listeners": listeners,
    }
    return manifest(_API, "Gateway", GATEWAY, namespace=NAMESPACE, labels=_LABELS, spec=spec)


def _annotations(design: Design) -> dict[str, str]:
    """Return what the provider's controller is told about the load balancer that it makes."""
    controller = CONTROLLERS.get(design.provider)
    # The name by which a teardown finds it: it carries no label of ours.
    return controller.balancer(f"{design.name}-{GATEWAY}") if controller is not None else {}


def _route(door: Door, domain: str) -> Manifest:
    backend: dict[str, Any] = {"name": door.service, "port": door.port}
    if door.namespace != NAMESPACE:
        backend["namespace"] = door.namespace
    spec = {
        "parentRefs": [{"name": GATEWAY, "sectionName": door.name}],
        "hostnames": [f"{door.name}.{domain}"],
        "rules": [{"backendRefs": [backend]}],
    }
    return manifest(_API, "TLSRoute", door.name, namespace=NAMESPACE, labels=_LABELS, spec=spec)


def _redirect(doors: tuple[Door, ...], domain: str) -> Manifest:
    redirect = {"type": "RequestRedirect", "requestRedirect": {"scheme": "https", "statusCode": 301}}
    spec = {
        "parentRefs": [{"name": GATEWAY, "sectionName": "http"}],
        "hostnames": [f"{door.name}.{domain}" for door in doors],
        "rules": [{"filters": [redirect]}],
    }
    return manifest(_API, "HTTPRoute", "to-https", namespace=NAMESPACE, labels=_LABELS, spec=spec)


def _grants(doors: tuple[Door, ...]) -> Iterator[Manifest]:
    """Yield for each other namespace the grant that routes of ours may lead to these Services there."""
    for namespace in dict.fromkeys(door.namespace for door in doors):
        services = [door.service for door in doors if door.namespace == namespace]
        spec = {
            "from": [{"group": _GROUP, "kind": "TLSRoute", "namespace": NAMESPACE}],
            "to": [{"group": "", "kind": "Service", "name": service} for service in services],
        }
        yield manifest(_API, "ReferenceGrant", GATEWAY, namespace=namespace, labels=_LABELS, spec=spec)
