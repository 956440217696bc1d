"""A program that runs inside the servers' image, beside Ceph's own Python bindings: it lets a monitor without
a cluster make an OSD map with the pools that it is told, and keeps the map.

The monitor lives for a second, in a network namespace of its own, with a CRUSH map that has rules and no
OSDs: with any in it, it would begin to place every PG of every pool after each command.
"""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

_FSID = "00000000-0000-4000-8000-000000000001"
_ADDRESS = "[v2:127.0.0.1:3300]"
_CONF = f"""\
[global]
fsid = {_FSID}
mon_host = {_ADDRESS}
auth_cluster_required = none
auth_service_required = none
auth_client_required = none
mon_data = {{folder}}/mon
run_dir = {{folder}}
log_file = {{folder}}/mon.log
admin_socket =
mon_data_avail_warn = 1
mon_data_avail_crit = 0
paxos_propose_interval = 0.02
paxos_min_wait = 0.01
mon_client_hunt_interval = 0.3
mon_max_pg_per_osd = 1000000
mon_osd_max_initial_pgs = 65536
osd_pool_default_pg_autoscale_mode = off
"""


def make_map(folder: Path, job: dict[str, Any]) -> None:
    """Write the OSD map of a job to `osdmap`; raises RuntimeError for what the monitor refuses."""
    import rados

    conf, monmap = folder / "ceph.conf", folder / "monmap"
    conf.write_text(_CONF.format(folder=folder), encoding="utf-8")
    (folder / "mon").mkdir()
    named = ("--addv", "a", _ADDRESS)
    _run("ip", "link", "set", "lo", "up")
    release = ("--set-min-mon-release", job["release"])
    _run("monmaptool", "--create", "--fsid", _FSID, *release, *named, str(monmap))
    _run("ceph-mon", "-c", str(conf), "--mkfs", "-i", "a", "--monmap", str(monmap))
    # A monitor that outlived a killed program would wait for a cluster for ever.
    ends_with_us = ("setpriv", "--pdeathsig", "KILL")
    monitor = subprocess.Popen((*ends_with_us, "ceph-mon", "-c", str(conf), "-f", "-i", "a"))
    try:
        with rados.Rados(conffile=str(conf), name="client.admin") as cluster:
            _command(cluster, {"prefix": "osd setmaxosd", "newmax": job["osds"]})
            _command(cluster, {"prefix": "osd setcrushmap"}, (folder / job["crush"]).read_bytes())
            for command in job["commands"]:
                _command(cluster, command)
            (folder / "osdmap").write_bytes(_command(cluster, {"prefix": "osd getmap"}))
    finally:
        monitor.kill()
        monitor.wait()


def _run(*argv: str) -> None:
    done = subprocess.run(argv, capture_output=True, text=True, check=False, encoding="utf-8")
    if done.returncode != 0:
        raise RuntimeError(f"{argv[0]}: {done.stderr.strip()}")


def _command(cluster: Any, command: dict[str, Any], given: bytes = b"") -> bytes:
    code, out, status = cluster.mon_command(json.dumps(command), given)
    if code != 0:
        raise RuntimeError(f"{command['prefix']}: {status} ({code})")
    return bytes(out)


if __name__ == "__main__":
    make_map(Path.cwd(), json.loads(Path("job.json").read_text(encoding="utf-8")))
