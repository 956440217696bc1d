"""The floor: how fast the same Ceph can be on this machine when nothing but a bare script starts it.

Measured: the seconds from the first network namespace until there are a quorum of all monitors, all managers
with the dashboard loaded, all OSDs up, all PGs active+clean, CephFS active with a standby, both S3 gateways
answering over TLS, and HEALTH_OK.

Fair, because both sides run the same daemons, with the same ceph.conf, keyrings and certificates, in servers
of the same size over the same image on the same file system; all of that is asked from `rookery` before the
clock starts. What is missing here is what `rookery` adds: supervision, a plan that can be resumed, the load
balancer, the edges, users, verification. Whatever can be done side by side is.

Run as root: PYTHONPATH=src python bench/floor.py
It prints JSON, and takes everything away again: all that it makes is called rkfloor, and what an earlier run
left is removed first.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from rookery.apps.table import PLACERS, SETTINGS
from rookery.design.build import build_design
from rookery.design.model import Daemon, DaemonKind, Design, Host
from rookery.files import File
from rookery.projections.native.ceph_conf import mon_addresses, render_ceph_conf
from rookery.releases import DEFAULT_RELEASE, RELEASES
from rookery.spec.load import read_pattern
from rookery.spec.parse import parse_spec
from rookery.systems.home import home
from rookery.systems.native.identity import Identity, ensure_identity
from rookery.systems.native.root import image_root
from rookery.systems.native.servers import gateway_keyring, secret_files

PREFIX = "rkfloor"
SPEC = f"apiVersion: rookery/v1\npattern: production-minimum\nname: {PREFIX}\n"
FOLDER = home() / PREFIX
STATE = Path("/run") / PREFIX
CGROUPS = Path("/sys/fs/cgroup")
LIMIT = 120.0  # seconds for the cluster to be there
RUNC = ("runc", "--root", str(STATE))
CAPABILITIES = (
    "AUDIT_WRITE CHOWN DAC_OVERRIDE DAC_READ_SEARCH FOWNER FSETID IPC_LOCK KILL MKNOD NET_ADMIN"
    " NET_BIND_SERVICE NET_RAW SETFCAP SETGID SETPCAP SETUID SYS_ADMIN SYS_CHROOT SYS_NICE SYS_PTRACE"
)


def run(*argv: str, text: str = "") -> str:
    """Run a command of the machine; its words go to standard error when it fails."""
    done = subprocess.run(
        argv, input=text, capture_output=True, text=True, timeout=60, check=False, encoding="utf-8"
    )
    if done.returncode:
        raise SystemExit(f"{' '.join(argv)}: {done.stdout}{done.stderr}")
    return done.stdout


def read_design() -> Design:
    spec = parse_spec(
        SPEC,
        file="floor.yaml",
        settings=SETTINGS,
        read_pattern=lambda name: read_pattern(name, relative_to=Path()),
    )
    return build_design(spec, placers=PLACERS)


# The servers


def make_network(design: Design) -> None:
    """A bridge with the machine's own address, and a namespace with a cable for each server."""
    bridge = f"{PREFIX}0"
    prefix = design.network.public.partition("/")[2]
    lines = [
        f"link add {bridge} type bridge",
        f"address add {design.network.gateway}/{prefix} dev {bridge}",
        f"link set {bridge} up",
        *(f"netns add {PREFIX}-{host.name}" for host in design.servers),
    ]
    for number, host in enumerate(design.servers, start=1):
        outside, space = f"{PREFIX}{number}", f"{PREFIX}-{host.name}"
        lines.append(f"link add {outside} type veth peer name eth0 netns {space}")
        lines.append(f"link set {outside} master {bridge} up")
    run("ip", "-batch", "-", text="\n".join(lines) + "\n")
    for host in design.servers:
        inside = f"link set lo up\naddress add {host.address}/{prefix} dev eth0\nlink set eth0 up\n"
        run("ip", "-n", f"{PREFIX}-{host.name}", "-batch", "-", text=inside)


def render_init(design: Design, host: Host, fsid: str) -> str:
    """The first process of a server: prepares each daemon's data and becomes nobody's supervisor."""
    starts = [(daemon.name, _start(design, daemon, fsid)) for daemon in host.daemons]
    lines = [f"({command}) > /var/log/{name}.log 2>&1 &" for name, command in starts]
    return "\n".join(("install -d -o ceph -g ceph /run/ceph", *lines, "exec sleep infinity\n"))


