#!/usr/bin/env bash
# ceph-fuse: a file has another inode number in each snapshot, by the order in which snapshots are looked at.
#
# Versions: Ceph 20.2.4, restic 0.19.1 (Debian forky).
# Seen:     Nothing changes between two snapshots of CephFS. In one mount each file has three inode numbers: its own, and
#           one in each snapshot, which differ in the upper 16 bits. Those count the snapshots that this mount has looked
#           at: in the next mount, where they are looked at in the other order, both have each other's. restic takes a
#           file for unchanged by size, times and inode number, so the second snapshot's backup reads all 40 files anew.
#           With --ignore-inode it reads none, nor where each snapshot is the first that a mount looks at.
# Expected: an inode number that says which file it is, in every mount.
# Output:   same mount: 40 files changed, 0 not; --ignore-inode, or a mount of its own: 0 changed, 40 not
# Means:    A file system of any size is read whole for each backup, without a word. Here a backup mounts it for itself,
#           and its snapshot is the first that it looks at (backups/files.py, files_mount.py). It gives restic one path and
#           one group too (`.`, --group-by host): by default restic compares with nothing where the path is another.
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"
source "$FINDINGS/lib/ceph.sh"

debian forky ceph-mon ceph-mgr ceph-osd ceph-mds ceph-fuse ceph-common python3-rados restic iproute2
version ceph-fuse 20.2.4
version restic 0.19.1

inside <<'INSIDE'
ceph_begin
ceph_manager
ceph_osds 3
ceph osd pool create meta 8 >/dev/null 2>&1
ceph osd pool create data 8 >/dev/null 2>&1
ceph fs new fs meta data >/dev/null 2>&1
ceph_metadata a
ceph_clean
eventually 60 bash -c 'ceph mds stat | grep -q up:active'
mkdir /mnt/first /mnt/next /mnt/last
ceph-fuse /mnt/first >/dev/null 2>&1
mkdir /mnt/first/tree
for number in {1..40}; do head -c 100000 /dev/urandom >"/mnt/first/tree/$number"; done
sync
mkdir /mnt/first/.snap/one /mnt/first/.snap/two
inode() { stat -c %i "/mnt/$1/tree/1"; }
first=$(inode first)
one=$(inode first/.snap/one)
two=$(inode first/.snap/two)
expect "inode numbers of a file that did not change" 3 "$(printf '%s\n' "$first" "$one" "$two" | sort -u | wc -l)"
lower=$(for number in $first $one $two; do echo $((number & 0xffffffffffff)); done)
expect "their lower 48 bits" 1 "$(sort -u <<<"$lower" | wc -l)"
ceph-fuse /mnt/next >/dev/null 2>&1
expect "the second snapshot's, looked at first in the next mount" "$one" "$(inode next/.snap/two)"
expect "the first snapshot's, looked at after it" "$two" "$(inode next/.snap/one)"
expect "not in a snapshot" "$first" "$(inode next)"

export RESTIC_PASSWORD=secret RESTIC_REPOSITORY=/run/repository
restic init >/dev/null
backup() { # backup FOLDER [OPTION...]: what restic says of the files in it
    (cd "/mnt/$1" && restic backup --json --no-scan "${@:2}" .) | python3 -c 'import json, sys
told = [json.loads(line) for line in sys.stdin][-1]
print(", ".join(f"{told[name]} {name[6:]}" for name in ("files_new", "files_changed", "files_unmodified")))'
}
expect "first backup" "40 new, 0 changed, 0 unmodified" "$(backup first/.snap/one --group-by host)"
expect "the other snapshot, same mount" "0 new, 40 changed, 0 unmodified" "$(backup first/.snap/two --group-by host)"
expect "the first, same mount, --ignore-inode" "0 new, 0 changed, 40 unmodified" \
    "$(backup first/.snap/one --group-by host --ignore-inode)"
ceph-fuse /mnt/last >/dev/null 2>&1
expect "the other, first in its mount" "0 new, 0 changed, 40 unmodified" "$(backup last/.snap/two --group-by host)"
expect "by restic's default for a path that it has not seen" "40 new, 0 changed, 0 unmodified" "$(backup last/.snap/one)"
umount /mnt/first /mnt/next /mnt/last
verdict
INSIDE
