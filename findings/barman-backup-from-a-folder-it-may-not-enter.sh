#!/usr/bin/env bash
# barman-cloud-backup fails where it is started in a folder that its user may not enter: by `sudo -u postgres` in /root.
#
# Versions: Barman 3.20.1, Python 3.14.8, PostgreSQL 18.6, Moto 5.1.18 as the S3 server (Debian forky).
# Seen:     It uploads by processes of its own. Python 3.14 makes them by a fork server, and each of them first changes to
#           the folder that its parent was started in. In /root, as the user postgres, that is PermissionError; the
#           backup fails (exit 1), "Backup failed uploading data (EOFError)", and a backup without data is in the list.
#           In /, or with processes that are forked (Python's default until 3.13), the same backup succeeds.
#           barman-cloud-wal-archive and barman-cloud-backup-list, which have no such processes, work in /root too.
# Expected: a program whose every path is absolute does not care where it was started.
# Output:   in /root: exit 1, PermissionError: [Errno 13] Permission denied: '/root'; in /: exit 0
# Means:    The log goes on being archived and nothing but base backups fails, after an upgrade of Python alone. Any Python
#           program with multiprocessing has it. What starts a tool as another user gives it a folder that it may enter
#           (apps/backup/guest/backups/tools.py: /).
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"
source "$FINDINGS/lib/barman.sh"

debian forky postgresql barman-cli-cloud python3-moto python3-flask-cors curl iproute2
version barman-cli-cloud 3.20.1
version python3.14 3.14.8
version postgresql-18 18.6
version python3-moto 5.1.18

inside <<'INSIDE'
chmod 700 /root
barman_begin 18
said=$(backup /root barman-cloud-backup)
expect "in /root" "exit 1" "$(tail -n1 <<<"$said")"
expect_text "one of its processes" "PermissionError: [Errno 13] Permission denied: '/root'" "$said"
expect_text "its own words" "ERROR: Backup failed uploading data (EOFError)" "$said"
sleep 1 # a backup is called by the second that it began in
expect "in /" "exit 0" "$(backup / barman-cloud-backup | tail -n1)"
forked='import multiprocessing, sys
multiprocessing.set_start_method("fork")
from barman.clients.cloud_backup import main
sys.exit(main())'
expect "in /root, with processes that are forked" "exit 0" "$(backup /root python3 -c "$forked" | tail -n1)"
cd /root
store=(--endpoint-url http://127.0.0.1:5000 s3://backups/database main)
listed=$(as_postgres barman-cloud-backup-list --format json "${store[@]}")
count() { python3 -c 'import json, sys
print(sum(one["status"] == sys.argv[1] for one in json.load(sys.stdin)["backups_list"]))' "$1" <<<"$listed"; }
expect "backups in the list that are whole, and that failed" "2 1" "$(count DONE) $(count FAILED)"
rc=0
segment=$(find /database/data/pg_wal -name '0000000100000000000000??' | sort | head -n1)
as_postgres barman-cloud-wal-archive "${store[@]}" "$segment" || rc=$?
expect "barman-cloud-wal-archive in /root" 0 "$rc"
verdict
INSIDE
