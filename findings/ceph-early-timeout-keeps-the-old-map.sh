#!/usr/bin/env bash
# librados: who gives operations up before 10 s never learns that the object's OSD is down.
#
# Versions: Ceph 18.2.7 (Debian trixie), its Python binding.
# Seen:     the primary of an object hangs (SIGSTOP: its connections stay) and is marked down; another OSD leads
#           the object from then on. A client with `rados_osd_op_timeout` of 2 s that asks once a second gets
#           TimedOut for as long as it is watched, while a new client with the same settings is served soon.
#           The Objecter asks the monitors for a newer map when an operation is older than `objecter_timeout`
#           (10 s, looked at every `objecter_tick_interval`, 5 s); an operation that is given up after 2 s is
#           never that old, and no other OSD is asked anything, so nobody hands the client the new map.
# Expected: that a client which gets no answer looks for a newer map, however long it is ready to wait.
# Output:   early: never; late: after some 10 to 15 s; asks: after some seconds; anew: as soon as the PG is active
# Means:    a limit for operations goes with an `objecter_timeout` well below it: apps/streaming/guest/channel/servers/lease.py
#           for the live channel's lease, [client] of ceph.conf for everything else that waits for a hung OSD.
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"
source "$FINDINGS/lib/ceph.sh"

debian trixie ceph-mon ceph-mgr ceph-osd ceph-common python3-rados iproute2
version ceph-mon 18.2.7

inside <<'INSIDE'
ceph_begin
ceph_manager
ceph_osds 3
ceph osd pool create locks 8 >/dev/null 2>&1
ceph_clean
cat >/maps.py <<'PYTHON'
import json
import os
import signal
import subprocess
import threading
import time

import rados

OPTIONS = {
    "early": {"rados_osd_op_timeout": "2"},
    "late": {"rados_osd_op_timeout": "30"},
    "asks": {"rados_osd_op_timeout": "2", "objecter_timeout": "0.5", "objecter_tick_interval": "0.5"},
}
WATCHED = 45


def client(options):
    cluster = rados.Rados(conffile="/etc/ceph/ceph.conf", conf=options)
    cluster.connect()
    return cluster.open_ioctx("locks")


def asked(*words):
    out = subprocess.run(("ceph", *words, "-f", "json"), capture_output=True, check=True, timeout=30).stdout
    return json.loads(out) if out.strip() else None


def served(pool):
    try:
        pool.stat("lease")
    except rados.TimedOut:
        return False
    return True


clients = {name: client(options) for name, options in OPTIONS.items()}
clients["early"].write_full("lease", b"mine")
assert all(served(pool) for pool in clients.values())
primary = asked("osd", "map", "locks", "lease")["acting_primary"]
process = int(open(f"/run/ceph/osd.{primary}.id").read())
os.kill(process, signal.SIGSTOP)
# One question each before the map changes, as of whoever renews a lease: the connection is there and silent.
assert not served(clients["early"])
asked("osd", "down", str(primary))
began = time.monotonic()


def watch(name):
    while time.monotonic() - began < WATCHED:
        if served(clients[name]):
            print(f"{name}: {time.monotonic() - began:.1f}", flush=True)
            return
        time.sleep(1)
    print(f"{name}: never", flush=True)


threads = [threading.Thread(target=watch, args=(name,)) for name in clients]
for thread in threads:
    thread.start()
while time.monotonic() - began < WATCHED and not served(client(OPTIONS["early"])):
    time.sleep(1)
print(f"anew: {time.monotonic() - began:.1f}", flush=True)
for thread in threads:
    thread.join()
os.kill(process, signal.SIGCONT)
began = time.monotonic()
while not served(clients["early"]) and time.monotonic() - began < 40:
    time.sleep(1)
print("resumed:", served(clients["early"]), flush=True)
os._exit(0)
PYTHON
said=$(timeout 200 python3 /maps.py)
echo "$said" | sed 's/^/  | /'
of() { sed -n "s/^$1: //p" <<<"$said"; }
expect "seconds until the client is served that gives up after 2 s" never "$(of early)"
expect_within "seconds until the one is that waits longer than objecter_timeout" 5 18 "$(of late)"
expect_within "seconds until the one is that gives up after 2 s, with objecter_timeout 0.5" 0 15 "$(of asks)"
expect_within "seconds until a new client is, each with the settings of the first" 0 15 "$(of anew)"
expect "the first, once its OSD goes on" "True" "$(of resumed)"
verdict
INSIDE
