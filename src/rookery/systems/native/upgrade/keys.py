"""New keys for every entity, of the type that the next release takes for secure, and the end of the old ones.

An entity has two keys meanwhile, its own and a pending one, and the monitors take either: so nothing that
runs or starts is shut out, wherever this is killed. The old one ends once everybody has the new one. Measured
with Ceph 20.2.4 (docs/upgrade-18-to-20.md).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rookery.design.model import Daemon, DaemonKind, Host
from rookery.drivers.ceph.session import CephSession, key_type
from rookery.drivers.machine.files import read_users, write_files
from rookery.releases import RELEASES
from rookery.systems.native import ceph_setup
from rookery.systems.native.identity import cephx_entities, keep_secrets
from rookery.systems.native.lab import Lab
from rookery.systems.native.root import image_root
from rookery.systems.native.servers import gateway_keyring, monitor_keyring, secret_files
from rookery.systems.native.upgrade.moves import Moves
from rookery.systems.protocol import Report

_PREFERRED, _SERVICE, _ALLOWED = "auth_preferred_cipher", "auth_service_cipher", "auth_allowed_ciphers"
# Modules that Ceph 18 enables by itself and 20 does not have.
_GONE = {"restful"}
# Daemons that take a new key while they run; the others are started again.
_TAKE_KEYS = (DaemonKind.MGR, DaemonKind.OSD, DaemonKind.MDS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """The keys of one lab's cluster."""

    lab: Lab
    moves: Moves

    def facts(self) -> Iterator[str]:
        """Yield `narrowed` where it holds. Whether daemons use their new keys nobody tells: they are handed
        out again after an interruption."""
        told = self._ceph.mon("mon dump")
        if [cipher["name"] for cipher in told.get(_ALLOWED, ())] == [self._type]:
            yield "narrowed"

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
        self._hand_out(pending, report)

    def narrow(self) -> None:
        """End the old keys, then take nothing but the new type."""
        old = [entry["entity"] for entry in self._entries() if not self._is_new(entry["key"])]
        ceph_setup.together(lambda name: self._ceph.mon("auth commit-pending", entity=name), old)
        self._set(_SERVICE)
        self._ceph.mon("auth wipe-rotating-service-keys")
        self._set(_ALLOWED)

    def settle(self, report: Report) -> None:
        """Turn off what the new release has no more, and wait until health says nothing."""
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

    def _hand_out(self, keys: dict[str, str], report: Report) -> None:
        """Have daemons use their new keys: told while they run, or started again where they cannot be told.

        A manager that stands by is one of those: librados reaches the active one alone.
        """
        daemons = [(host, d) for host in self.lab.design.hosts for d in host.daemons if d.kind in _TAKE_KEYS]
        active = self._ceph.mon("mgr dump")["active_name"]
        report(f"{len(daemons)} daemons take theirs")

        def hand(one: tuple[Host, Daemon]) -> None:
            host, daemon = one
            if daemon.kind is DaemonKind.MGR and daemon.id != active:
                self.moves.move(host.name, daemon.name)
            else:
                self._ceph.tell(daemon.name, "rotate-key", stdin=keys[daemon.name])

        ceph_setup.together(hand, daemons)
