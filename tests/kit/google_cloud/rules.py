"""What Google looks at before something is made, and what it fills in: a row for each collection."""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from tests.kit.google_cloud.state import (
    LINK,
    MACHINES,
    PROJECT,
    REFERENCES,
    REGION,
    Json,
    Project,
    Refused,
    Thing,
    path_of,
    place,
    references,
    relative,
)

Rule = Callable[[Project, Thing], None]
"""Fills in what is made; raises Refused."""

# The state that something has once it is made; what is not here has none.
READY = {"instances": "RUNNING", "disks": "READY", "resourcePolicies": "READY"}
MAKING = {"instances": "PROVISIONING", "disks": "CREATING", "resourcePolicies": "CREATING"}
LABELLED = frozenset({"instances", "disks", "addresses", "forwardingRules"})
# "These can only be added or modified by the setLabels method", as the description says.
_LABELLED_LATER = frozenset({"addresses", "forwardingRules"})
_FINGERPRINTS = frozenset(
    {"subnetworks", "instances", "instanceGroups", "forwardingRules", "backendServices"}
)
# What counts against which quota, and by how much.
_CPUS = "CPUS"


def fill_in(project: Project, thing: Thing) -> None:
    """Look at what is to be made, and add what Google adds."""
    for path in sorted(references(thing.body)):
        if "/images/" not in path:
            project.usable(path)
    number = next(project.numbers)
    thing.body |= {
        "id": str(number),
        "kind": f"compute#{thing.collection.removesuffix('s').replace('Policie', 'Policy')}",
        "creationTimestamp": "2026-11-30T12:00:00.000-08:00",
        "selfLink": LINK + thing.path,
        **place(thing.scope),
    }
    if thing.collection in MAKING:
        thing.body["status"] = MAKING[thing.collection]
    if thing.body.get("labels") and thing.collection in _LABELLED_LATER:
        project.wrong.append(f"{thing.collection}.insert: labels are given by setLabels only")
    if thing.collection in LABELLED:
        thing.body["labelFingerprint"] = fingerprint(number)
    if thing.collection in _FINGERPRINTS:
        thing.body["fingerprint"] = fingerprint(number)
    if rule := RULES.get(thing.collection):
        rule(project, thing)
    thing.body = absolute(thing.body)
    refuse_over_quota(project, thing)


def fingerprint(number: int) -> str:
    return f"{number:08d}abc="


def absolute(value: Any, name: str = "") -> Any:
    """Return a body with all references as Google writes them, as whole URLs."""
    if isinstance(value, dict):
        return {key: absolute(part, key) for key, part in value.items()}
    if isinstance(value, list):
        return [absolute(part, name) for part in value]
    return LINK + relative(value) if name in REFERENCES else value


def _network(project: Project, thing: Thing) -> None:
    mtu = thing.body.setdefault("mtu", 1460)
    if not 1300 <= mtu <= 8896:
        raise _invalid("mtu", f"{mtu}")
    thing.body["subnetworks"] = []
    name = f"default-route-{thing.body['id']}"
    route = {
        "kind": "compute#route",
        "id": str(next(project.numbers)),
        "name": name,
        "destRange": "0.0.0.0/0",
        "network": LINK + thing.path,
        "selfLink": LINK + path_of("global", "routes", name),
        "priority": 1000,
        "description": "Default route to the Internet.",
    }
    made = Thing(collection="routes", scope="global", body=route, ready=True)
    project.things[made.path] = made


def _subnetwork(project: Project, thing: Thing) -> None:
    wanted = ipaddress.ip_network(thing.body["ipCidrRange"])
    for other in project.of("subnetworks"):
        same = relative(other.body["network"]) == relative(thing.body["network"])
        if same and ipaddress.ip_network(other.body["ipCidrRange"]).overlaps(wanted):
            raise _invalid("ipCidrRange", f"{wanted} conflicts with existing subnetwork '{other.name}'")
    thing.body["gatewayAddress"] = str(wanted[1])
    network = project.things[relative(thing.body["network"])]
    network.body["subnetworks"] = [*network.body["subnetworks"], LINK + thing.path]