def _start(design: Design, daemon: Daemon, fsid: str) -> str:
    """The shell line that makes a daemon's data and runs it."""
    me = f"-i {daemon.id} --setuser ceph --setgroup ceph"
    data = f"/var/lib/ceph/{daemon.kind}/ceph-{daemon.id}"
    if daemon.kind is DaemonKind.MON:
        addresses = " ".join(f"--addv {name} {address}" for name, address in mon_addresses(design))
        keyring = "/etc/ceph/mon.keyring"
        made = f"--create --fsid {fsid} --set-min-mon-release {RELEASES[design.ceph].code_name}"
        return (
            f"install -d -o ceph -g ceph {data}"
            f" && monmaptool {made} {addresses} /run/monmap"
            f" && ceph-mon --mkfs {me} --monmap /run/monmap --keyring {keyring} && exec ceph-mon -f {me}"
        )
    if daemon.kind is DaemonKind.OSD:
        make = f'ceph-osd --mkfs {me} --osd-uuid "$(cat {data}/.uuid)" --no-mon-config'
        link = f"ln -s /dev/{daemon.drive} {data}/block && chown -R ceph:ceph {data}"
        return f"{link} && {make} && exec ceph-osd -f {me}"
    if daemon.kind is DaemonKind.RGW:
        frontend = "beast ssl_port=7443 ssl_certificate=/etc/rookery/tls/server.pem"
        program = f"radosgw -f -n client.rgw.{daemon.id} --setuser ceph --setgroup ceph"
        return f"until [ -e /osds-up ]; do sleep 0.05; done; exec {program} --rgw-frontends '{frontend}'"
    return f"exec ceph-{daemon.kind} -f {me}"


def server_files(design: Design, host: Host, identity: Identity) -> list[File]:
    """The same configuration, keys and certificates that `rookery` lays down, and the guest's program."""
    fsid = identity["fsid"]
    files = [File.text("etc/ceph/ceph.conf", render_ceph_conf(design, fsid=fsid))]
    files += secret_files(design, host, identity)
    files += [gateway_keyring(daemon, identity) for daemon in host.daemons_of(DaemonKind.RGW)]
    files.append(File.text("init.sh", render_init(design, host, fsid)))
    return [
        *files,
        File.text("floor_guest.py", Path(__file__).with_name("floor_guest.py").read_text(encoding="utf-8")),
    ]


def start_server(host: Host, files: Sequence[File], image: Path, ceph: tuple[int, int]) -> None:
    """Mount a server's root, lay its files, make its drives and start it."""
    folder = FOLDER / host.name
    for name in ("upper", "work", "root"):
        (folder / name).mkdir(parents=True)
    layers = f"lowerdir={image},upperdir={folder}/upper,workdir={folder}/work"
    run("mount", "-t", "overlay", "overlay", "-o", layers, str(folder / "root"))
    for file in files:
        path = folder / "root" / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(file.content)
        path.chmod(file.mode)
        if file.owner == "ceph":
            os.chown(path, *ceph)
    for drive in host.drives:
        with (folder / drive.name).open("wb") as sparse:
            sparse.truncate(drive.size)
        os.chown(folder / drive.name, *ceph)
    (folder / "config.json").write_text(json.dumps(build_config(host, folder)), encoding="utf-8")
    with (folder / "console").open("wb") as console:
        argv = (*RUNC, "run", "--detach", "--bundle", str(folder), f"{PREFIX}-{host.name}")
        subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=console, stderr=console, timeout=60, check=True)


def build_config(host: Host, folder: Path) -> dict[str, Any]:
    """runc's description of a server: what `rookery` gives its servers, as far as the daemons need it."""
    capabilities = [f"CAP_{name}" for name in CAPABILITIES.split()]
    kinds = {"/proc": "proc", "/sys": "sysfs", **dict.fromkeys(("/dev", "/dev/shm", "/run", "/tmp"), "tmpfs")}
    mounts: list[dict[str, Any]] = [{"destination": at, "type": k, "source": k} for at, k in kinds.items()]
    for drive in host.drives:
        bind = {"type": "bind", "source": str(folder / drive.name), "options": ["bind", "rw"]}
        mounts.append({"destination": f"/dev/{drive.name}", **bind})
    return {
        "ociVersion": "1.0.2",
        "hostname": host.name,
        "root": {"path": str(folder / "root")},
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": ["sh", "/init.sh"],
            "env": ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LANG=C.UTF-8"],
            "cwd": "/",
            "capabilities": dict.fromkeys(("bounding", "effective", "permitted"), capabilities),
        },
        "mounts": mounts,
        "linux": {
            "namespaces": [
                *({"type": kind} for kind in ("pid", "mount", "ipc", "uts")),
                {"type": "network", "path": f"/run/netns/{PREFIX}-{host.name}"},
            ],
            "cgroupsPath": f"/{PREFIX}/{host.name}",
            "resources": {
                "memory": {"limit": host.memory},
                "cpu": {"quota": host.cpus * 100_000, "period": 100_000},
            },
        },
    }


# The cluster


