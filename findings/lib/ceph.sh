# shellcheck shell=bash
# A small real Ceph inside a root of `debian`: cephx, BlueStore on sparse files, each OSD in a CRUSH host of its
# own, all on loopback. Sourced after root.sh; the functions are called inside.
#
#     ceph_begin ['more lines of ceph.conf']   configuration, keys, one monitor
#     ceph_manager, ceph_osds 3, ceph_metadata a, ceph_gateway 7480
#     ceph_clean                               until every placement group is active+clean
#
# The process id of each daemon is in /run/ceph/NAME.id (mon, mgr, osd.0, mds.a, rgw.7480).

ceph_run() { # ceph_run NAME COMMAND...: a daemon in the background
    local name=$1
    shift
    "$@" >"/var/log/ceph/$name.out" 2>&1 </dev/null &
    echo $! >"/run/ceph/$name.id"
    disown
}

ceph_id() { cat "/run/ceph/$1.id"; } # ceph_id NAME: its process

ceph_kill() { # ceph_kill NAME: as a power cut would, and waited for
    kill -KILL "$(ceph_id "$1")"
    eventually 10 bash -c "! kill -0 $(ceph_id "$1")"
}

ceph_keys() { # configuration and keys, but no daemon
    mkdir -p /etc/ceph /var/log/ceph
    FSID=$(cat /proc/sys/kernel/random/uuid)
    cat >/etc/ceph/ceph.conf <<CONF
[global]
fsid = $FSID
mon_host = [v2:127.0.0.1:3300,v1:127.0.0.1:6789]
mon_initial_members = a
public_addr = 127.0.0.1
auth_allow_insecure_global_id_reclaim = false
osd_pool_default_pg_autoscale_mode = off
osd_pool_default_size = 3
osd_pool_default_pg_num = 8
osd_crush_chooseleaf_type = 1
mon_data_avail_warn = 2
mon_data_avail_crit = 1
mon_allow_pool_delete = true
osd_mclock_skip_benchmark = true
osd_memory_target = 1073741824
bluestore_block_size = 4294967296
bluestore_fsck_on_mkfs = false
log_to_stderr = false
err_to_stderr = false
${1:-}
CONF
    ceph-authtool --create-keyring /etc/ceph/ceph.client.admin.keyring --gen-key -n client.admin \
        --cap mon 'allow *' --cap osd 'allow *' --cap mgr 'allow *' --cap mds 'allow *' >/dev/null
    ceph-authtool --create-keyring /etc/ceph/mon.keyring --gen-key -n mon. --cap mon 'allow *' >/dev/null
    ceph-authtool /etc/ceph/mon.keyring --import-keyring /etc/ceph/ceph.client.admin.keyring >/dev/null
    monmaptool --create --fsid "$FSID" --addv a '[v2:127.0.0.1:3300,v1:127.0.0.1:6789]' --enable-all-features \
        /etc/ceph/monmap >/dev/null
    mkdir -p /var/lib/ceph/mon/ceph-a
    ceph-mon --mkfs -i a --monmap /etc/ceph/monmap --keyring /etc/ceph/mon.keyring >/dev/null
}

ceph_begin() {
    ceph_keys "${1:-}"
    ceph_run mon ceph-mon -f -i a
    eventually 60 ceph --connect-timeout 3 quorum_status
}

ceph_manager() { # ceph_manager [NAME]
    local name=${1:-x}
    mkdir -p "/var/lib/ceph/mgr/ceph-$name"
    ceph auth get-or-create "mgr.$name" mon 'allow profile mgr' osd 'allow *' mds 'allow *' \
        -o "/var/lib/ceph/mgr/ceph-$name/keyring"
    ceph_run "mgr$([ "$name" = x ] || echo ".$name")" ceph-mgr -f -i "$name"
    eventually 90 bash -c "ceph mgr dump -f json | grep -q '\"available\":true'"
}

ceph_osd_start() { ceph_run "osd.$1" ceph-osd -f -i "$1"; }

ceph_osds() { # ceph_osds N: OSDs 0 to N-1, and until all are up
    local number uuid
    for ((number = 0; number < $1; number++)); do
        uuid=$(cat /proc/sys/kernel/random/uuid)
        mkdir -p "/var/lib/ceph/osd/ceph-$number"
        printf '[osd.%s]\ncrush_location = root=default host=host%s\n' "$number" "$number" >>/etc/ceph/ceph.conf
        [ "$(ceph osd new "$uuid")" = "$number" ]
        ceph auth get-or-create "osd.$number" mon 'allow profile osd' mgr 'allow profile osd' osd 'allow *' \
            -o "/var/lib/ceph/osd/ceph-$number/keyring"
        ceph-osd -i "$number" --mkfs --osd-uuid "$uuid" >/dev/null 2>&1
        ceph_osd_start "$number"
    done
    eventually 120 bash -c "ceph osd stat | grep -q '$1 up'"
}

ceph_clean() { # ceph_clean [SECONDS]: what the managers say of every placement group is active+clean
    eventually "${1:-90}" bash -c 'ceph pg stat -f json | python3 -c "
import json, sys
seen = json.load(sys.stdin)
seen = seen.get(\"pg_summary\", seen)
states = [row[\"name\"] for row in seen[\"num_pg_by_state\"]]
sys.exit(states != [\"active+clean\"])"'
}

ceph_metadata() { # ceph_metadata NAME: a metadata server
    mkdir -p "/var/lib/ceph/mds/ceph-$1"
    ceph auth get-or-create "mds.$1" mon 'allow profile mds' mgr 'allow profile mds' osd 'allow *' mds allow \
        -o "/var/lib/ceph/mds/ceph-$1/keyring"
    ceph_run "mds.$1" ceph-mds -f -i "$1"
}

ceph_gateway() { # ceph_gateway PORT [OPTION...]: S3 over plain HTTP
    local port=$1
    shift
    mkdir -p "/var/lib/ceph/radosgw/ceph-rgw.$port"
    ceph auth get-or-create "client.rgw.$port" mon 'allow rwx' mgr 'allow rw' osd 'allow rwx' \
        -o "/var/lib/ceph/radosgw/ceph-rgw.$port/keyring"
    ceph_run "rgw.$port" radosgw -f -n "client.rgw.$port" --rgw-data "/var/lib/ceph/radosgw/ceph-rgw.$port" \
        --rgw-frontends "beast endpoint=127.0.0.1:$port" "$@"
    eventually 120 curl -s -o /dev/null "http://127.0.0.1:$port/"
}
