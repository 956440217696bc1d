"""The steps that make a lab's servers for Kubernetes, as a provider would hand them out."""

from __future__ import annotations

from rookery.design.model import Design
from rookery.plan.kubernetes import IMAGE, MACHINES, needs_image
from rookery.plan.step import Step

NODE_IMAGE, IMAGE_STORE, NETWORK, SERVER = "node-image", "image-store", "network", "server"


def lab_node_steps(design: Design) -> tuple[Step, ...]:
    """Return the steps in an order in which each comes after those that it needs."""
    servers = (
        Step(
            id=f"{SERVER}:{host.name}",
            phase=MACHINES,
            title=f"start {host.name}",
            # One that runs goes on, whatever becomes of the image or of another's cable.
            after=(NODE_IMAGE, NETWORK),
            target=host.name,
        )
        for host in design.hosts
    )
    return (
        Step(id=NODE_IMAGE, phase=MACHINES, title="root image of the servers"),
        Step(
            id=IMAGE_STORE,
            phase=MACHINES,
            title="container images, unpacked once for all",
            needs=(NODE_IMAGE, *((IMAGE,) if needs_image(design) else ())),
        ),
        Step(id=NETWORK, phase=MACHINES, title="network of the servers"),
        *servers,
    )