def talk(design: Design, identity: Identity, marks: dict[str, float]) -> None:
    """Run the guest's program until everything is there; open the gates of the gateways on the way."""
    data = design.file_system
    store = design.object_store
    assert data is not None
    assert store is not None
    gateways = design.with_daemon(DaemonKind.RGW)
    facts = {
        "mons": len(design.with_daemon(DaemonKind.MON)),
        "mgrs": len(design.with_daemon(DaemonKind.MGR)),
        "mdss": len(design.with_daemon(DaemonKind.MDS)),
        "osds": [(int(d.id), identity[f"osd.{d.id}.uuid"]) for _, d in design.with_daemon(DaemonKind.OSD)],
        "pools": [
            {"name": pool.name, "pg_num": pool.pg_num, "size": pool.size, "application": pool.application}
            for pool in design.pools
        ],
        "fs": data.name,
        "fs_metadata": data.metadata_pool,
        "fs_data": data.data_pools[0],
        "gateways": [f"https://{host.address}:{store.port}/swift/healthcheck" for host, _ in gateways],
    }
    inside = ("python3", "/floor_guest.py", json.dumps(facts))
    argv = (*RUNC, "exec", f"{PREFIX}-{design.admin_host.name}", *inside)
    guest = subprocess.Popen(
        argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )
    alarm = threading.Timer(LIMIT, guest.kill)
    alarm.daemon = True
    alarm.start()
    assert guest.stdout is not None
    for line in guest.stdout:
        mark = json.loads(line)
        marks[mark["phase"]] = mark["at"]
        # Their pools are there long before; a gateway that finds no OSD behind them is slow to look again.
        if mark["phase"] == "osds up":
            for host, _ in gateways:
                (FOLDER / host.name / "root" / "osds-up").touch()
    alarm.cancel()
    if guest.wait() or "all" not in marks:
        raise SystemExit(f"the cluster was not there after {LIMIT:.0f} s; reached: {', '.join(marks)}")


def measure() -> dict[str, Any]:
    """Start everything and return the seconds; what it takes before the clock starts is not counted."""
    image = image_root(DEFAULT_RELEASE)
    if not image.is_dir():
        raise SystemExit(f"there is no image {image}: `rookery up` builds it")
    design = read_design()
    with tempfile.TemporaryDirectory() as keys:
        identity = ensure_identity(Path(keys) / "secrets.json", design)
    files = {host.name: server_files(design, host, identity) for host in design.servers}
    line = next(
        line
        for line in (image / "etc/passwd").read_text(encoding="utf-8").splitlines()
        if line.startswith("ceph:")
    )
    ceph = (int(line.split(":")[2]), int(line.split(":")[3]))
    busiest = sorted(design.servers, key=lambda host: -len(host.daemons))

    origin = time.time()
    marks: dict[str, float] = {}
    make_network(design)
    marks["network"] = time.time()
    with ThreadPoolExecutor(max_workers=len(busiest)) as threads:
        list(threads.map(lambda host: start_server(host, files[host.name], image, ceph), busiest))
    marks["servers"] = time.time()
    talk(design, identity, marks)
    since = {phase: round(at - origin, 3) for phase, at in sorted(marks.items(), key=lambda item: item[1])}
    return {
        "seconds": since["all"],
        # As `rookery up` reports it: from the first server's start, with the network there already.
        "ceph_seconds": round(since["all"] - since["network"], 3),
        "phases": since,
    }


# Taking away


def clean_up() -> None:
    """Remove everything that is called rkfloor, whoever left it; what is gone already is fine."""
    states = list(STATE.iterdir()) if STATE.is_dir() else []
    for path in states:
        # The first process of a pid namespace takes all others with it.
        with contextlib.suppress(OSError, ValueError, KeyError):
            pid = json.loads((path / "state.json").read_text(encoding="utf-8"))["init_process_pid"]
            if f"/{PREFIX}/" in Path(f"/proc/{pid}/cgroup").read_text(encoding="utf-8"):
                os.kill(pid, signal.SIGKILL)
    for path in states:
        subprocess.run((*RUNC, "delete", "--force", path.name), capture_output=True, timeout=60, check=False)
    spaces = [p.name for p in Path("/run/netns").glob(f"{PREFIX}-*")]
    links = [p.name for p in Path("/sys/class/net").glob(f"{PREFIX}[0-9]*")]
    lines = [*(f"netns delete {name}" for name in spaces), *(f"link delete {name}" for name in links)]
    text = "\n".join((*lines, ""))
    argv = ("ip", "-force", "-batch", "-")
    subprocess.run(
        argv, input=text, capture_output=True, text=True, timeout=60, check=False, encoding="utf-8"
    )
    for cgroup in sorted((*CGROUPS.glob(f"{PREFIX}/*/"), *CGROUPS.glob(f"*/{PREFIX}/*/")), reverse=True):
        with contextlib.suppress(OSError):
            cgroup.rmdir()
    for cgroup in (CGROUPS / PREFIX, *CGROUPS.glob(f"*/{PREFIX}")):
        with contextlib.suppress(OSError):
            cgroup.rmdir()
    for root in FOLDER.glob("*/root"):
        while root.is_mount():
            run("umount", "--lazy", str(root))
    shutil.rmtree(STATE, ignore_errors=True)
    shutil.rmtree(FOLDER, ignore_errors=True)


def main() -> int:
    """Print the measurement as JSON."""
    # Ending it is no reason to leave servers behind.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    clean_up()
    try:
        print(json.dumps(measure(), indent=1))
    finally:
        clean_up()
    return 0


if __name__ == "__main__":
    sys.exit(main())