def _instance(project: Project, thing: Thing) -> None:
    body = thing.body
    machine = body["machineType"].rpartition("/")[2]
    if machine not in MACHINES:
        raise _invalid("machineType", f"'{machine}' does not exist in {thing.scope}")
    body["machineType"] = f"{LINK}projects/{PROJECT}/{thing.scope}/machineTypes/{machine}"
    for policy in body.get("resourcePolicies", ()):
        asked = project.get(relative(policy)).body["groupPlacementPolicy"]["availabilityDomainCount"]
        users = [one for one in project.of("instances") if relative(policy) in references(one.body)]
        if len(users) >= asked:
            raise _invalid("resourcePolicies", f"all {asked} availability domains have an instance already")
    for number, nic in enumerate(body["networkInterfaces"]):
        subnetwork = project.usable(relative(nic["subnetwork"]))
        if relative(subnetwork.body["network"]) != relative(nic["network"]):
            raise _invalid("networkInterfaces", "subnetwork of another network")
        _take_address(project, subnetwork, nic.get("networkIP", ""))
        nic |= {"name": f"nic{number}", "kind": "compute#networkInterface"}
        for config in nic.get("accessConfigs", ()):
            config |= {"natIP": public_address(project), "kind": "compute#accessConfig"}
    _boot_disk(project, thing)


def _take_address(project: Project, subnetwork: Thing, address: str) -> None:
    network = ipaddress.ip_network(subnetwork.body["ipCidrRange"])
    if ipaddress.ip_address(address) not in list(network)[2:-2]:
        raise _invalid("networkIP", f"{address} is not usable in {network}")
    if address in set(_taken(project)):
        raise Refused(400, "ipInUseByAnotherResource", f"IP '{address}' is already being used")


def _taken(project: Project) -> Iterator[str]:
    for one in project.of("instances"):
        yield from (nic.get("networkIP", "") for nic in one.body["networkInterfaces"])
    yield from (one.body["IPAddress"] for one in project.of("forwardingRules"))


def _boot_disk(project: Project, thing: Thing) -> None:
    for number, disk in enumerate(thing.body["disks"]):
        asked = disk.pop("initializeParams")
        if "/family/" not in asked["sourceImage"]:
            raise _invalid("sourceImage", asked["sourceImage"])
        body = {
            "name": asked.get("diskName", thing.name),
            "sizeGb": asked["diskSizeGb"],
            "type": asked["diskType"],
            "labels": asked.get("labels", {}),
            "users": [LINK + thing.path],
        }
        boot = Thing(collection="disks", scope=thing.scope, body=body)
        if boot.path in project.things:
            raise Refused(409, "alreadyExists", f"The resource '{boot.path}' already exists")
        fill_in(project, boot)
        boot.ready, boot.body["status"] = True, "READY"
        project.things[boot.path] = boot
        disk |= {
            "source": LINK + boot.path,
            "index": number,
            "deviceName": disk.get("deviceName", "persistent-disk-0"),
            "kind": "compute#attachedDisk",
            "type": "PERSISTENT",
            "mode": "READ_WRITE",
        }


def _disk(project: Project, thing: Thing) -> None:
    kind = thing.body["type"].rpartition("/")[2]
    if kind not in ("pd-balanced", "pd-ssd", "pd-standard"):
        raise _invalid("type", kind)
    if int(thing.body["sizeGb"]) < 10:
        raise _invalid("sizeGb", f"Disk size: '{thing.body['sizeGb']} GB' is smaller than 10 GB")
    thing.body["type"] = f"{LINK}projects/{PROJECT}/{thing.scope}/diskTypes/{kind}"
    thing.body.setdefault("users", [])


def _address(project: Project, thing: Thing) -> None:
    thing.body |= {"address": public_address(project), "status": "RESERVED"}


