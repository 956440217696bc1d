"""Making a network load balancer at AWS, its ports, and who is behind them."""

from __future__ import annotations

import contextlib

from rookery.clouds.aws.api import TakenError
from rookery.clouds.aws.asked import ATTRIBUTES, group_asked, short_name
from rookery.clouds.aws.job import Job, Making
from rookery.clouds.aws.seen import Balancer, target_made
from rookery.clouds.cloud import BusyError, CloudError, Made
from rookery.plan.resources import BalancerWish, Service, TargetWish


class BalancerMaker(Making):
    """Makes load balancers."""

    def balancer(self, job: Job, wish: BalancerWish) -> Balancer:
        name, network = short_name(job.name), job.network(wish.network)
        balancer = self._account.balancer(name)
        if balancer is None:
            mapping = {"SubnetId": str(network.subnets[0]["SubnetId"]), "PrivateIPv4Address": wish.address}
            with contextlib.suppress(TakenError):
                # Only inside a network may a load balancer's address be chosen.
                self._elb(
                    "create_load_balancer",
                    job,
                    Name=name,
                    Type="network",
                    Scheme="internal",
                    SubnetMappings=[mapping],
                    Tags=job.tags(),
                )
            balancer = self._account.balancer(name)
        if balancer is None:
            raise BusyError(f"{job.what} is not to be seen yet")
        job.check_owner({"Tags": [{"Key": key, "Value": value} for key, value in balancer.tags.items()]})
        for service in wish.services:
            if service.port not in balancer.ports:
                self._listen(job, balancer, service, network.id)
        return self._active(job, name)

    def _listen(self, job: Job, balancer: Balancer, service: Service, vpc: str) -> None:
        name = short_name(f"{job.name}-{service.port}")
        group = self._account.target_group(name)
        if group is None:
            with contextlib.suppress(TakenError):
                self._elb("create_target_group", job, **group_asked(name, service, vpc, job.tags()))
            group = self._account.target_group(name)
        if group is None:
            raise BusyError(f"{job.what} has no targets yet")
        job.check_owner(group)
        arn = str(group["TargetGroupArn"])
        seen = self._elb("describe_target_group_attributes", job, TargetGroupArn=arn)["Attributes"]
        if not all(one in seen for one in ATTRIBUTES):
            self._elb("modify_target_group_attributes", job, TargetGroupArn=arn, Attributes=ATTRIBUTES)
        with contextlib.suppress(TakenError):
            self._elb(
                "create_listener",
                job,
                LoadBalancerArn=balancer.arn,
                Protocol="TCP",
                Port=service.port,
                DefaultActions=[{"Type": "forward", "TargetGroupArn": arn}],
                Tags=job.tags(),
            )

    def _active(self, job: Job, name: str) -> Balancer:
        seen: list[Balancer] = []

        def look() -> str:
            balancer = self._account.balancer(name)
            if balancer is None:
                return "not to be seen"
            seen[:] = [balancer]
            if balancer.state == "failed":
                reason = (balancer.thing.get("State") or {}).get("Reason", "no reason is told")
                raise CloudError(f"{job.what} could not be made: {reason}")
            return "" if balancer.state == "active" else balancer.state

        self._waiting.until(job.what, look)
        return seen[0]

    def target(self, job: Job, wish: TargetWish) -> Made:
        balancer, server = job.there[wish.balancer], job.there[wish.server]
        assert isinstance(balancer.seen, Balancer)
        for group in balancer.seen.groups:
            arn = str(group["TargetGroupArn"])
            self._elb("register_targets", job, TargetGroupArn=arn, Targets=[{"Id": server.id}])
        return target_made(balancer, server.name)
