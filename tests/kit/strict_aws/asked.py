"""A request to AWS, its answer, and AWS' way to say no."""

from __future__ import annotations

import contextlib
import io
import json
import re
import socket
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl
from xml.sax.saxutils import escape

_SCOPE = re.compile(r"Credential=[^/]+/\d+/[^/]+/([^/]+)/")
_TARGET_SERVICES = {"AmazonSSM": "ssm", "ServiceQuotasV20190624": "servicequotas"}


class RefusalError(Exception):
    """AWS says no, by a code of its documentation."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        super().__init__(code, message)
        self.code = code
        self.message = message
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What is sent back: a status line, and a body."""

    body: str
    status: str = "200 OK"
    type: str = "text/xml"


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request: of which service, which action, with which parameters."""

    service: str
    action: str
    params: Mapping[str, str]
    body: bytes

    @property
    def reads(self) -> bool:
        return self.action.startswith(("Describe", "Get", "List"))

    def get(self, name: str, default: str = "") -> str:
        return self.params.get(name, default)

    def many(self, prefix: str) -> list[str]:
        """Return the values of a numbered list: `Name.1`, `Name.2`, with `member.` between for ELB."""
        pattern = re.compile(rf"{re.escape(prefix)}\.(?:member\.)?(\d+)$")
        found = {int(hit[1]): value for name, value in self.params.items() if (hit := pattern.match(name))}
        return [found[number] for number in sorted(found)]

    def filters(self) -> dict[str, list[str]]:
        names = {
            name.split(".")[1]: value
            for name, value in self.params.items()
            if re.match(r"Filter\.\d+\.Name$", name)
        }
        return {value: self.many(f"Filter.{number}.Value") for number, value in names.items()}

    def tags(self, kind: str) -> dict[str, str]:
        """Return the tags that a creation has for one kind of thing."""
        for name, value in self.params.items():
            if name.endswith(".ResourceType") and value == kind:
                start = name.removesuffix("ResourceType") + "Tag"
                return self.pairs(start)
        return {}

    def pairs(self, start: str) -> dict[str, str]:
        pattern = re.compile(rf"{re.escape(start)}\.(\d+)\.Key$")
        numbers = [hit[1] for name in self.params if (hit := pattern.match(name))]
        return {
            self.params[f"{start}.{one}.Key"]: self.params.get(f"{start}.{one}.Value", "") for one in numbers
        }

    def fingerprint(self) -> str:
        """Return all that is asked, in one order."""
        return json.dumps([self.service, sorted(self.params.items())])


def read(environ: dict[str, Any]) -> Asked:
    """Read a request, and leave it as it was for whoever reads it next."""
    length = int(environ.get("CONTENT_LENGTH") or 0)
    body: bytes = environ["wsgi.input"].read(length)
    environ["wsgi.input"] = io.BytesIO(body)
    scope = _SCOPE.search(environ.get("HTTP_AUTHORIZATION", ""))
    service = scope[1] if scope else ""
    target = environ.get("HTTP_X_AMZ_TARGET", "")
    if target:
        name, _, action = target.partition(".")
        params = {key: str(value) for key, value in json.loads(body or b"{}").items()}
        return Asked(service=_TARGET_SERVICES.get(name, service), action=action, params=params, body=body)
    params = dict(parse_qsl(body.decode(), keep_blank_values=True))
    action = params.pop("Action", "")
    version = params.pop("Version", "")
    if service == "elasticloadbalancing":
        service = "elb" if version.startswith("2012") else "elbv2"
    return Asked(service=service, action=action, params=params, body=body)


_REASONS = {400: "Bad Request", 403: "Forbidden", 412: "Precondition Failed", 500: "Internal Server Error"}


def refused(asked: Asked, refusal: RefusalError) -> Answer:
    """Return a no in the form that the service says it in."""
    status = f"{refusal.status} {_REASONS.get(refusal.status, 'Service Unavailable')}"
    code, message = escape(refusal.code), escape(refusal.message)
    if asked.service in ("ssm", "servicequotas"):
        text = json.dumps({"__type": refusal.code, "message": refusal.message})
        return Answer(body=text, status=status, type="application/x-amz-json-1.1")
    error = f"<Code>{code}</Code><Message>{message}</Message>"
    if asked.service == "ec2":
        body = f"<Response><Errors><Error>{error}</Error></Errors><RequestID>r-1</RequestID></Response>"
    else:
        error = f"<Error><Type>Sender</Type>{error}</Error><RequestId>r-1</RequestId>"
        body = f"<ErrorResponse>{error}</ErrorResponse>"
    return Answer(body=body, status=status)


def said(action: str, inner: str) -> Answer:
    """Return an answer of EC2's."""
    space = "http://ec2.amazonaws.com/doc/2016-11-15/"
    body = f'<{action}Response xmlns="{space}"><requestId>r-1</requestId>{inner}</{action}Response>'
    return Answer(body=body)


def tag_set(tags: Mapping[str, str]) -> str:
    items = (f"<item><key>{escape(key)}</key><value>{escape(tags[key])}</value></item>" for key in tags)
    return f"<tagSet>{''.join(items)}</tagSet>"


def passes(filters: Mapping[str, Iterable[str]], tags: Mapping[str, str], **values: str) -> bool:
    """Whether a thing passes the filters by its tags and by some values, named with `_` for `-`."""
    for name, wanted in filters.items():
        if name.startswith("tag:"):
            seen = [tags[name[4:]]] if name[4:] in tags else []
        elif name == "tag-key":
            seen = list(tags)
        else:
            seen = [values[name.replace("-", "_")]]
        if not set(seen) & set(wanted):
            return False
    return True


def cut(environ: dict[str, Any]) -> None:
    """Close the connection without an answer."""
    connection: socket.socket = environ["werkzeug.socket"]
    with contextlib.suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
    raise ConnectionError("cut on demand")
