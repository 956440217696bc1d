#!/usr/bin/env bash
# librados: a lock whose taking "timed out" is held, and a write that "timed out" is written.
#
# Versions: Ceph 18.2.7 (Debian trixie), its Python binding.
# Seen:     with `rados_osd_op_timeout` of 2 s and OSDs that hang for 4 s, `lock_exclusive` and `write_full` raise
#           TimedOut. The operations are in the OSDs' sockets and are not called back: once the OSDs go on, the
#           object has the new content and the lock is held by the client that was told it is not. Another
#           client gets ObjectBusy for as long as the lock lives.
# Expected: after TimedOut nothing happens any more, or the name says that the outcome is unknown.
# Output:   lock: TimedOut, write: TimedOut; afterwards: content b'new', another client: ObjectBusy
# Means:    "False" from taking a lease means "not known". The live channel's lease
#           (apps/streaming/guest/channel/servers/lease.py) is always asked for with the same cookie and the flag that allows
#           renewing, so that the next try finds its own lock instead of being shut out by it; it counts as held
#           only after an answer, from the moment of asking; and it runs out by itself.
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
cat >/lock.py <<'PYTHON'
import os
import signal
import time

import rados


def client(limit):
    cluster = rados.Rados(conffile="/etc/ceph/ceph.conf", conf={"rados_osd_op_timeout": limit})
    cluster.connect()
    return cluster.open_ioctx("locks")


def tried(what, *arguments):
    try:
        what(*arguments)
    except rados.Error as error:
        return type(error).__name__
    return "done"


osds = [int(open(f"/run/ceph/osd.{number}.id").read()) for number in range(3)]
first, second = client("2"), client("0")
first.write_full("lease", b"old")
for process in osds:
    os.kill(process, signal.SIGSTOP)
began = time.monotonic()
print("lock:", tried(first.lock_exclusive, "lease", "lead", "first", "", 20))
print("write:", tried(first.write_full, "lease", b"new"))
for process in osds:
    os.kill(process, signal.SIGCONT)
print("hung:", round(time.monotonic() - began, 1))
time.sleep(2)
print("content:", second.read("lease"))
print("another:", tried(second.lock_exclusive, "lease", "lead", "second", "", 20))
print("again:", tried(first.lock_exclusive, "lease", "lead", "first", "", 20, 1))
PYTHON
said=$(timeout 90 python3 /lock.py)
of() { sed -n "s/^$1: //p" <<<"$said"; }
expect "taking the lock" TimedOut "$(of lock)"
expect "writing" TimedOut "$(of write)"
expect_within "seconds that the OSDs hung" 3.5 8 "$(of hung)"
expect "what the object holds afterwards" "b'new'" "$(of content)"
expect "another client's try for the lock" ObjectBusy "$(of another)"
expect "the first client's, with its cookie and LOCK_FLAG_MAY_RENEW" "done" "$(of again)"
verdict
INSIDE
