#!/usr/bin/env bash
# cephx: a client whose key was rotated goes on for as long as its connections last, and then hangs without an error.
#
# Versions: Ceph 20.2.4 (Debian forky), its Python binding.
# Seen:     `ceph auth rotate` gives an entity another key. Who asks anew with the old one is refused at once. A client
#           that is connected goes on writing, also over a restart of the monitor, to which it cannot come back, and
#           past the life of its tickets (here 20 s, by default an hour): open connections to OSDs need none. When
#           the OSDs restart, it has no valid ticket to connect with: its writes hang, with no error and no limit,
#           while everybody else goes on and `ceph health` is HEALTH_OK.
# Expected: an error for the program that writes: EACCES, as at the first connection.
# Output:   writes after the rotation, writes 60 s after the monitor's restart, hangs after the OSDs'; errors: 0
# Means:    That a client works after a rotation says nothing. A rotation is rotating, laying the file, restarting the
#           client and a look at a write of the new process (docs/upgrade-18-to-20.md).
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"
source "$FINDINGS/lib/ceph.sh"

debian forky ceph-mon ceph-mgr ceph-osd ceph-common python3-rados iproute2
version ceph-mon 20.2.4

inside <<'INSIDE'
ceph_begin 'auth_service_ticket_ttl = 20'
ceph_manager
ceph_osds 3
ceph osd pool create load 8 >/dev/null 2>&1
ceph osd pool application enable load rados >/dev/null 2>&1
ceph_clean
ceph auth get-or-create client.app mon 'allow r' osd 'allow *' -o /etc/ceph/ceph.client.app.keyring
cat >/app.py <<'PYTHON'
import time

import rados

cluster = rados.Rados(name="client.app", conffile="/etc/ceph/ceph.conf")
cluster.connect()
pool = cluster.open_ioctx("load")
number = 0
while True:
    try:
        pool.write_full(f"{number % 64}", b"x")
    except rados.Error as error:
        print("error", type(error).__name__, flush=True)
    number += 1
    open("/run/written", "w").write(str(number))
    time.sleep(0.02)
PYTHON
python3 /app.py >/run/app.out 2>&1 </dev/null &
APP=$!
written() { cat /run/written; }
goes_on() { # goes_on SECONDS: whether more was written meanwhile, and still is
    sleep "$1"
    local before
    before=$(written)
    sleep 3
    [ "$(written)" -gt "$before" ] && echo writes || echo hangs
}
eventually 20 test -s /run/written
expect "the client before" writes "$(goes_on 1)"

ceph auth rotate client.app >/run/new.keyring 2>/dev/null
said=$(timeout 30 rados -n client.app -p load ls 2>&1 | tail -n1 || true)
expect "a new connection with the old key is served" no "$(grep -q '^[0-9]*$' <<<"$said" && echo yes || echo no)"
expect "the running client after the rotation" writes "$(goes_on 5)"

kill -TERM "$(ceph_id mon)"
eventually 20 bash -c "! kill -0 $(ceph_id mon)"
ceph_run mon ceph-mon -f -i a
eventually 60 ceph --connect-timeout 3 quorum_status
expect "the running client 60 s after a restart of the monitor" writes "$(goes_on 60)"

for number in 0 1 2; do
    kill -TERM "$(ceph_id "osd.$number")"
    eventually 30 bash -c "! kill -0 $(ceph_id "osd.$number")"
    ceph_osd_start "$number"
    eventually 60 bash -c "ceph osd stat | grep -q '3 up'"
done
ceph_clean
expect "the running client after restarts of the OSDs" hangs "$(goes_on 20)"
expect "errors that it was told" 0 "$(grep -c error /run/app.out || true)"
expect_text "health meanwhile" HEALTH_OK "$(eventually 60 bash -c 'ceph health | grep -q HEALTH_OK'; ceph health)"
rados -n client.app -k /run/new.keyring -p load put probe /etc/hostname && probe=written
expect "with the new key" written "${probe:-no}"
kill -KILL "$APP"
verdict
INSIDE
