"""The floor's only talk with the cluster: one process with Ceph's own bindings, inside a server.

It tells the cluster the least that it must know and waits for the state that `bench/floor.py` names. Each
phase is printed as a JSON line with the time of day when it was reached; the first argument holds the facts.
It runs on the server's Python and imports nothing of ours.
"""

from __future__ import annotations

import errno
import json
import ssl
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import rados

PAUSE = 0.05
# As rookery sets it; with its own TLS the module does not start on Debian's Python.
DASHBOARD = {
    "mgr/dashboard/ssl": "false",
    "mgr/dashboard/server_addr": "127.0.0.1",
    "mgr/dashboard/server_port": "8080",
}


def reached(phase: str) -> None:
    print(json.dumps({"phase": phase, "at": time.time()}), flush=True)


def connect() -> Any:
    """Connect as soon as a monitor answers. Tries are short: one that began too early is slow to see it."""
    while True:
        cluster = rados.Rados(conffile="/etc/ceph/ceph.conf", name="client.admin")
        cluster.conf_set("client_mount_timeout", "1")
        try:
            cluster.connect(timeout=1)
        except rados.Error:
            cluster.shutdown()
            time.sleep(PAUSE)
        else:
            return cluster


class Cluster:
    """Commands to the monitors; many threads may send them at once."""

    def __init__(self) -> None:
        self._cluster = connect()

    def tell(self, prefix: str, **arguments: Any) -> Any:
        command = json.dumps({"prefix": prefix, "format": "json", **arguments})
        code, out, status = self._cluster.mon_command(command, b"")
        while code == -errno.EAGAIN:
            # The monitors were busy electing.
            time.sleep(PAUSE)
            code, out, status = self._cluster.mon_command(command, b"")
        if code not in (0, -errno.EEXIST):
            raise SystemExit(f"{prefix} {arguments}: {status} ({code})")
        try:
            return json.loads(out) if out else None
        except ValueError:
            return out.decode()


def create_pool(cluster: Cluster, pool: dict[str, Any]) -> None:
    name, count = pool["name"], pool["pg_num"]
    sure: dict[str, Any] = {"yes_i_really_mean_it": True} if name.startswith(".") else {}
    cluster.tell("osd pool create", pool=name, pg_num=count, pgp_num=count, size=pool["size"], **sure)
    cluster.tell("osd pool application enable", pool=name, app=pool["application"], yes_i_really_mean_it=True)


def tell_all(cluster: Cluster, facts: dict[str, Any]) -> None:
    """Settings, OSD numbers, pools and the file system; side by side wherever the monitors allow it."""
    with ThreadPoolExecutor(max_workers=16) as threads:
        settings = [
            threads.submit(cluster.tell, "config set", who="mgr", name=name, value=value, force=True)
            for name, value in DASHBOARD.items()
        ]
        # Pools need no OSD to be there: their PGs wait for them in the monitors.
        pools = {pool["name"]: threads.submit(create_pool, cluster, pool) for pool in facts["pools"]}
        for number, uuid in facts["osds"]:
            cluster.tell("osd new", uuid=uuid, id=number)
        reached("osds registered")
        for done in pools.values():
            done.result()
        reached("pools")
        cluster.tell("fs new", fs_name=facts["fs"], metadata=facts["fs_metadata"], data=facts["fs_data"])
        wait(settings)


def answers(url: str) -> bool:
    context = ssl._create_unverified_context()  # noqa: SLF001 - whether it answers, not who it is
    try:
        with urllib.request.urlopen(url, timeout=1, context=context) as answer:
            return int(answer.status) == 200
    except OSError:
        return False


def state(cluster: Cluster, facts: dict[str, Any]) -> dict[str, bool]:
    """What of the final state holds now."""
    status = cluster.tell("status")
    managers, files, pgs = status["mgrmap"], status["fsmap"], status["pgmap"]
    clean = sum(s["count"] for s in pgs["pgs_by_state"] if s["state_name"] == "active+clean")
    active = sum(rank["status"] == "up:active" for rank in files.get("by_rank", ()))
    return {
        "quorum": len(status["quorum_names"]) == facts["mons"],
        "managers": managers["available"] and managers["num_standbys"] + 1 == facts["mgrs"],
        "dashboard": "dashboard" in managers["services"],
        "osds up": status["osdmap"]["num_up_osds"] == len(facts["osds"]),
        "pgs clean": clean == pgs["num_pgs"] == sum(pool["pg_num"] for pool in facts["pools"]),
        "cephfs": active == 1 and active + files.get("up:standby", 0) == facts["mdss"],
        "healthy": status["health"]["status"] == "HEALTH_OK",
    }


def wait_all(cluster: Cluster, facts: dict[str, Any]) -> None:
    """Wait until everything holds in one look; a phase is printed when it holds for the first time."""
    seen: set[str] = set()
    silent = list(facts["gateways"])
    while True:
        now = state(cluster, facts)
        silent = [url for url in silent if not answers(url)]
        now["gateways"] = not silent
        for phase in [phase for phase, holds in now.items() if holds and phase not in seen]:
            seen.add(phase)
            reached(phase)
        if all(now.values()):
            reached("all")
            return
        time.sleep(PAUSE)


def main() -> None:
    facts = json.loads(sys.argv[1])
    cluster = Cluster()
    reached("connected")
    tell_all(cluster, facts)
    wait_all(cluster, facts)


if __name__ == "__main__":
    main()
