"""What a design asks of a cloud: its resources, the steps that make them, and what waits for what.

Names follow from the system's name alone, so that whoever knows it finds everything, on any machine. As much
as possible is made side by side: a volume while its server starts, a load balancer beside both.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from rookery.design.cluster import API_PORT
from rookery.design.model import Design, Drive, Frontend, Host, Role
from rookery.plan.kubernetes import MACHINES
from rookery.plan.resources import (
    AttachmentWish,
    BalancerWish,
    FirewallWish,
    GroupWish,
    KeyWish,
    Kind,
    NetworkWish,
    Opening,
    Resource,
    ServerWish,
    Service,
    TargetWish,
    VolumeWish,
)
from rookery.plan.step import Step

NETWORK, FIREWALL, KEY, BALANCER, LEASE = "network", "firewall", "key", "balancer", "lease"
GROUP, SERVER, VOLUME, ATTACHED, TARGET = "group", "server", "volume", "attached", "target"
READY = "ready"
_SSH = 22
# Of servers that must not stand on one machine of the cloud, those first whose loss counts most: they share
# a group with their like.
_ORDER = (Role.CONTROL_PLANE, Role.STORAGE, Role.WORKER)


def cloud_resources(design: Design, *, machines: Mapping[str, str], public_key: str) -> tuple[Resource, ...]:
    """Return all that a design asks of its cloud, in an order in which each comes after what it needs.

    `machines` are the types of the servers by their hosts' names, `public_key` who may log in.
    """
    name = design.name
    groups = _groups(design)
    return (
        Resource(
            kind=Kind.NETWORK,
            id=NETWORK,
            name=name,
            wish=NetworkWish(cidr=design.network.public, mtu=design.network.mtu),
        ),
        *([_key(name, public_key)] if design.traits.keeps_keys else []),
        Resource(
            kind=Kind.FIREWALL,
            id=FIREWALL,
            name=name,
            wish=FirewallWish(network=NETWORK, openings=_openings(design)),
        ),
        *(
            Resource(
                kind=Kind.GROUP,
                id=group,
                name=f"{name}-{group.partition(':')[2]}",
                wish=_group(groups, group),
            )
            for group in dict.fromkeys(groups.values())
        ),
        *(_server(design, host, machines[host.name], groups, public_key) for host in design.servers),
        *(one for host in design.servers for drive in host.drives for one in _drive(name, host, drive)),
        *_balancer(design),
    )


def cloud_steps(resources: Iterable[Resource], *, leased: bool = False) -> tuple[Step, ...]:
    """Return the step of each resource, and for each server one that waits until one can log in.

    Where they are `leased`, one more marks what was there with the end that it is to have now.
    """
    lease = Step(id=LEASE, phase=MACHINES, title="end of the lease, on all that is there", elsewhere=True)
    steps = (step for resource in resources for step in _steps(resource))
    return (*([lease] if leased else []), *steps)


def longest_chain(steps: Sequence[Step], seconds: Callable[[Step], float]) -> tuple[Step, ...]:
    """Return the steps that must follow each other and take longest in all, by what each takes."""
    ends: dict[str, tuple[float, tuple[Step, ...]]] = {}
    for step in steps:
        before = [ends[need] for need in (*step.needs, *step.after) if need in ends]
        since, chain = max(before, key=lambda one: one[0], default=(0.0, ()))
        ends[step.id] = (since + seconds(step), (*chain, step))
    return max(ends.values(), key=lambda one: one[0], default=(0.0, ()))[1]


def reached_host(step: Step) -> str:
    """Return the host of a step that waits for one to be reached; empty for others."""
    return step.target if step.id.startswith(f"{READY}:") else ""


def _steps(resource: Resource) -> Iterator[Step]:
    wish = resource.wish
    target = wish.host if isinstance(wish, ServerWish) else resource.name
    yield Step(
        id=resource.id,
        phase=MACHINES,
        title=f"{resource.kind} {_shown(resource)}",
        needs=resource.needs,
        target=target,
        elsewhere=True,
    )
    if isinstance(wish, ServerWish):
        yield Step(
            id=f"{READY}:{wish.host}",
            phase=MACHINES,
            title=f"{wish.host} lets one in",
            needs=(resource.id,),
            target=wish.host,
            elsewhere=True,
        )


def _shown(resource: Resource) -> str:
    wish = resource.wish
    if isinstance(wish, ServerWish):
        return f"{resource.name}, {wish.machine}"
    if isinstance(wish, TargetWish):
        return f"{resource.name} of the load balancer"
    return resource.name


def _openings(design: Design) -> tuple[Opening, ...]:
    api = Opening(port=API_PORT, why="the API server, which has no load balancer before it from outside")
    direct = design.load_balancer is None or not design.traits.balancer_outside
    return (
        Opening(port=_SSH, why="playbooks and people, by key only"),
        Opening(port=0, why="what says that a packet was too large, and ping"),
        *([api] if direct else []),
    )


def _groups(design: Design) -> Mapping[str, str]:
    """Return the id of each server's placement group; none where the cloud has none."""
    most = design.traits.spread
    if not most:
        return {}
    first = {host.name: min(_ORDER.index(role) for role in host.roles) for host in design.servers}
    ordered = sorted(design.servers, key=lambda host: first[host.name])
    return {host.name: f"{GROUP}:{number // most + 1}" for number, host in enumerate(ordered)}


