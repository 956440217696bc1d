"""The server: one account after another, each behind what AWS refuses, and with things that take time.

Time is counted in requests, so that nothing here depends on a clock: an instance is `pending` for three
requests, whoever makes them. States as in AWSEC2/latest/UserGuide/ec2-instance-lifecycle.html,
ebs-describing-volumes.html, and elasticloadbalancing/latest/APIReference (LoadBalancerState, TargetHealth).
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import threading
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.kit.strict_aws.asked import Answer, Asked, RefusalError, cut, read, refused, said
from tests.kit.strict_aws.placement import PlacementGroups
from tests.kit.strict_aws.refusals import CHECKS, instance

# moto reads its images when it is imported: those of its own are 1,285, none of them of this decade's Ubuntu.
os.environ["MOTO_AMIS_PATH"] = str(Path(__file__).with_name("amis.json"))

REGION = "eu-central-1"
UBUNTU = "ami-0a1b2c3d4e5f60718"
QUOTAS = {"L-1216C47A": 64.0, "L-F678F1CE": 5.0, "L-69A177A2": 50.0, "L-7A658B76": 50.0}
_DEFAULT_ONLY = ("L-69A177A2",)
# How many requests each takes: some more than a look or two.
_INSTANCE, _VOLUME, _ATTACHMENT, _BALANCER, _TARGET, _GROUP, _LINGERS = 3, 2, 2, 4, 4, 1, 4
# Where AWS has it: "this operation is idempotent" (elasticloadbalancing/latest/APIReference, each action),
# and by a token (ec2/latest/devguide/ec2-api-idempotency.html).
_SAME_AGAIN = ("CreateLoadBalancer", "CreateTargetGroup", "CreateListener")
_TOKENS = ("RunInstances", "CreateVolume")

Fault = Callable[[Asked], str]
"""Says what happens to a request: nothing (empty), `drop` or `lose`, or a code of AWS' to be refused with."""


@dataclass(slots=True)
class Remembered:
    """A request that was carried out, and its answer."""

    fingerprint: str
    answer: Answer
    made: str


