#!/usr/bin/env bash
# ceph tell: a manager that stands by is told nothing, and whoever tells it waits without a limit.
#
# Versions: Ceph 20.2.4 (Debian forky).
# Seen:     With two managers, `ceph tell mgr.NAME version` answers at once for the active one. For the one that
#           stands by it does not end: no answer, no error, no limit, though the monitors list it and its own admin
#           socket answers the same command.
# Expected: an answer, or an error that says that this manager stands by.
# Output:   active: answers; standby: nothing within 20 s; its socket: answers
# Means:    A key is handed to the active manager while it runs (`rotate-key`); one that stands by is started again.
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"
source "$FINDINGS/lib/ceph.sh"

debian forky ceph-mon ceph-mgr ceph-osd ceph-common iproute2
version ceph-mgr 20.2.4

inside <<'INSIDE'
ceph_begin
ceph_manager one
ceph_manager two
standbys() { ceph mgr dump -f json | python3 -c 'import json, sys; print(*[s["name"] for s in json.load(sys.stdin)["standbys"]])'; }
export -f standbys
eventually 60 bash -c '[ -n "$(standbys)" ]'
ACTIVE=$(ceph mgr dump -f json | python3 -c 'import json, sys; print(json.load(sys.stdin)["active_name"])')
STANDBY=$([ "$ACTIVE" = one ] && echo two || echo one)
told() { # told COMMAND...: what becomes of a question within 20 s
    local code=0
    timeout 20 "$@" >/run/told 2>&1 || code=$?
    case $code in 0) echo answers ;; 124) echo nothing ;; *) echo "an error ($code)" ;; esac
}
expect "listed as standing by" "$STANDBY" "$(standbys)"
expect "the active one" answers "$(told ceph tell "mgr.$ACTIVE" version)"
expect "the one that stands by" nothing "$(told ceph tell "mgr.$STANDBY" version)"
expect "its own socket" answers "$(told ceph daemon "mgr.$STANDBY" version)"
verdict
INSIDE
