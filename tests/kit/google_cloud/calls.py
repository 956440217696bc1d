"""Requests to Compute Engine, carried out: found in its description, refused as Google refuses, answered."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

from tests.kit.google_cloud.discovery import Method, match, request_problems, value_problems
from tests.kit.google_cloud.rules import LABELLED, READY, fill_in, fingerprint, over_quota
from tests.kit.google_cloud.special import SPECIAL
from tests.kit.google_cloud.state import (
    LINK,
    PROJECT,
    REGION,
    ZONES,
    Fault,
    Json,
    Project,
    Refused,
    Thing,
    path_of,
)

# What has a collection of its own for each place that it can be in, and is one thing to us.
_ALIASES = {"regionBackendServices": "backendServices", "regionHealthChecks": "healthChecks"}
_OPERATIONS = ("zoneOperations", "regionOperations", "globalOperations")
_NAME = re.compile(r"[a-z](?:[-a-z0-9]{0,61}[a-z0-9])?")
_CUTS = (Fault.DROPPED, Fault.KILLED_BEFORE)
_CUTS_AFTER = (Fault.LOST, Fault.KILLED_AFTER)


class Cut(Exception):  # noqa: N818 - no answer, and no failure of the fake
    """The connection ends without an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One request, as it was understood."""

    project: Project
    method: Method
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Json

    @property
    def collection(self) -> str:
        return _ALIASES.get(self.method.collection, self.method.collection)

    @property
    def scope(self) -> str:
        if "zone" in self.path and self.method.collection != "zones":
            return f"zones/{self.path['zone']}"
        if "region" in self.path and self.method.collection != "regions":
            return f"regions/{self.path['region']}"
        return "global"

    @property
    def name(self) -> str:
        """What is called by its name, the last parameter of the path."""
        return list(self.path.values())[-1]

    @property
    def target(self) -> str:
        return path_of(self.scope, self.collection, self.name)


def answer(project: Project, http: str, url: str, body: bytes, token: str = "") -> tuple[int, Json]:
    """Return the status and the body that answer a request; raises Cut where no answer comes."""
    with project.lock:
        if project.dead:
            raise Cut
        fault = project.faults.get(project.number)
        project.number += 1
        project.dead = fault in (Fault.KILLED_BEFORE, Fault.KILLED_AFTER)
        if fault in _CUTS:
            raise Cut
        if fault in (Fault.UNAVAILABLE, Fault.TOO_MANY):
            status, reason = (
                (503, "backendError") if fault is Fault.UNAVAILABLE else (429, "rateLimitExceeded")
            )
            return status, _error(Refused(status, reason, str(fault)))
        found = _answer(project, http, url, body, token)
        if fault in _CUTS_AFTER:
            raise Cut
        if fault is Fault.UNAVAILABLE_AFTER:
            return 503, _error(Refused(503, "backendError", str(fault)))
        return found


def _answer(project: Project, http: str, url: str, body: bytes, token: str) -> tuple[int, Json]:
    parts = urlsplit(url)
    matched = match(http, parts.path)
    if matched is None:
        project.wrong.append(f"no API has {http} {parts.path}")
        return 404, _error(Refused(404, "notFound", "no such method"))
    api, method, path = matched
    query = parse_qs(parts.query, keep_blank_values=True)
    sent = json.loads(body) if body else None
    project.wrong += request_problems(api, method, path, query, sent)
    try:
        _let_in(project, token)
        first = {name: values[0] for name, values in query.items()}
        call = Call(project=project, method=method, path=path, query=first, body=sent or {})
        found = copy.deepcopy(_carry_out(call))
    except Refused as refused:
        return refused.status, _error(refused)
    project.wrong += [
        f"answer of {method.id}: {one}" for one in value_problems(api, {"$ref": method.response}, found)
    ]
    return 200, found


def _let_in(project: Project, token: str) -> None:
    if project.token and token != f"Bearer {project.token}":
        raise Refused(401, "authError", "Invalid Credentials")


def _carry_out(call: Call) -> Json:
    project, method = call.project, call.method
    project.calls.append(f"{method.collection}.{method.verb} {call.name}")
    project.advance()
    if project.disabled and method.id.startswith("compute."):
        raise Refused(
            403, "accessNotConfigured", f"Compute Engine API has not been used in project {PROJECT}"
        )
    if method.collection in _OPERATIONS:
        return _operation(call)
    if special := SPECIAL.get(f"{method.collection}.{method.verb}"):
        return _once(call, lambda: special(project, call.path, call.query, call.body))
    handler = _VERBS.get(method.verb)
    if handler is None or call.path.get("project") != PROJECT:
        raise Refused(404, "notFound", f"The resource 'projects/{call.path.get('project')}' was not found")
    return _once(call, lambda: handler(call)) if method.http != "GET" else handler(call)


def _once(call: Call, act: Callable[[], Json]) -> Json:
    """Do what changes something, unless the same request was carried out already."""
    sent = call.query.get("requestId", "")
    if sent and sent in call.project.asked:
        return call.project.operations[call.project.asked[sent]].body
    found = act()
    if sent:
        call.project.asked[sent] = str(found["selfLink"]).removeprefix(LINK)
    return found


def _operation(call: Call) -> Json:
    path = path_of(call.scope, "operations", call.name)
    operation = call.project.operations.get(path)
    if operation is None:
        raise Refused(404, "notFound", f"The resource '{path}' was not found")
    if call.method.verb == "wait":
        call.project.finish(operation)
    return operation.body


def _insert(call: Call) -> Json:
    project = call.project
    thing = Thing(collection=call.collection, scope=call.scope, body=copy.deepcopy(call.body))
    if not _NAME.fullmatch(str(thing.body.get("name", ""))):
        raise Refused(400, "invalid", f"Invalid value for field 'resource.name': {thing.body.get('name')}")
    if thing.path in project.things:
        raise Refused(409, "alreadyExists", f"The resource '{thing.path}' already exists")
    fill_in(project, thing)
    error = _fails_late(project, thing)
    project.things[thing.path] = thing

    def effect() -> None:
        if error is not None:
            _remove(project, thing)
            return
        thing.ready = True
        if thing.collection in READY and "status" in thing.body:
            thing.body["status"] = READY[thing.collection]

    return project.operate(call.scope, "insert", thing.path, effect, error)


def _fails_late(project: Project, thing: Thing) -> tuple[str, str] | None:
    """Return the error that a server's operation ends with, where it does."""
    if thing.collection != "instances":
        return None
    machine = thing.body["machineType"].rpartition("/")[2]
    if machine in project.sold_out:
        what = f"The zone '{thing.scope}' does not have enough resources available to fulfill the request."
        return "ZONE_RESOURCE_POOL_EXHAUSTED", what
    if found := over_quota(project, thing):
        return "QUOTA_EXCEEDED", found
    return None