def _forwarding_rule(project: Project, thing: Thing) -> None:
    body = thing.body
    if body["loadBalancingScheme"] == "INTERNAL":
        _take_address(project, project.usable(relative(body["subnetwork"])), body["IPAddress"])
    elif given := body.get("IPAddress"):
        address = project.usable(relative(given))
        body["IPAddress"] = address.body["address"]
        address.body["status"] = "IN_USE"
    else:
        body["IPAddress"] = public_address(project)
    if service := body.get("backendService"):
        other = project.get(relative(service)).body["loadBalancingScheme"]
        if other != body["loadBalancingScheme"]:
            raise _invalid("loadBalancingScheme", "the backend service has another one")
    if bool(service) == bool(body.get("target")):
        raise _invalid("target", "exactly one of target and backendService must be given")


def _instance_group(project: Project, thing: Thing) -> None:
    thing.body["size"] = 0


def _health_check(project: Project, thing: Thing) -> None:
    kind = {"HTTPS": "httpsHealthCheck", "TCP": "tcpHealthCheck"}.get(thing.body["type"], "")
    if kind not in thing.body:
        raise _invalid("type", f"{thing.body['type']} without its fields")


RULES: Mapping[str, Rule] = {
    "networks": _network,
    "subnetworks": _subnetwork,
    "instances": _instance,
    "disks": _disk,
    "addresses": _address,
    "forwardingRules": _forwarding_rule,
    "instanceGroups": _instance_group,
    "healthChecks": _health_check,
}


def public_address(project: Project) -> str:
    return f"203.0.113.{next(project.numbers) % 250 + 1}"


def _invalid(name: str, what: str) -> Refused:
    return Refused(400, "invalid", f"Invalid value for field 'resource.{name}': {what}")


def used(project: Project) -> dict[str, float]:
    """Return what of each quota is used."""
    instances, disks = project.of("instances"), project.of("disks")
    return {
        "INSTANCES": len(instances),
        _CPUS: sum(MACHINES[one.body["machineType"].rpartition("/")[2]][0] for one in instances),
        "SSD_TOTAL_GB": sum(int(one.body["sizeGb"]) for one in disks if "standard" not in one.body["type"]),
        "DISKS_TOTAL_GB": sum(int(one.body["sizeGb"]) for one in disks if "standard" in one.body["type"]),
        "IN_USE_ADDRESSES": len(instances),
        "STATIC_ADDRESSES": len(project.of("addresses")),
        "NETWORKS": len(project.of("networks")),
        "FIREWALLS": len(project.of("firewalls")),
        "FORWARDING_RULES": len(project.of("forwardingRules")),
    }


def quotas(project: Project, metrics: frozenset[str]) -> list[Json]:
    """Return quotas as a region or the project tells them."""
    now = used(project)
    return [
        {"metric": name, "limit": float(project.limits.get(name, 1000)), "usage": float(now[name])}
        for name in sorted(metrics)
    ]


GLOBAL = frozenset({"NETWORKS", "FIREWALLS", "FORWARDING_RULES"})
REGIONAL = frozenset(
    {"INSTANCES", _CPUS, "SSD_TOTAL_GB", "DISKS_TOTAL_GB", "IN_USE_ADDRESSES", "STATIC_ADDRESSES"}
)


def refuse_over_quota(project: Project, thing: Thing) -> None:
    """Refuse what would go over a quota; instances fail at the end of their operation instead."""
    if thing.collection == "instances" or thing.path in project.things:
        return
    if found := over_quota(project, thing):
        raise Refused(403, "quotaExceeded", found)


def over_quota(project: Project, thing: Thing) -> str:
    """Return what is said where something would go over a quota; empty where it would not."""
    before = used(project)
    project.things[thing.path] = thing
    after = used(project)
    del project.things[thing.path]
    for name, limit in sorted(project.limits.items()):
        if after[name] > limit and after[name] > before[name]:
            return f"Quota '{name}' exceeded.  Limit: {limit:.1f} in region {REGION}."
    return ""
