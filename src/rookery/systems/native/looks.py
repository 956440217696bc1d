"""Looks at servers and their volumes, which may hang or be cut off: all at once, each with a short limit."""

from __future__ import annotations

import functools
import http.client
import os
import shutil
import socket
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from rookery.design.model import Host
from rookery.design.stored import Volume
from rookery.drivers.containers.supervisor import ProgramState, Supervisor
from rookery.drivers.machine import krbd
from rookery.drivers.machine.asked import Asked
from rookery.systems.protocol import VolumeUse

SILENT = "does not answer"
WAKING = "has no supervisor yet"
CUT_OFF = "is cut off from the network"
_LIMIT = 2.5  # seconds; a supervisor that is well answers in milliseconds
_VOLUME_LIMIT = 2.0  # seconds
_UNUSED = 1  # tcpmux: nothing listens there, so a host that is there refuses at once


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What was seen of a server that runs: its programs, and why it serves nobody, empty where it does."""

    programs: tuple[ProgramState, ...] = ()
    trouble: str = ""


def look_at(hosts: Mapping[Host, int]) -> dict[str, Seen]:
    """Look at servers, each given with its first process' id on this machine; by their names."""
    if not hosts:
        return {}
    with ThreadPoolExecutor(max_workers=2 * len(hosts), thread_name_prefix="look") as pool:
        asked = {host.name: pool.submit(_programs, pid) for host, pid in hosts.items()}
        reached = {host.name: pool.submit(is_reachable, host.address) for host in hosts}
        found = {}
        for name, look in asked.items():
            seen = look.result()
            cut_off = not seen.trouble and not reached[name].result()
            found[name] = replace(seen, trouble=CUT_OFF) if cut_off else seen
        return found


def volume_uses(volumes: Iterable[Volume], pids: Mapping[str, int | None], key: str) -> tuple[VolumeUse, ...]:
    """Look how full volumes are where their servers, by the ids of their first processes, have them mounted;
    `key` is a cephx secret of their cluster's type.

    A file system whose device hangs may never answer: none is waited for beyond a limit.
    """
    asked = [
        (volume, Asked(functools.partial(_use_of, Path(f"/proc/{pids.get(volume.host)}/root{volume.path}"))))
        for volume in volumes
    ]
    uses = [(f"{volume.host}:{volume.path}", one.result(_VOLUME_LIMIT)) for volume, one in asked]
    mapped = {krbd.device_number(mapping) for mapping in krbd.all_mappings()}
    return tuple(
        VolumeUse(name=name, used=use.used, size=use.size, way=_way(key, mapped=use.device in mapped))
        if use
        else VolumeUse(name=name, used=None, size=None)
        for name, use in uses
    )


def _way(key: str, *, mapped: bool) -> str:
    if mapped:
        return "by this machine's kernel"
    why = krbd.obstacle(key)
    return f"by a storage daemon: {why}" if why else "by a storage daemon"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Use:
    """Used and usable bytes of a file system, and its device's number as tables of mounts write it."""

    used: int
    size: int
    device: str


def _use_of(place: Path) -> _Use | None:
    """Look at the file system that is mounted at a place; None where none is."""
    device = place.stat().st_dev
    if device == place.parent.stat().st_dev:
        return None
    found = shutil.disk_usage(place)
    number = f"{os.major(device)}:{os.minor(device)}"
    return _Use(used=found.used, size=found.used + found.free, device=number)


def is_reachable(address: str) -> bool:
    """Tell whether a host answers on the network: it refuses a connection that nobody waits for."""
    try:
        with socket.create_connection((address, _UNUSED), timeout=_LIMIT):
            return True
    except ConnectionRefusedError:
        return True
    except OSError:
        return False


def _programs(pid: int) -> Seen:
    """Ask a server's supervisor. One that was just started has no socket yet, or not for long."""
    try:
        states = Supervisor(pid, limit=_LIMIT).programs()
    except (FileNotFoundError, ConnectionError):
        return Seen(trouble=WAKING)
    except (OSError, http.client.HTTPException):
        return Seen(trouble=SILENT)
    return Seen(programs=tuple(_as_it_is(state, pid) for state in states))


def process_state(init: int, pid: int) -> str:
    """Return the letter that the kernel has for a process of a server (`S`, `T`, `Z`, ...), empty where there
    is none; `init` is the server's first process on this machine."""
    try:
        text = Path(f"/proc/{init}/root/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    return text.rpartition(")")[2].split()[0]


def _as_it_is(state: ProgramState, init: int) -> ProgramState:
    """A supervisor counts a program as running that was stopped by a signal and does nothing."""
    if state.state != "RUNNING":
        return state
    if process_state(init, state.pid) not in ("T", "t"):
        return state
    return replace(state, state="STOPPED", description="stopped by a signal (SIGCONT lets it go on)")
