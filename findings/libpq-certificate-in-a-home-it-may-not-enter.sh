#!/usr/bin/env bash
# libpq: a program that gave up root cannot connect over TLS while HOME still names root's home.
#
# Versions: libpq 17.12, psycopg2 2.9.10, PostgreSQL 17.12 (Debian trixie).
# Seen:     libpq looks for a client's certificate in $HOME/.postgresql before it speaks to the server. A folder
#           that is not there is fine; one that may not be entered ends the connection: "could not open
#           certificate file: Permission denied". The server asks for no certificate, none was named, and the
#           authority is given explicitly. With any other HOME, or sslcert set to a file that is not there, it connects.
# Expected: an optional file that cannot be had is treated as absent, as it is when its folder does not exist.
# Output:   could not open certificate file "/root/.postgresql/postgresql.crt": Permission denied
# Means:    setpriv, supervisord's `user=` and a pod's runAsUser change the user and leave HOME; the same
#           program connects for a developer and not as a service, and only with TLS. What changes its user
#           gets a HOME that it may enter (apps/database/guest/start-patroni, apps/catalogue/app.py).
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

debian trixie postgresql python3-psycopg2 openssl iproute2
version libpq5 17.12
version python3-psycopg2 2.9.10
version postgresql-17 17.12

inside <<'INSIDE'
chmod 700 /root
mkdir -p /database /run/postgresql
cd /database
openssl req -x509 -newkey rsa:2048 -nodes -keyout server.key -out server.crt -days 2 -subj /CN=localhost \
    -addext subjectAltName=DNS:localhost,IP:127.0.0.1 >/dev/null 2>&1
chown -R postgres /database /run/postgresql
chmod 755 /database
chmod 600 server.key
as() { local user=$1 && shift && setpriv --reuid "$user" --regid "$(id -g "$user")" --clear-groups "$@"; }
as postgres /usr/lib/postgresql/17/bin/initdb -D data -A trust >/dev/null
printf "ssl = on\nssl_cert_file = '/database/server.crt'\nssl_key_file = '/database/server.key'\n" >>data/postgresql.conf
as postgres /usr/lib/postgresql/17/bin/pg_ctl -D data -l log -w start >/dev/null
connect() { # connect HOME [MORE]: by a user who is not root
    HOME=$1 as nobody python3 -c '
import sys
import psycopg2
where = "host=127.0.0.1 user=postgres dbname=postgres connect_timeout=10 " + sys.argv[1]
try:
    print("connected, TLS:", psycopg2.connect(where).info.ssl_in_use)
except psycopg2.OperationalError as error:
    print(error)' "${2-sslmode=verify-full sslrootcert=/database/server.crt}"
}
refused='could not open certificate file "/root/.postgresql/postgresql.crt": Permission denied'
expect_text "with root's HOME" "$refused" "$(connect /root)"
expect_text "without verification" "$refused" "$(connect /root sslmode=require)"
expect "without TLS" "connected, TLS: False" "$(connect /root sslmode=disable)"
expect "with a HOME that is not there" "connected, TLS: True" "$(connect /nonexistent)"
expect "with root's HOME and a certificate that is not there" "connected, TLS: True" \
    "$(connect /root 'sslmode=require sslcert=/nonexistent')"
as postgres /usr/lib/postgresql/17/bin/pg_ctl -D data -m immediate -w stop >/dev/null
verdict
INSIDE
