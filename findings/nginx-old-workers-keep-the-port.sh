#!/usr/bin/env bash
# nginx: when the master is killed its workers serve on, with the old configuration, and no new master can start.
#
# Versions: nginx 1.26.3 (Debian trixie).
# Seen:     after SIGKILL of the master (the OOM killer, a supervisor that lost patience) the worker is not told,
#           keeps the listening socket and answers as before. Whoever starts nginx anew gets "Address already in
#           use" for as long as the worker lives, and a new configuration or certificate is never served, while
#           every check from outside says that all is well.
# Expected: workers end with their master, or a new master takes the port over.
# Output:   nginx: [emerg] bind() to 127.0.0.2:8080 failed (98: Address already in use)
# Means:    a supervisor that restarts nginx loops for ever beside a page that answers 200. The edges' program first
#           ends the workers that a former master left, by its process group and their name, then becomes the
#           new one (apps/common/nginx.py); in a pod the whole process namespace ends with the master.
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

debian trixie nginx-light curl iproute2
version nginx 1.26.3

inside <<'INSIDE'
mkdir -p /var/log/nginx
configure() {
    cat >/tmp/nginx.conf <<CONF
pid /tmp/nginx.pid; error_log /tmp/nginx.log; worker_processes 1; events {}
http { access_log off; server { listen 127.0.0.2:8080; location / { return 200 "$1\n"; } } }
CONF
}
configure old
nginx -c /tmp/nginx.conf
expect "the page" old "$(curl -s http://127.0.0.2:8080/)"
worker=$(cat "/proc/$(cat /tmp/nginx.pid)/task/$(cat /tmp/nginx.pid)/children")
kill -KILL "$(cat /tmp/nginx.pid)"
sleep 1
configure new
expect "the page without a master" old "$(curl -s http://127.0.0.2:8080/)"
said=$(nginx -c /tmp/nginx.conf 2>&1) && code=0 || code=$?
expect "exit code of a new master" 1 "$code"
expect_text "it says" "bind() to 127.0.0.2:8080 failed (98: Address already in use)" "$said"
expect "the page, as before" old "$(curl -s http://127.0.0.2:8080/)"
# shellcheck disable=SC2086 # one worker
kill -QUIT $worker
eventually 10 bash -c '! curl -s http://127.0.0.2:8080/'
nginx -c /tmp/nginx.conf
expect "the page, once the worker was ended" new "$(curl -s http://127.0.0.2:8080/)"
kill -QUIT "$(cat /tmp/nginx.pid)"
verdict
INSIDE
