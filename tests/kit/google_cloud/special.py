"""The methods that only one kind of thing has: disks attached, groups joined, images, types, rights."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from tests.kit.google_cloud.rules import GLOBAL, REGIONAL, quotas
from tests.kit.google_cloud.state import (
    LINK,
    MACHINES,
    PROJECT,
    REGION,
    ZONES,
    Json,
    Project,
    Refused,
    Thing,
    path_of,
    place,
    references,
    relative,
)

Special = Callable[[Project, Mapping[str, str], Mapping[str, str], Json], Json]


def _attach(project: Project, path: Mapping[str, str], query: Mapping[str, str], body: Json) -> Json:
    scope = f"zones/{path['zone']}"
    instance = project.get(path_of(scope, "instances", path["instance"]))
    disk = project.usable(relative(body["source"]))
    if instance.body["status"] not in ("RUNNING", "TERMINATED"):
        raise Refused(400, "resourceNotReady", f"The resource '{instance.path}' is not ready")
    if disk.body["users"]:
        what = f"The disk resource '{disk.path}' is already being used by '{disk.body['users'][0]}'"
        raise Refused(400, "resourceInUseByAnotherResource", what)
    name = body.get("deviceName", f"persistent-disk-{len(instance.body['disks'])}")
    if any(one["deviceName"] == name for one in instance.body["disks"]):
        raise Refused(400, "invalid", f"Invalid value for field 'resource.deviceName': '{name}' is in use")
    attached = {
        "kind": "compute#attachedDisk",
        "type": "PERSISTENT",
        "mode": "READ_WRITE",
        "autoDelete": False,
        "index": len(instance.body["disks"]),
        **body,
        "deviceName": name,
        "source": LINK + disk.path,
    }
    instance.body["disks"] = [*instance.body["disks"], attached]
    disk.body["users"] = [LINK + instance.path]
    return project.operate(scope, "attachDisk", instance.path, lambda: None)


def _detach(project: Project, path: Mapping[str, str], query: Mapping[str, str], body: Json) -> Json:
    scope = f"zones/{path['zone']}"
    instance = project.get(path_of(scope, "instances", path["instance"]))
    gone = [one for one in instance.body["disks"] if one["deviceName"] == query["deviceName"]]
    if not gone:
        raise Refused(400, "invalid", f"No attached disk found with device name '{query['deviceName']}'")
    instance.body["disks"] = [one for one in instance.body["disks"] if one not in gone]
    project.things[relative(gone[0]["source"])].body["users"] = []
    return project.operate(scope, "detachDisk", instance.path, lambda: None)


def _start(project: Project, path: Mapping[str, str], query: Mapping[str, str], body: Json) -> Json:
    scope = f"zones/{path['zone']}"
    instance = project.get(path_of(scope, "instances", path["instance"]))
    return project.operate(scope, "start", instance.path, lambda: instance.body.update(status="RUNNING"))


def _join(project: Project, path: Mapping[str, str], query: Mapping[str, str], body: Json) -> Json:
    scope = f"zones/{path['zone']}"
    group = project.usable(path_of(scope, "instanceGroups", path["instanceGroup"]))
    for one in body["instances"]:
        instance = project.usable(relative(one["instance"]))
        if instance.path in group.members:
            what = f"The resource '{instance.path}' is already a member of '{group.path}'"
            raise Refused(400, "memberAlreadyExists", what)
        if relative(group.body["network"]) not in references(instance.body):
            raise Refused(400, "invalid", f"'{instance.path}' is not in the network of '{group.path}'")
        group.members.add(instance.path)
    group.body["size"] = len(group.members)
    return project.operate(scope, "addInstances", group.path, lambda: None)


def _members(project: Project, path: Mapping[str, str], query: Mapping[str, str], body: Json) -> Json:
    group = project.get(path_of(f"zones/{path['zone']}", "instanceGroups", path["instanceGroup"]))
    items = [
        {"instance": LINK + one, "status": project.get(one).body["status"]} for one in sorted(group.members)
    ]
    return {"kind": "compute#instanceGroupsListInstances", "items": items}


def _image(project: Project, path: Mapping[str, str], query: Mapping[str, str], body: Json) -> Json:
    if (path["project"], path["family"]) != ("ubuntu-os-cloud", "ubuntu-2204-lts"):
        raise Refused(404, "notFound", f"The resource '{path['family']}' was not found")
    link = f"{LINK}projects/ubuntu-os-cloud/global/images/ubuntu-2204-jammy-v20261101"
    return {
        "kind": "compute#image",
        "id": "1",
        "name": "ubuntu-2204-jammy-v20261101",
        "selfLink": link,
        "family": "ubuntu-2204-lts",
        "status": "READY",
        "architecture": "X86_64",
        "diskSizeGb": "10",
    }


def _machine(zone: str, name: str) -> Json:
    cpus, memory = MACHINES[name]
    return {
        "kind": "compute#machineType",
        "id": "1",
        "name": name,
        "guestCpus": cpus,
        "memoryMb": memory,
        "zone": zone,
        "architecture": "X86_64",
        "selfLink": f"{LINK}projects/{PROJECT}/zones/{zone}/machineTypes/{name}",
    }


def _machines(project: Project, path: Mapping[str, str], query: Mapping[str, str], body: Json) -> Json:
    # One type is in the first zone only, as real ones are.
    there = [name for name in MACHINES if name != "n2-standard-8" or path["zone"] == ZONES[0]]
    return {"kind": "compute#machineTypeList", "items": [_machine(path["zone"], name) for name in there]}


def _zone(name: str) -> Json:
    return {
        "kind": "compute#zone",
        "id": "1",
        "name": name,
        "status": "UP",
        "region": f"{LINK}projects/{PROJECT}/regions/{REGION}",
        "selfLink": f"{LINK}projects/{PROJECT}/zones/{name}",
    }


def _zones(project: Project, path: Mapping[str, str], query: Mapping[str, str], body: Json) -> Json:
    _require_project(path)
    elsewhere = {**_zone("us-central1-a"), "region": f"{LINK}projects/{PROJECT}/regions/us-central1"}
    return {"kind": "compute#zoneList", "items": [elsewhere, *map(_zone, reversed(ZONES))]}


def _region(project: Project, path: Mapping[str, str], query: Mapping[str, str], body: Json) -> Json:
    if path["region"] != REGION:
        raise Refused(404, "notFound", f"The resource 'regions/{path['region']}' was not found")
    return {
        "kind": "compute#region",
        "id": "1",
        "name": REGION,
        "status": "UP",
        "quotas": quotas(project, REGIONAL),
    }


def _project(project: Project, path: Mapping[str, str], query: Mapping[str, str], body: Json) -> Json:
    _require_project(path)
    return {"kind": "compute#project", "id": "1", "name": PROJECT, "quotas": quotas(project, GLOBAL)}


def _rights(project: Project, path: Mapping[str, str], query: Mapping[str, str], body: Json) -> Json:
    if project.rights_closed:
        raise Refused(403, "forbidden", "Cloud Resource Manager API has not been used in the project")
    return {"permissions": [one for one in body["permissions"] if one not in project.denied]}


def _require_project(path: Mapping[str, str]) -> None:
    if path["project"] != PROJECT:
        raise Refused(404, "notFound", f"The resource 'projects/{path['project']}' was not found")


SPECIAL: Mapping[str, Special] = {
    "instances.attachDisk": _attach,
    "instances.detachDisk": _detach,
    "instances.start": _start,
    "instanceGroups.addInstances": _join,
    "instanceGroups.listInstances": _members,
    "images.getFromFamily": _image,
    "machineTypes.list": _machines,
    "zones.list": _zones,
    "regions.get": _region,
    "projects.get": _project,
    "projects.testIamPermissions": _rights,
}


def control(project: Project) -> None:
    """Be the cluster's controllers: while a server of the system runs, what they make is there.

    A load balancer as Kubernetes' cloud provider makes one: a forwarding rule, a target pool, a rule of the
    firewall, none with a label of ours; and a volume of the CSI driver's, attached.
    """
    mark = f"{project.controlled}-"
    servers = [one for one in project.of("instances") if project.controlled and one.name.startswith(mark)]
    running = [one for one in servers if one.body["status"] == "RUNNING"]
    if not running:
        return
    region, zone = f"regions/{REGION}", running[0].scope
    why = '{"kubernetes.io/service-name":"gateway/public"}'
    network = running[0].body["networkInterfaces"][0]["network"]
    pool = path_of(region, "targetPools", "a1b2")
    put(
        project,
        "targetPools",
        region,
        {"name": "a1b2", "description": why, "instances": [LINK + one.path for one in running]},
    )
    put(
        project,
        "forwardingRules",
        region,
        {
            "name": "a1b2",
            "description": why,
            "target": LINK + pool,
            "IPAddress": "203.0.113.254",
            "loadBalancingScheme": "EXTERNAL",
            "labelFingerprint": "00000000abc=",
        },
    )
    put(project, "firewalls", "global", {"name": "k8s-fw-a1b2", "description": why, "network": network})
    claim = '{"kubernetes.io/created-for/pvc/name":"data"}'
    put(
        project,
        "disks",
        zone,
        {
            "name": "pvc-1",
            "description": claim,
            "sizeGb": "10",
            "status": "READY",
            "type": f"{LINK}projects/{PROJECT}/{zone}/diskTypes/pd-balanced",
            "labelFingerprint": "00000000abc=",
            "users": [LINK + running[0].path],
        },
    )


def put(project: Project, collection: str, scope: str, body: Json) -> None:
    """Have something in the project that nobody asked for through the API."""
    body |= {
        "id": str(next(project.numbers)),
        "creationTimestamp": "2026-11-30T12:00:00.000-08:00",
        "selfLink": LINK + path_of(scope, collection, body["name"]),
        **place(scope),
    }
    thing = Thing(collection=collection, scope=scope, body=body, ready=True)
    if thing.path in project.things:
        return
    project.things[thing.path] = thing
    for user in body.get("users", ()):
        instance = project.things[relative(user)]
        attached: dict[str, Any] = {
            "deviceName": body["name"],
            "source": LINK + thing.path,
            "autoDelete": False,
        }
        instance.body["disks"] = [*instance.body["disks"], attached]
