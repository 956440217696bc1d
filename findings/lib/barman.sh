# shellcheck shell=bash
# A PostgreSQL that can be backed up by barman-cloud, and an S3 server with one bucket, inside a root of `debian` that has
# postgresql, barman-cli-cloud, python3-moto, python3-flask-cors, curl and iproute2. Sourced after root.sh; the functions
# are called inside.

as_postgres() { setpriv --reuid postgres --regid postgres --init-groups "$@"; }

barman_begin() { # barman_begin POSTGRESQL: its server's socket in /run/postgresql, the bucket `backups` on port 5000
    mkdir -p /database /run/postgresql
    chown postgres /database /run/postgresql
    cd /database
    as_postgres "/usr/lib/postgresql/$1/bin/initdb" -D data -A trust --no-sync >/dev/null
    as_postgres "/usr/lib/postgresql/$1/bin/pg_ctl" -D data -l log -w start >/dev/null
    moto_server -H 127.0.0.1 -p 5000 >/run/moto.out 2>&1 </dev/null &
    disown
    export AWS_ACCESS_KEY_ID=access AWS_SECRET_ACCESS_KEY=secret AWS_DEFAULT_REGION=us-east-1
    export HOME=/database PGHOST=/run/postgresql
    eventually 30 curl -sf -X PUT http://127.0.0.1:5000/backups || {
        tail -n3 /run/moto.out >&2
        return 1
    }
}

backup() { # backup FOLDER COMMAND...: a base backup started in that folder; all that it says, and its exit code last
    local rc=0
    cd "$1"
    shift
    as_postgres "$@" --endpoint-url http://127.0.0.1:5000 --immediate-checkpoint s3://backups/database main 2>&1 || rc=$?
    echo "exit $rc"
}
