#!/usr/bin/env bash
# Patroni does not rewind an old primary that it cannot ask over the local socket as the one that replicates; it says replica.
#
# Versions: Patroni 4.1.5, PostgreSQL 18.6, etcd 3.5.30 (Debian forky).
# Seen:     Two members, use_pg_rewind, use_unix_socket_repl. pg_hba.conf lets the superuser in by the socket and the user for
#           replication over TCP, which is how members copy each other. The primary writes 1,000 rows that the other has not
#           yet, and hangs (SIGSTOP) until the other is primary. When it goes on, it steps down and starts as a replica. To
#           learn its timeline Patroni asks its own server over the socket, as the user for replication. That is refused,
#           so the timeline is None, and with that Patroni looks no further. It says "no action. I am (one), a secondary,
#           and following a leader (two)", answers /replica with 200, and the 1,000 rows can be read there on.
#           With one line more in pg_hba.conf (local replication replicator) it is rewound within seconds.
# Expected: a member whose timeline is not known is no healthy replica; pg_controldata has the timeline, and is asked where
#           the server does not run.
# Output:   20 s later: /replica 200, its rows 1000, the primary's 10; after the line: 10
# Means:    Readers that are sent to /replica get rows that the primary does not have, and none that it has written since;
#           the cluster has no replica any more. Replication works the whole time before, so no test of it finds that.
#           The lab's pg_hba.conf has the line (apps/database/patroni.py).
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

debian forky patroni postgresql etcd-server python3-etcd tini curl procps iproute2
version patroni 4.1.5
version postgresql-18 18.6
version etcd-server 3.5.30

inside <<'INSIDE'
mkdir -p /database /run/postgresql
chown postgres /database /run/postgresql
etcd --data-dir /run/etcd --log-level error >/run/etcd.out 2>&1 </dev/null &
disown
as_postgres() { setpriv --reuid postgres --regid postgres --init-groups env HOME=/database "$@"; }
config() { # config NAME PORT [LINE]: a member, with one line more in its pg_hba.conf
    cat >"/database/$1.yml" <<YAML
scope: demo
name: $1
restapi: {listen: "127.0.0.1:1$2", connect_address: "127.0.0.1:1$2"}
etcd3: {hosts: "127.0.0.1:2379"}
bootstrap:
  dcs: {ttl: 20, loop_wait: 1, retry_timeout: 3, postgresql: {use_pg_rewind: true}}
  initdb: [{auth-local: peer}, {auth-host: scram-sha-256}, data-checksums, no-sync]
postgresql:
  listen: "127.0.0.1:$2"
  connect_address: "127.0.0.1:$2"
  data_dir: /database/$1
  bin_dir: /usr/lib/postgresql/18/bin
  pgpass: /run/postgresql/$1.pgpass
  use_unix_socket: true
  use_unix_socket_repl: true
  parameters: {unix_socket_directories: /run/postgresql}
  pg_hba:
  - local all postgres peer
  ${3:+"- $3"}
  - host replication replicator 127.0.0.1/32 scram-sha-256
  - host postgres rewind 127.0.0.1/32 scram-sha-256
  authentication:
    superuser: {username: postgres}
    replication: {username: replicator, password: one}
    rewind: {username: rewind, password: two}
YAML
}
start() { # tini: what a postmaster that ended leaves is taken away, as on any host
    setpriv --reuid postgres --regid postgres --init-groups env HOME=/database \
        tini -s -- patroni "/database/$1.yml" >"/run/$1.out" 2>&1 </dev/null &
    echo $! >"/run/$1.id"
    disown
}
sql() { as_postgres psql -qAt -h /run/postgresql -p "$1" -c "$2"; }
is() { curl -s -o /dev/null -w '%{http_code}' "http://127.0.0.1:1$1/$2"; } # is PORT primary|replica: 200 or 503
config one 6001
config two 6002
start one
eventually 60 curl -sf http://127.0.0.1:16001/primary
start two
eventually 60 curl -sf http://127.0.0.1:16002/replica
sql 6001 'CREATE TABLE seen (number int)'
eventually 20 sql 6002 'TABLE seen'
# The sender first, so that the other has not the rows.
kill -STOP "$(sql 6001 'SELECT pid FROM pg_stat_replication')"
sql 6001 'INSERT INTO seen SELECT generate_series(1, 1000)'
postmaster=$(head -n1 /database/one/postmaster.pid)
mapfile -t all < <(pgrep -P "$(cat /run/one.id)" && pgrep -P "$postmaster")
kill -STOP "${all[@]}"
eventually 60 sql 6002 'INSERT INTO seen SELECT generate_series(1, 10)'
kill -CONT "${all[@]}"
eventually 60 grep -q 'a secondary, and following a leader (two)' /run/one.out
sleep 20
expect "the new primary: /primary" 200 "$(is 6002 primary)"
expect "the old one, 20 s later: /replica" 200 "$(is 6001 replica)"
expect_text "its last words" "no action. I am (one), a secondary, and following a leader (two)" "$(grep -E '^[0-9-]+ [0-9:,]+ INFO: (no action|.*rewind)' /run/one.out | tail -n1)"
expect_text "its reason" "INFO: Local timeline=None lsn=" "$(cat /run/one.out)"
expect "rows on the primary, and on the old one" "10 1000" \
    "$(sql 6002 'SELECT count(*) FROM seen') $(sql 6001 'SELECT count(*) FROM seen')"
streaming="SELECT count(*) FROM pg_stat_replication WHERE state = 'streaming'"
expect "replicas that have their rows from the primary" 0 "$(sql 6002 "$streaming")"

config one 6001 'local replication replicator scram-sha-256'
curl -sf -X POST http://127.0.0.1:16001/reload >/dev/null
rewound() { [ "$(sql 6001 'SELECT count(*) FROM seen')" = 10 ]; }
eventually 60 rewound || true
expect "rows on the old one, with a line for it" 10 "$(sql 6001 'SELECT count(*) FROM seen')"
expect_text "by" "pg_rewind" "$(cat /run/one.out)"
verdict
INSIDE