@dataclass(slots=True)
class World:
    """One account, and the server before it. `now` counts requests; `log` has their actions."""

    url: str = ""
    number: int = 0
    now: int = 0
    late: int = 0
    """For how many requests what was just made is not shown yet."""
    fault: Fault | None = None
    denied: frozenset[str] = frozenset()
    quotas: dict[str, float] = field(default_factory=lambda: dict(QUOTAS))
    sold_out: frozenset[str] = frozenset()
    log: list[str] = field(default_factory=list)
    broken: list[str] = field(default_factory=list)
    """What went wrong here, not on demand."""
    lock: threading.RLock = field(default_factory=threading.RLock)
    due: list[tuple[int, Callable[[], None]]] = field(default_factory=list)
    tokens: dict[str, Remembered] = field(default_factory=dict)
    hidden: dict[str, int] = field(default_factory=dict)
    registered: dict[str, int] = field(default_factory=dict)
    groups: PlacementGroups = field(init=False)
    app: Any = None

    def __post_init__(self) -> None:
        self.reset()

    @property
    def account(self) -> str:
        return f"{100_000_000_000 + self.number}"

    @property
    def ec2(self) -> Any:
        from moto.ec2.models import ec2_backends

        return ec2_backends[self.account][REGION]

    @property
    def elb(self) -> Any:
        from moto.elbv2.models import elbv2_backends

        return elbv2_backends[self.account][REGION]

    @property
    def classic(self) -> Any:
        from moto.elb.models import elb_backends

        return elb_backends[self.account][REGION]

    def reset(self) -> None:
        """Begin with another account, in which nothing is."""
        with self.lock:
            self.number += 1
            self.broken.clear()
            self.now = 0
            self.late = 0
            self.fault = None
            self.denied = self.sold_out = frozenset()
            self.quotas = dict(QUOTAS)
            for one in (self.log, self.due, self.tokens, self.hidden, self.registered):
                one.clear()
            self.groups = PlacementGroups(self._lives, lambda then: self.after(_GROUP, then))

    def _lives(self, name: str) -> bool:
        found = instance(self.ec2, name)
        return found is not None and found.state != "terminated"

    def after(self, requests: int, then: Callable[[], None]) -> None:
        self.due.append((self.now + requests, then))

    # --- One request

    def __call__(self, environ: dict[str, Any], start: Any) -> Iterable[bytes]:
        environ["HTTP_X_MOTO_ACCOUNT_ID"] = self.account
        asked = read(environ)
        with self.lock:
            self._tick()
            self.log.append(asked.action)
            fault = self.fault(asked) if self.fault is not None else ""
            if fault == "drop":
                cut(environ)
            try:
                answer = self._answer(asked, environ, fault)
            except RefusalError as refusal:
                answer = refused(asked, refusal)
            except Exception as error:  # noqa: BLE001  a fault of this stand-in, which tests look for
                self.broken.append(f"{asked.action}: {error!r}\n{traceback.format_exc()}")
                answer = refused(asked, RefusalError("InternalError", repr(error), 500))
            if fault == "lose":
                cut(environ)
        start(answer.status, [("Content-Type", answer.type)])
        return [answer.body.encode()]

    def _tick(self) -> None:
        self.now += 1
        ready = [then for when, then in self.due if when <= self.now]
        self.due = [one for one in self.due if one[0] > self.now]
        for then in ready:
            then()

    def _answer(self, asked: Asked, environ: dict[str, Any], fault: str) -> Answer:
        if fault and fault != "lose":
            status = 503 if "Limit" in fault or fault == "Unavailable" else 500
            raise RefusalError(fault, "On demand.", status)
        if asked.action in self.denied:
            raise RefusalError(
                "UnauthorizedOperation", "You are not authorized to perform this operation.", 403
            )
        if asked.get("DryRun") == "true":
            raise RefusalError(
                "DryRunOperation", "Request would have succeeded, but DryRun flag is set.", 412
            )
        own = self._own(asked)
        if own is not None:
            return own
        if (again := self._again(asked)) is not None:
            return again
        if asked.service == "ec2" and asked.action in CHECKS:
            CHECKS[asked.action](self.ec2, asked, self.groups)
        if asked.get("InstanceType") in self.sold_out and asked.action == "RunInstances":
            raise RefusalError(
                "InsufficientInstanceCapacity",
                f"We currently do not have sufficient {asked.get('InstanceType')} capacity in the zone.",
                500,
            )
        before = self._ids()
        answer = self._moto(asked, environ)
        if answer.status.startswith("200"):
            self._took_effect(asked, answer, before)
        return answer

    def _moto(self, asked: Asked, environ: dict[str, Any]) -> Answer:
        heard: list[Any] = []

        def start(status: str, headers: Any, exc_info: Any = None) -> Any:
            heard[:] = [status, dict(headers)]

        with self._not_shown(asked):
            body = b"".join(self.app(environ, start)).decode()
        if (
            asked.action == "DescribeTargetGroups"
            and "TargetGroupNotFound" in body
            and not asked.many("Names")
        ):
            # A load balancer without any has none, says AWS; moto finds that an error.
            inner = "<DescribeTargetGroupsResult><TargetGroups/></DescribeTargetGroupsResult>"
            return Answer(body=f"<DescribeTargetGroupsResponse>{inner}</DescribeTargetGroupsResponse>")
        if heard[0].startswith("500"):
            raise RuntimeError(body)
        return Answer(body=body, status=heard[0], type=heard[1].get("Content-Type", "text/xml"))

    def _own(self, asked: Asked) -> Answer | None:
        """Answer what moto does not have, or does at once."""
        if asked.service == "ssm" and asked.action == "GetParameter":
            value = {"Name": asked.get("Name"), "Type": "String", "Value": UBUNTU}
            return Answer(body=json.dumps({"Parameter": value}), type="application/x-amz-json-1.1")
        if asked.service == "servicequotas":
            return self._quota(asked)
        if asked.service != "ec2":
            return None
        if asked.action == "TerminateInstances":
            return self._terminate(asked)
        if asked.action == "DetachVolume":
            return self._detach(asked)
        return self.groups.answer(asked)

    def _quota(self, asked: Asked) -> Answer:
        """GetServiceQuota (servicequotas/2019-06-24/apireference): 'For some quotas, only the default values
        are available. If the applied quota value is not available for a quota, the quota is not
        retrieved.'"""
        code = asked.get("QuotaCode")
        if code not in self.quotas or (code in _DEFAULT_ONLY and asked.action == "GetServiceQuota"):
            raise RefusalError("NoSuchResourceException", "The request failed because of an unknown quota.")
        quota = {"QuotaCode": code, "Value": self.quotas[code]}
        return Answer(body=json.dumps({"Quota": quota}), type="application/x-amz-json-1.1")

    # --- What is asked twice

    def _again(self, asked: Asked) -> Answer | None:
        """Return the answer that a request had before, where it counts as the same one."""
        key = self._key(asked)
        known = self.tokens.get(key) if key else None
        if known is None or (asked.action in _SAME_AGAIN and not self._is_there(known.made)):
            return None
        if known.fingerprint != asked.fingerprint():
            if asked.action in _TOKENS:
                raise RefusalError(
                    "IdempotentParameterMismatch",
                    "Arguments on this idempotent request are inconsistent with arguments used in previous"
                    " request(s).",
                )
            kind = asked.action.removeprefix("Create")
            raise RefusalError(
                f"Duplicate{kind}Name".replace("ListenerName", "Listener"), "There is one already."
            )
        found = instance(self.ec2, known.made)
        if found is None:
            return known.answer
        state = f"<instanceState><code>{found.state_code}</code><name>{found.state}</name></instanceState>"
        body = re.sub(r"<instanceState>.*?</instanceState>", state, known.answer.body, flags=re.DOTALL)
        return Answer(body=body)

    def _key(self, asked: Asked) -> str:
        if asked.action in _TOKENS:
            token = asked.get("ClientToken")
            return f"{asked.action} {token}" if token else ""
        if asked.action in _SAME_AGAIN:
            name = asked.get("Name") or f"{asked.get('LoadBalancerArn')}:{asked.get('Port')}"
            return f"{asked.action} {name}"
        return ""

    def _is_there(self, made: str) -> bool:
        listeners = (arn for one in self.elb.load_balancers.values() for arn in one.listeners)
        return made in self.elb.load_balancers or made in self.elb.target_groups or made in set(listeners)

    # --- What takes time

    def _ids(self) -> set[str]:
        ec2, elb = self.ec2, self.elb
        listeners = (arn for one in elb.load_balancers.values() for arn in one.listeners)
        instances = (one.id for one in ec2.all_instances())
        return {*instances, *ec2.volumes, *elb.load_balancers, *elb.target_groups, *listeners}

    def _took_effect(self, asked: Asked, answer: Answer, before: set[str]) -> None:
        made = self._ids() - before
        if (key := self._key(asked)) and made:
            name = next((one for one in made if one.startswith("i-")), next(iter(made)))
            self.tokens[key] = Remembered(asked.fingerprint(), answer, name)
        for one in made:
            self.hidden[one] = self.now + self.late
        for one in made:
            if one.startswith("vol-") and asked.action == "CreateVolume":
                self._is_written(self.ec2.volumes[one])
            elif one.startswith("i-"):
                self._starts(one, asked.get("Placement.GroupName"))
            elif one in self.elb.load_balancers:
                self._balances(self.elb.load_balancers[one])
        self._changed(asked)

    def _changed(self, asked: Asked) -> None:
        if asked.action == "AttachVolume":
            link = self.ec2.volumes[asked.get("VolumeId")].attachment
            link.status = "attaching"
            self.after(_ATTACHMENT, lambda: setattr(link, "status", "attached"))
        elif asked.action == "DeleteLoadBalancer":
            self._balances_no_more(asked.get("LoadBalancerArn"))
        elif asked.action == "RegisterTargets":
            self.registered.setdefault(asked.get("TargetGroupArn"), self.now + _TARGET)

    def _is_written(self, volume: Any) -> None:
        volume.strict = "creating"
        self.after(_VOLUME, lambda: setattr(volume, "strict", ""))

    def _starts(self, name: str, group: str) -> None:
        found = instance(self.ec2, name)
        found._state.name, found._state.code = "pending", 0
        if group:
            self.groups.find(group).instances.add(name)

        def runs() -> None:
            if found.state == "pending":
                found._state.name, found._state.code = "running", 16

        self.after(_INSTANCE, runs)

    def _terminate(self, asked: Asked) -> Answer:
        shown = []
        for name in asked.many("InstanceId"):
            found = instance(self.ec2, name)
            if found is None:
                raise RefusalError("InvalidInstanceID.NotFound", f"The instance ID '{name}' does not exist")
            if found.state not in ("shutting-down", "terminated"):
                found._state.name, found._state.code = "shutting-down", 32
                self.after(_INSTANCE, found.terminate)
            state = f"<code>{found.state_code}</code><name>{found.state}</name>"
            shown.append(f"<item><instanceId>{name}</instanceId><currentState>{state}</currentState></item>")
        return said(asked.action, f"<instancesSet>{''.join(shown)}</instancesSet>")

    def _detach(self, asked: Asked) -> Answer:
        volume = self.ec2.volumes.get(asked.get("VolumeId"))
        if volume is None:
            raise RefusalError("InvalidVolume.NotFound", "The volume does not exist.")
        link = volume.attachment
        if link is None:
            raise RefusalError("IncorrectState", f"Volume '{volume.id}' is in the 'available' state.")
        link.status = "detaching"

        def done() -> None:
            if volume.attachment is link:
                self.ec2.detach_volume(volume.id, link.instance.id, link.device)

        self.after(_ATTACHMENT, done)
        return said(asked.action, f"<volumeId>{volume.id}</volumeId><status>detaching</status>")

    def _balances(self, balancer: Any) -> None:
        """A load balancer has an interface in each of its subnets, which is nobody's to delete."""
        for subnet in balancer.subnets:
            address = subnet.get_available_subnet_ip(instance=balancer)
            note = f"ELB net/{balancer.name}/{balancer.arn[-16:]}"
            made = self.ec2.create_network_interface(subnet, address, description=note)
            made.status = "in-use"
        self.after(_BALANCER, lambda: setattr(balancer, "state", "active"))

    def _balances_no_more(self, arn: str) -> None:
        for group in self.elb.target_groups.values():
            group.load_balancer_arns = [one for one in group.load_balancer_arns if one != arn]
        gone = [one for one in self.ec2.enis.values() if (one.description or "").endswith(f"/{arn[-16:]}")]
        for one in gone:
            self.after(_LINGERS, one.delete)

    @contextlib.contextmanager
    def _not_shown(self, asked: Asked) -> Iterator[None]:
        """Leave out of a list what AWS would not show yet (ec2/latest/devguide/eventual-consistency.html)."""
        if asked.action not in ("DescribeInstances", "DescribeVolumes"):
            yield
            return
        hidden = {name for name, until in self.hidden.items() if until > self.now}
        ec2 = self.ec2
        volumes = {name: one for name, one in ec2.volumes.items() if name in hidden}
        reservations = {
            name: one for name, one in ec2.reservations.items() if any(i.id in hidden for i in one.instances)
        }
        for name in volumes:
            del ec2.volumes[name]
        for name in reservations:
            del ec2.reservations[name]
        try:
            yield
        finally:
            ec2.volumes.update(volumes)
            ec2.reservations.update(reservations)
