#!/usr/bin/env bash
# Each base backup by barman-cloud-backup that succeeded ends with a traceback, and each that failed with the same one.
#
# Versions: Barman 3.20.1, Python 3.14.8, PostgreSQL 18.6, Moto 5.1.18 as the S3 server (Debian forky).
# Seen:     The backup is whole and the exit code is 0; the last words are "FileNotFoundError: [Errno 2] No such file or
#           directory: '/tmp/barman-cloud-backup-.../pymp-...'". The program makes a folder and has all temporary files in
#           it, and removes it before it ends. Python's multiprocessing has its own folder for the sockets of its
#           processes in there, and removes that when the interpreter ends. Where a backup fails after its processes
#           were started, that traceback stands after the reason.
# Expected: silence after success, and the reason last after a failure.
# Output:   exit 0, FileNotFoundError at the end; with the folder of multiprocessing made before: exit 0 and no word
# Means:    Whoever takes words on standard error for a failure reports each good backup; whoever keeps the last lines of a
#           failed one has nothing but that. The folder of multiprocessing is made before the program starts
#           (apps/backup/guest/backups/barman.py).
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"
source "$FINDINGS/lib/barman.sh"

debian forky postgresql barman-cli-cloud python3-moto python3-flask-cors curl iproute2
version barman-cli-cloud 3.20.1
version python3.14 3.14.8
version postgresql-18 18.6
version python3-moto 5.1.18

inside <<'INSIDE'
barman_begin 18
said=$(backup / barman-cloud-backup)
expect "a backup" "exit 0" "$(tail -n1 <<<"$said")"
words=$(tail -n2 <<<"$said" | head -n1)
expect_text "its last words" "FileNotFoundError: [Errno 2] No such file or directory: '/tmp/barman-cloud-backup-" "$words"
expect_text "what is not there" /pymp- "$words"
expect_within "lines that it said" 10 30 "$(sed '$d' <<<"$said" | wc -l)"
touch /database/data/of-root
chmod 600 /database/data/of-root
said=$(backup / barman-cloud-backup)
rm /database/data/of-root
expect "a backup with a file in it that only root may read" "exit 1" "$(tail -n1 <<<"$said")"
reason="Backup failed uploading data ([Errno 13] Permission denied: '/database/data/of-root')"
expect_text "its reason" "$reason" "$said"
expect_within "lines of the traceback after that" 10 30 "$(sed -n '/Backup failed/,$p' <<<"$said" | sed '1d;$d' | wc -l)"
before='import sys
from multiprocessing import util
util.get_temp_dir()
from barman.clients.cloud_backup import main
sys.exit(main())'
expect "a backup, with that folder made before" "exit 0" "$(backup / python3 -c "$before")"
verdict
INSIDE
