#!/usr/bin/env bash
# rbd: a snapshot of a group, the one way to one moment of several images, cannot be given to `rbd export-diff`.
#
# Versions: Ceph 20.2.4 (Debian forky).
# Seen:     `rbd group snap create` takes one snapshot of all images of a group. `rbd snap ls --all` shows it on each
#           image, in the namespace `group`, by an id and a name that begins with a dot. `rbd export-diff IMAGE@NAME` says
#           that there is no such snapshot, and `--snap-id`, which `rbd children` knows, is no option of it.
# Expected: the option that others have: several images of one moment are what one wants to keep.
# Output:   snapshots of the group on the image; export-diff's exit code by name; its help names --snap-id or not
# Means:    Backups of volumes read differences by librbd, to which a snapshot's id can be given, and write `rbd diff v1`
#           themselves.
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"
source "$FINDINGS/lib/ceph.sh"

debian forky ceph-mon ceph-mgr ceph-osd ceph-common python3-rados iproute2
version ceph-mon 20.2.4

inside <<'INSIDE'
ceph_begin
ceph_manager
ceph_osds 3
ceph osd pool create block 8 >/dev/null 2>&1
rbd pool init block
ceph_clean
rbd create block/one --size 16M
rbd create block/two --size 16M
rbd group create block/together
rbd group image add block/together block/one
rbd group image add block/together block/two
rbd group snap create block/together@moment
listed=$(rbd snap ls --all block/one --format json)
count=$(python3 -c 'import json, sys
print(sum(one["namespace"]["type"] == "group" for one in json.load(sys.stdin)))' <<<"$listed")
name=$(python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["name"])' <<<"$listed")
expect "snapshots of the group on an image" 1 "$count"
rc=0
rbd export-diff "block/one@$name" /run/one.diff >/run/said 2>&1 || rc=$?
expect "export-diff by that name ends with" 2 "$rc"
expect_text "its words" "No such file or directory" "$(cat /run/said)"
expect "export-diff knows --snap-id" no "$(rbd help export-diff | grep -q -- --snap-id && echo yes || echo no)"
expect "rbd children knows --snap-id" yes "$(rbd help children | grep -q -- --snap-id && echo yes || echo no)"
verdict
INSIDE
