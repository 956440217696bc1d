"""The servers of a design on a cloud: made, found again, told of, taken away. One class for every cloud.

What is there, the account says; nothing is noted of it here. So after a kill at any moment, or on another
machine, the same command sees what is made, finishes what is half made and makes the rest.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from pathlib import Path
from typing import Any

from rookery.clouds.cloud import SYSTEM, UNTIL, Cloud, Labels, Made
from rookery.clouds.patience import Patience, patiently
from rookery.design.cluster import API_PORT
from rookery.design.model import Design, Host
from rookery.drivers.machine.waiting import Look, wait_for
from rookery.errors import InputError, NotPossibleError
from rookery.mirror.folder import Mirror
from rookery.plan.cloud import (
    ATTACHED,
    BALANCER,
    LEASE,
    READY,
    SERVER,
    cloud_resources,
    cloud_steps,
    reached_host,
)
from rookery.plan.resources import Kind, Resource
from rookery.plan.step import Step
from rookery.systems.cloud.login import Login, answers
from rookery.systems.cloud.removal import CloudRemoval
from rookery.systems.protocol import Removal, Report
from rookery.systems.remote_variables import remote_variables
from rookery.systems.servers import ClusterSecret, Told, Unswitched

_LETS_IN = 300.0  # seconds for a server that runs to answer SSH
_LOOKS_AT_ONCE = 32
_SYSTEM_NAMESPACE = "kube-system"  # where clouds' controllers run
_UNMARKED = (Kind.ATTACHMENT, Kind.TARGET)


class CloudServers(Unswitched):
    """The servers of a design in one account.

    `connect` gives the account's cloud, and is asked when it is needed: most commands need none. `machines`
    gives the servers' types by their hosts' names. In `folder` is the key that logs in. With `until`
    (`clouds/lease.py`) everything is marked with that end; without, what is marked stays so.

    They fetch from `mirror` where it is served to them at `mirror_url`, else from the internet.
    """

    def __init__(
        self,
        design: Design,
        connect: Callable[[], Cloud],
        *,
        machines: Callable[[], Mapping[str, str]],
        folder: Path,
        mirror: Mirror | None = None,
        mirror_url: str = "",
        until: str = "",
        patience: Patience | None = None,
        lets_in: Callable[[str], bool] | None = None,
    ) -> None:
        assert design.kubernetes is not None
        self._design = design
        self._version = design.kubernetes.version
        self._bootstrap = design.kubernetes.bootstrap
        self._connect = connect
        self._machines = machines
        self._mirror = mirror
        self._mirror_url = mirror_url
        self._until = until
        self._patience = patience or Patience()
        self._lets_in = lets_in or answers
        self.login = Login(folder=folder, user=design.traits.login)
        self._lock = threading.Lock()
        self._seen: dict[str, Made] | None = None
        self.notes: tuple[str, ...] = ()

    @cached_property
    def cloud(self) -> Cloud:
        """The account's cloud; raises TokenError where nothing lets one in."""
        return self._connect()

    @cached_property
    def resources(self) -> tuple[Resource, ...]:
        """All that the design asks of the account; the key that logs in is made where there is none."""
        return self._with_key(self.login.public_key())

    def _with_key(self, public_key: str) -> tuple[Resource, ...]:
        return cloud_resources(self._design, machines=self._machines(), public_key=public_key)

    @property
    def _looked_for(self) -> tuple[Resource, ...]:
        """The same for who only looks. Where there is no key yet, one of the account is another machine's."""
        return self._with_key(self.login.known_key())

    @cached_property
    def _steps(self) -> tuple[Step, ...]:
        return cloud_steps(self._looked_for, leased=bool(self._until))

    @cached_property
    def _by_id(self) -> Mapping[str, Resource]:
        return {one.id: one for one in self.resources}

    def require_access(self) -> None:
        """Raise TokenError where nothing lets one into the account, which alone knows where servers are."""
        _ = self.cloud

    def require(self) -> None:
        """Look for all that is in the way of what is still to be made, before the first cent."""
        _refuse_bootstrap(self._bootstrap)
        done = set(self._facts_of_resources())
        missing = [one for one in self.resources if one.id not in done]
        if not missing:
            return
        found = self._asked("a look at the account", lambda: self.cloud.preflight(self._design.name, missing))
        self.notes = found.notes
        if found.problems:
            count = "something is" if len(found.problems) == 1 else f"{len(found.problems)} things are"
            hints = tuple(f"  {one.hint}" if one.hint else "" for one in found.problems)
            lines = [
                line for one, hint in zip(found.problems, hints, strict=True) for line in (one.what, hint)
            ]
            raise NotPossibleError(
                f"{count} in the way at {self.cloud.title}, and nothing was made",
                details=tuple(line for line in lines if line),
            )

    def there(self) -> Mapping[str, Made]:
        """Return what is there of the design's resources, by their ids, as it was seen last."""
        with self._lock:
            if self._seen is None:
                self._seen = self._look()
            return dict(self._seen)

    def account(self) -> tuple[Made, ...]:
        """Return all that the account has of the system now, what the cluster's controllers made included."""
        names = account_names(self._design, self._looked_for)
        found: tuple[Made, ...] = self._asked(
            "what the account has", lambda: self.cloud.left(self._design.name, names)
        )
        return found

    def _look(self) -> dict[str, Made]:
        found = self._asked("what the account has", lambda: self.cloud.found(self._design.name))
        known = {(one.kind, one.name): one for one in found}
        pairs = ((one.id, known.get((one.kind, one.name))) for one in self._looked_for)
        return {name: made for name, made in pairs if made is not None}

    def _asked(self, what: str, call: Callable[[], Any]) -> Any:
        return patiently(what, call, self._patience, lambda _: None)

    def steps(self) -> tuple[Step, ...]:
        return self._steps

    def facts(self) -> Iterator[str]:
        done = tuple(self._facts_of_resources())
        yield from done
        yield from self._ready(done)
        if self._until and not self._unleased():
            yield LEASE

    def _facts_of_resources(self) -> Iterator[str]:
        there = self.there()
        for one in self._looked_for:
            if one.id in there and not self.cloud.lacks(one, there[one.id], there):
                yield one.id

    def _ready(self, done: Sequence[str]) -> Iterator[str]:
        """Yield the steps of those servers that let one in."""
        there = self.there()
        hosts = [host.name for host in self._design.servers if f"{SERVER}:{host.name}" in done]
        addresses = [there[f"{SERVER}:{host}"].public for host in hosts]
        with ThreadPoolExecutor(max_workers=_LOOKS_AT_ONCE) as pool:
            for host, lets_in in zip(hosts, pool.map(self._lets_in, addresses), strict=True):
                if lets_in:
                    yield f"{READY}:{host}"

    def makes(self, step: Step) -> bool:
        return any(one.id == step.id for one in self._steps)

    def apply(self, step: Step, report: Report) -> None:
        if step.id == LEASE:
            self._lease(report)
        elif host := reached_host(step):
            self._wait_until_it_lets_in(host, report)
        else:
            self._make(self._by_id[step.id], report)

    def _make(self, resource: Resource, report: Report) -> None:
        labels = self._labels()

        def make() -> Made:
            return self.cloud.make(resource, labels, self.there(), report)

        made = patiently(f"{resource.kind} {resource.name}", make, self._patience, report)
        with self._lock:
            assert self._seen is not None
            self._seen[resource.id] = made

    def _labels(self) -> Labels:
        """Return what everything made is labelled with, the lease of the rest unless told another."""
        until = self._until or max((one.until for one in self.there().values()), default="")
        return {SYSTEM: self._design.name} | ({UNTIL: until} if until else {})

    def _unleased(self) -> tuple[Made, ...]:
        """Return what has another end than it is to have."""
        marked = (one for one in self.there().values() if one.kind not in _UNMARKED)
        return tuple(one for one in marked if one.until != self._until)

    def _lease(self, report: Report) -> None:
        for one in self._unleased():
            what = f"{one.kind} {one.name}"
            report(what)

            def mark(one: Made = one) -> None:
                self.cloud.mark(one, {UNTIL: self._until})

            patiently(what, mark, self._patience, report)

    def _wait_until_it_lets_in(self, host: str, report: Report) -> None:
        address = self.there()[f"{SERVER}:{host}"].public

        def look() -> Look[bool]:
            lets_in = self._lets_in(address)
            return Look(
                seen="answers" if lets_in else f"nothing answers SSH at {address}", value=lets_in or None
            )

        wait_for(f"{host} to let one in", look, limit=_LETS_IN, report=report)

    def told(self) -> Told:
        """Return what playbooks must know: where each server is reached, its drives, who it is to the cloud.

        A server that is not there yet is not spoken of.
        """
        there = self.there()
        variables = {
            **remote_variables(mirror=self._mirror, url=self._mirror_url, version=self._version),
            **self.login.variables(),
            **self._api(there),
        }
        hosts = {
            host.name: self._told_host(host, there)
            for host in self._design.servers
            if f"{SERVER}:{host.name}" in there
        }
        secrets = tuple(
            ClusterSecret(name=name, namespace=_SYSTEM_NAMESPACE, values=values)
            for name, values in self.cloud.secrets(there)
        )
        return Told(variables=variables, hosts=hosts, secrets=secrets)

    def _told_host(self, host: Host, there: Mapping[str, Made]) -> dict[str, Any]:
        server = there[f"{SERVER}:{host.name}"]
        found: dict[str, Any] = {"ansible_host": server.public}
        if host.drives:
            found["drives"] = [
                {
                    "name": drive.name,
                    "size": drive.size,
                    "class": drive.device_class,
                    **({"device": made.device} if made is not None else {}),
                }
                for drive in host.drives
                for made in (there.get(f"{ATTACHED}:{host.name}-{drive.name}"),)
            ]
        if self._design.traits.controller and server.node_id:
            # The controller would look for it by the node's name, and the cloud has the system's before it.
            found["kubelet_settings"] = {"providerID": server.node_id}
        return found

    def _api(self, there: Mapping[str, Made]) -> dict[str, str]:
        """Return where this machine reaches the API: nobody outside is in the servers' network."""
        first = f"{SERVER}:{self._design.admin_host.name}"
        before = self._design.load_balancer is not None and self._design.traits.balancer_outside
        made = there.get(BALANCER if before else first)
        return {"api_url": f"https://{made.public}:{API_PORT}"} if made is not None else {}

    def exec_argv(self, host: str, argv: Sequence[str], *, terminal: bool = False) -> list[str]:
        del terminal  # SSH asks for one itself where there is no command
        known = [one.name for one in self._design.servers]
        if host not in known:
            raise InputError(f"there is no host {host!r}", hint=f"Hosts: {', '.join(known)}.")
        made = self.there().get(f"{SERVER}:{host}")
        if made is None:
            raise InputError(f"{host} is not made yet", hint="`rookery up` makes it.")
        return self.login.argv(made.public, argv)

    @property
    def power_obstacle(self) -> str:
        return "nobody here switches servers of a cloud"

    @property
    def switched_by(self) -> str:
        return "Switch it in the cloud's own console."

    def removal(self, *, noted: Path) -> Removal:
        return CloudRemoval(
            name=self._design.name,
            names=account_names(self._design, self._looked_for),
            connect=lambda: self.cloud,
            noted=(noted, self.login.folder),
            patience=self._patience,
        )


def _refuse_bootstrap(way: str) -> None:
    """Refuse a way to a cluster that would find no server: before any costs money."""
    if way == "kubeone":
        raise NotPossibleError(
            "KubeOne is told the servers' addresses in their own network, where this machine is not",
            hint="Leave kubernetes.bootstrap out, for kubeadm; or render the tree, and run KubeOne by hand on"
            " a machine in that network.",
        )


def account_names(design: Design, resources: Sequence[Resource]) -> frozenset[str]:
    """Return the names of all that a design has in an account, by which what lost its label is found."""
    return frozenset({one.name for one in resources} | controller_names(design.name))


def controller_names(system: str) -> frozenset[str]:
    """Return what the tree has a cloud's controller call what it makes for a system."""
    return frozenset({f"{system}-public"})