def _group(groups: Mapping[str, str], group: str) -> GroupWish:
    return GroupWish(servers=sum(one == group for one in groups.values()))


def _key(name: str, public: str) -> Resource:
    return Resource(kind=Kind.KEY, id=KEY, name=name, wish=KeyWish(public=public))


def _server(design: Design, host: Host, machine: str, groups: Mapping[str, str], public_key: str) -> Resource:
    wish = ServerWish(
        host=host.name,
        machine=machine,
        disk=host.disk,
        address=host.address,
        network=NETWORK,
        firewall=FIREWALL,
        key=KEY if design.traits.keeps_keys else "",
        public_key=public_key,
        group=groups.get(host.name, ""),
        user_data=_user_data(design, host),
    )
    return Resource(
        kind=Kind.SERVER, id=f"{SERVER}:{host.name}", name=f"{design.name}-{host.name}", wish=wish
    )


def _user_data(design: Design, host: Host) -> str:
    """Return what cloud-init does at the first start: all that playbooks need is a Python and a login."""
    asked = {
        "hostname": host.name,
        "ssh_pwauth": False,
        "disable_root": design.traits.login != "root",
        # Nothing holds apt's lock, and nothing restarts, while the playbooks install.
        "package_update": False,
        "package_upgrade": False,
    }
    return f"#cloud-config\n{json.dumps(asked, indent=1)}\n"


def _drive(system: str, host: Host, drive: Drive) -> tuple[Resource, Resource]:
    part = f"{host.name}-{drive.name}"
    volume, name = f"{VOLUME}:{part}", f"{system}-{part}"
    attachment = AttachmentWish(volume=volume, server=f"{SERVER}:{host.name}", drive=drive.name)
    return (
        Resource(
            kind=Kind.VOLUME,
            id=volume,
            name=name,
            wish=VolumeWish(size=drive.size, device_class=drive.device_class),
        ),
        Resource(kind=Kind.ATTACHMENT, id=f"{ATTACHED}:{part}", name=name, wish=attachment),
    )


def _balancer(design: Design) -> Iterator[Resource]:
    """Yield the load balancer of the API servers, and its targets.

    What leads to the applications is made by the cloud's controller, once there is a cluster.
    """
    balancer = design.load_balancer
    if balancer is None:
        return
    api = next(front for front in design.frontends if front.port == API_PORT)
    wish = BalancerWish(address=balancer.address, network=NETWORK, services=(_service(api),))
    yield Resource(kind=Kind.BALANCER, id=BALANCER, name=f"{design.name}-{api.name}", wish=wish)
    for name, _ in api.backends:
        yield Resource(
            kind=Kind.TARGET,
            id=f"{TARGET}:{name}",
            name=f"{design.name}-{name}",
            wish=TargetWish(balancer=BALANCER, server=f"{SERVER}:{name}"),
        )


def _service(front: Frontend) -> Service:
    return Service(name=front.name, port=front.port, check=front.check)
