"""The live channel while a storage node hangs, and after one was lost: it moves again by itself.

For how long it stands still is measured in bench/live.py; here it is bounded generously.
"""

from __future__ import annotations

import re
import time

import pytest

from rookery.design.faults import Fault, FaultKind
from rookery.design.model import DaemonKind
from rookery.drivers.clients.http import Browser
from rookery.systems.native.system import NativeSystem
from tests.kit.labs import Lab, rookery

pytestmark = pytest.mark.on("default")
LIMIT = 120.0  # seconds; an OSD that hangs is marked down after some 25
_SEQUENCE = re.compile(rb"#EXT-X-MEDIA-SEQUENCE:(\d+)")


def newest(lab: Lab) -> int:
    with Browser(lab.ca) as browser:
        body = browser.get(f"{lab.url}live/live.m3u8").body
    found = _SEQUENCE.search(body)
    return int(found[1]) + body.count(b"#EXTINF") if found else 0


def moves(lab: Lab, *, segments: int) -> bool:
    """Whether as many new segments come within the limit."""
    deadline = time.monotonic() + LIMIT
    first = newest(lab)
    while newest(lab) < first + segments or not first:
        if time.monotonic() > deadline:
            return False
        first = first or newest(lab)
        time.sleep(0.5)
    return True


def lock_leader(system: NativeSystem) -> str:
    """Return the host of the OSD that leads the object of the channel's lock."""
    assert system.design.file_system is not None
    pool = system.design.file_system.data_pools[0]
    told = system.ceph().mon("osd map", pool=pool, object="live-channel", nspace="live")
    name = f"osd.{told['acting_primary']}"
    return next(host.name for host, osd in system.design.with_daemon(DaemonKind.OSD) if osd.name == name)


FENCED_BEFORE_IT_MOUNTS = """
import sys
sys.path.insert(0, "/usr/lib/rookery/streaming")
from lease import Lease
from share import Share

pool, file_system, folder = sys.argv[1:]
lease = Lease(user="live", pool=pool, namespace="live", host="test")
share = Share(user="live", file_system=file_system, path=folder)
with share.client() as client:
    client.open().write("test-of-fencing", b"")
with share.client() as client:
    client.open().remove("test-of-fencing")
try:
    with share.client() as client:
        lease.fence(client.address)
        client.open().write("test-of-fencing", b"")
except share.error as error:
    print(type(error).__name__)
"""


def test_a_client_has_an_address_before_it_mounts_and_is_refused_once_that_is_fenced(
    system: NativeSystem,
) -> None:
    file_system = system.design.file_system
    assert file_system is not None
    host = next(
        host.name
        for host in system.design.hosts
        if "streaming-channel" in {one.name for one in host.instances}
    )
    where = (file_system.data_pools[0], file_system.name, "/live")
    said = system.lab.execute(host, ("python3", "-c", FENCED_BEFORE_IT_MOUNTS, *where))
    assert said.split() == ["PermissionError"]


def test_it_moves_again_while_the_node_that_leads_its_lock_hangs(lab: Lab, system: NativeSystem) -> None:
    host = lock_leader(system)
    assert moves(lab, segments=1)
    with system.faults.begin(Fault(kind=FaultKind.HANG, host=host)):
        told = rookery("status", lab.name, "--output", "json")
        assert told.code == 1
        assert {seen["name"]: seen["trouble"] for seen in told.data["hosts"] if seen["trouble"]} == {
            host: "does not answer"
        }
        # What was listed before is still handed out: more than that are new ones.
        assert moves(lab, segments=8)
    up = rookery("up", str(lab.spec), "--output", "json")
    assert up.code == 0, up.trouble


def test_it_moves_again_after_the_node_that_leads_its_lock_was_lost(lab: Lab, system: NativeSystem) -> None:
    system.faults.begin(Fault(kind=FaultKind.POWER, host=lock_leader(system)))
    assert moves(lab, segments=8)
    up = rookery("up", str(lab.spec), "--output", "json")
    assert up.code == 0, up.trouble
    assert moves(lab, segments=2)