def _get(call: Call) -> Json:
    return call.project.get(call.target).body


def _delete(call: Call) -> Json:
    project, thing = call.project, call.project.get(call.target)
    users = [one for one in project.users(thing.path) if "/default-route-" not in one]
    if users:
        what = f"The {call.collection} resource '{thing.path}' is already being used by '{users[0]}'"
        raise Refused(400, "resourceInUseByAnotherResource", what)
    if thing.collection == "instances":
        thing.body["status"] = "STOPPING"
    thing.ready = False
    return project.operate(call.scope, "delete", thing.path, lambda: _remove(project, thing))


def _remove(project: Project, thing: Thing) -> None:
    project.forget(thing.path)
    for disk in thing.body.get("disks", ()) if thing.collection == "instances" else ():
        path = str(disk["source"]).removeprefix(LINK)
        if disk.get("autoDelete"):
            project.forget(path)
    for other in project.of("routes"):
        if other.body["network"] == LINK + thing.path:
            project.forget(other.path)
    for other in project.of("addresses"):
        if thing.collection == "forwardingRules" and other.body["address"] == thing.body["IPAddress"]:
            other.body["status"] = "RESERVED"


def _list(call: Call) -> Json:
    found = [one for one in call.project.of(call.collection) if one.scope == call.scope]
    found, token = _page(call, found)
    kind = f"compute#{call.collection.removesuffix('s')}List"
    return {"kind": kind, "items": [one.body for one in found], **token}


def _aggregated(call: Call) -> Json:
    found, token = _page(call, call.project.of(call.collection))
    scopes = ("global", f"regions/{REGION}", *(f"zones/{zone}" for zone in ZONES))
    items: Json = {}
    for scope in scopes:
        things = [one.body for one in found if one.scope == scope]
        empty = {"warning": {"code": "NO_RESULTS_ON_PAGE", "message": f"no results for '{scope}'"}}
        items[scope] = {call.collection: things} if things else empty
    return {"kind": f"compute#{call.collection}AggregatedList", "items": items, **token}


def _page(call: Call, things: list[Thing]) -> tuple[list[Thing], Json]:
    """Return a page of what a filter lets through, with the token of the next one."""
    kept = [one for one in things if _lets_through(call.query.get("filter", ""), one.body)]
    size = min(int(call.query.get("maxResults", 500)), call.project.page)
    start = int(call.query.get("pageToken", "0"))
    end = start + size
    return kept[start:end], {"nextPageToken": str(end)} if end < len(kept) else {}


def _lets_through(asked: str, body: Json) -> bool:
    if not asked:
        return True
    found = re.fullmatch(r"labels\.([-a-z0-9_]+)(?:=([-a-z0-9_]+)|:\*)", asked)
    if found is None:
        raise Refused(400, "invalid", f"Invalid value for field 'filter': '{asked}'")
    value = body.get("labels", {}).get(found[1])
    return value is not None if found[2] is None else value == found[2]


def _set_labels(call: Call) -> Json:
    if call.collection not in LABELLED:
        raise Refused(404, "notFound", "no such method")
    thing = call.project.get(call.target)
    if call.body.get("labelFingerprint") != thing.body["labelFingerprint"]:
        raise Refused(
            412, "conditionNotMet", "Labels fingerprint either invalid or resource labels have changed"
        )
    thing.body |= {"labels": call.body["labels"], "labelFingerprint": fingerprint(next(call.project.numbers))}
    return call.project.operate(call.scope, "setLabels", thing.path, lambda: None)


def _patch(call: Call) -> Json:
    thing = call.project.get(call.target)
    if call.collection != "firewalls":
        raise Refused(400, "invalid", "only firewalls are changed here")
    thing.body |= call.body
    return call.project.operate(call.scope, "patch", thing.path, lambda: None)


def _error(refused: Refused) -> Json:
    one = {"message": str(refused), "domain": "global", "reason": refused.reason}
    return {"error": {"code": refused.status, "message": str(refused), "errors": [one]}}


_VERBS: Mapping[str, Callable[[Call], Json]] = {
    "insert": _insert,
    "get": _get,
    "list": _list,
    "aggregatedList": _aggregated,
    "delete": _delete,
    "setLabels": _set_labels,
    "patch": _patch,
}
