"""New keys for every entity, of the type that the next release takes for secure, and the end of the old ones.

An entity has two keys meanwhile, its own and a pending one, and the monitors take either: so nothing that
runs or starts is shut out, wherever this is killed. The old one ends once everybody has the new one. Measured
with Ceph 20.2.4 (docs/upgrade-18-to-20.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rookery.design.model import Daemon, DaemonKind
from rookery.drivers.ceph.guest.admin_socket import ask
from rookery.drivers.ceph.session import CephSession, key_type
from rookery.drivers.machine.files import read_users, write_files
from rookery.releases import RELEASES
from rookery.systems.native import ceph_setup
from rookery.systems.native.identity import cephx_entities, keep_secrets
from rookery.systems.native.lab import Lab
from rookery.systems.native.next_release import root_of
from rookery.systems.native.root import image_root
from rookery.systems.native.servers import gateway_keyring, monitor_keyring, secret_files
from rookery.systems.native.upgrade.moves import Moves
from rookery.systems.protocol import Report

_PREFERRED, _SERVICE, _ALLOWED = "auth_preferred_cipher", "auth_service_cipher", "auth_allowed_ciphers"
# Modules that Ceph 18 enables by itself and 20 does not have.
_GONE = {"restful"}
# Daemons that take a new key while they run; the others are started again.
# How long a ticket lasts: an hour by Ceph's default. Clients renew theirs after three quarters of it.
_TICKETS_LAST, _SECONDS = "auth_service_ticket_ttl", "20"
_TAKE_KEYS = (DaemonKind.MGR, DaemonKind.OSD, DaemonKind.MDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Running:
    """A daemon, and its server's first process. A manager that stands by cannot be `told` a key: librados
    reaches the active one alone. It is started again instead."""

    host: str
    daemon: Daemon
    pid: int
    told: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of one lab's cluster."""

    lab: Lab
    moves: Moves

    def facts(self) -> Iterator[str]:
        """Yield what holds once old ciphers are refused. Whether daemons use their new keys nobody tells, so
        they are handed out again after an interruption."""
        told = self._ceph.mon("mon dump")
        if [cipher["name"] for cipher in told.get(_ALLOWED, ())] == [self._type]:
            yield from ("tickets", "narrowed")

    def shorten_tickets(self) -> None:
        """Let tickets of whoever starts from now on last for seconds: all are renewed soon after the service
        keys are."""
        self._ceph.mon("config set", who="mon", name=_TICKETS_LAST, value=_SECONDS)

    def rotate(self, report: Report) -> None:
        """Give every entity a new key beside its own; daemons and whoever starts from now on use it."""
        self._set(_PREFERRED)
        report("a second key for each entity")
        pending = self._pending()
        # First what is kept: a lab whose servers had keys that it does not know itself could not start them.
        known = {name: pending[name] for name in cephx_entities(self.lab.design) if name in pending}
        keep_secrets(self.lab.paths.secrets, {f"cephx.{name}": key for name, key in known.items()})
        self._lay()
        self.lab.close()  # the administrator's next session has the new key
        daemons = self._daemons()
        report(f"{len(daemons)} daemons take theirs")
        ceph_setup.together(lambda one: self._hand(one, pending), daemons)

    def narrow(self) -> None:
        """End the old keys, then make tickets by service keys of the new type, and take no other keys.

        Nobody is left by then who has a ticket that lasts: whoever has one shows it, though daemons cannot
        read it any more, until it would have run out.
        """
        self._end_old()
        self._set(_SERVICE)
        if not self._service_keys_are_new():
            self._ceph.mon("auth wipe-rotating-service-keys")
        ceph_setup.together(self._forget_service_keys, self._daemons())
        self._set(_ALLOWED)

    def settle(self, report: Report) -> None:
        """Let tickets last again, turn off what the new release has no more, and wait until health says
        nothing."""
        self._ceph.mon("config rm", who="mon", name=_TICKETS_LAST)
        for module in _GONE & set(self._ceph.mon("mgr module ls")["enabled_modules"]):
            self._ceph.mon("mgr module disable", module=module)
        ceph_setup.wait_healthy(self._ceph, self.lab.design, report)

    @property
    def _ceph(self) -> CephSession:
        return self.lab.ceph()

    @property
    def _type(self) -> str:
        return RELEASES[self.lab.design.ceph].key_type

    def _is_new(self, key: str) -> bool:
        return key_type(key) == self._type

    def _entries(self) -> list[dict[str, Any]]:
        return list(self._ceph.mon("auth ls")["auth_dump"])

    def _set(self, option: str) -> None:
        self._ceph.mon("mon set", name=option, value=self._type)

    def _end_old(self) -> None:
        """Let entities have their new key alone, those that have two still."""
        old = [entry["entity"] for entry in self._entries() if not self._is_new(entry["key"])]
        ceph_setup.together(lambda name: self._ceph.mon("auth commit-pending", entity=name), old)

    def _service_keys_are_new(self) -> bool:
        """Tell whether tickets are made by keys of the new type. Those that clients get tickets by from the
        monitors are not looked at: no health code names them, and nothing but time renews them."""
        services = self._ceph.mon("auth dump-keys")["data"]["rotating_secrets"]
        return all(
            one["expiring_key"]["key"]["type_str"] == self._type
            for service in services
            if service["entity"]["type_str"] != "auth"
            for one in service["secrets"]["keys"]
        )

    def _pending(self) -> dict[str, str]:
        """Return the new key of each entity, made by the monitors where there is none yet."""
        entries = {entry["entity"]: entry for entry in self._entries()}

        def new_key(name: str) -> str:
            entry = entries[name]
            if self._is_new(entry["key"]):
                return str(entry["key"])
            told = self._ceph.mon("auth get-or-create-pending", entity=name)
            return str(told[0]["pending_key"])

        return dict(zip(entries, ceph_setup.together(new_key, entries), strict=True))

    def _lay(self) -> None:
        """Lay the keys that are kept now into every server."""
        design, identity = self.lab.design, self.lab.identity
        users = read_users(image_root(design.ceph))
        for host in design.servers:
            monitors = (monitor_keyring(d, identity) for d in host.daemons_of(DaemonKind.MON))
            gateways = (gateway_keyring(d, identity) for d in host.daemons_of(DaemonKind.RGW))
            files = (*secret_files(design, host, identity), *monitors, *gateways)
            write_files(self.lab.paths.server(host.name).root, files, users=users)

    def _daemons(self) -> list[_Running]:
        """Return the daemons that have keys of their own to take, as they run now."""
        active, pids = self._ceph.mon("mgr dump")["active_name"], self.lab.pids()
        return [
            _Running(
                host=host.name,
                daemon=daemon,
                pid=pids[host.name],
                told=daemon.kind is not DaemonKind.MGR or daemon.id == active,
            )
            for host in self.lab.design.hosts
            for daemon in host.daemons
            if daemon.kind in _TAKE_KEYS
        ]

    def _hand(self, running: _Running, keys: dict[str, str]) -> None:
        """Have a daemon use its new key from now on."""
        if running.told:
            self._ceph.tell(running.daemon.name, "rotate-key", stdin=keys[running.daemon.name])
        else:
            self.moves.move(running.host, running.daemon.name)

    def _forget_service_keys(self, running: _Running) -> None:
        """Have a daemon fetch the renewed service keys now.

        They have the numbers of those before them: a daemon that has these takes them for good, and refuses
        whoever comes with a ticket by the renewed ones, until its own run out after an hour.
        """
        if running.told:
            socket = root_of(running.pid) / f"run/ceph/ceph-{running.daemon.name}.asok"
            ask(socket, "wipe-rotating-secrets")
        else:
            self.moves.move(running.host, running.daemon.name)
