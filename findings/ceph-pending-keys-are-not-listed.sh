#!/usr/bin/env bash
# cephx: `ceph auth ls` keeps quiet about pending keys, which are as good as the keys that it lists.
#
# Versions: Ceph 20.2.4 (Debian forky).
# Seen:     `ceph auth get-or-create-pending` gives an entity a second key beside its first; the monitors take either.
#           `ceph auth get` shows both. `ceph auth ls` shows the first alone, as text and as JSON. Once the second is
#           used, the first ends by itself within a second or two: nobody has to commit it, and who has the old file is
#           refused.
# Expected: a list of who may come in that names every key with which one may.
# Output:   get: 1 pending key; ls: 0; connections with either: 2; after the second's use, with the first: refused
# Means:    Who looks for old or second keys asks entity by entity. A pending key is used only after the file of
#           whoever has the first one is in place.
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"
source "$FINDINGS/lib/ceph.sh"

debian forky ceph-mon ceph-mgr ceph-osd ceph-common iproute2
version ceph-mon 20.2.4

inside <<'INSIDE'
ceph_begin
ceph auth get-or-create client.app mon 'allow r' -o /run/first.keyring
PENDING=$(ceph auth get-or-create-pending client.app -f json |
    python3 -c 'import json, sys; print(json.load(sys.stdin)[0]["pending_key"])')
printf '[client.app]\n\tkey = %s\n' "$PENDING" >/run/second.keyring
count() { grep -cF "$PENDING" || true; }
comes_in() { timeout 20 ceph -n client.app -k "$1" mon stat >/dev/null 2>&1 && echo yes || echo no; }

expect "auth get names it" 1 "$(ceph auth get client.app 2>/dev/null | count)"
expect "auth ls names it" 0 "$(ceph auth ls 2>/dev/null | count)"
expect "auth ls as JSON names it" 0 "$(ceph auth ls -f json 2>/dev/null | count)"
expect "one comes in with the first" yes "$(comes_in /run/first.keyring)"
expect "the first is the listed one still" 0 "$(ceph auth ls 2>/dev/null | count)"
expect "one comes in with the second" yes "$(comes_in /run/second.keyring)"
eventually 15 bash -c "ceph auth ls 2>/dev/null | grep -qF '$PENDING'"
expect "and then with the first" no "$(comes_in /run/first.keyring)"
verdict
INSIDE
