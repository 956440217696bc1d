#!/usr/bin/env bash
# hcloud (Hetzner's SDK for Python): a creation that ran into its time limit is sent again, five times.
#
# Versions: hcloud 2.27.0 (PyPI).
# Seen:     with `timeout=`, a POST whose answer does not come in time is sent again, up to five times, though the
#           first may have taken effect. Without it a call waits for ever. An answer of 503, and a connection that is
#           cut, are not tried again at all.
# Expected: what may be repeated (GET) is tried again after a timeout; a creation ends in an error that says that
#           nobody knows.
# Output:   6 creations reached the server; 1 of a service that is away; 1 on a connection that was cut
# Means:    on an account where names need not be unique, one server becomes six. rookery switches these retries off,
#           and looks by name and label before it makes anything again (docs/decisions/0064-clouds.md).
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

pypi hcloud==2.27.0

cat >"$WORK/seen.py" <<'PYTHON'
import sys
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import hcloud
from hcloud.images import Image
from hcloud.server_types import ServerType

how, arrived = sys.argv[1], []


class Server(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        arrived.append(self.rfile.read(int(self.headers["Content-Length"])))
        if how == "silent":
            threading.Event().wait(2)
        elif how == "away":
            self.send_response(503)
            self.send_header("Content-Length", "0")
            self.end_headers()
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


served = ThreadingHTTPServer(("127.0.0.1", 0), Server)
threading.Thread(target=served.serve_forever, daemon=True).start()
client = hcloud.Client(token="t", api_endpoint=f"http://127.0.0.1:{served.server_port}", timeout=0.5)
# The pauses between its tries, without waiting for them.
hcloud._client.time.sleep = lambda _seconds: None
try:
    client.servers.create(name="one", server_type=ServerType(name="cx23"), image=Image(name="debian-13"))
except Exception as error:
    print(type(error).__name__, file=sys.stderr)
print(len(arrived))
PYTHON
arrived() { timeout 120 "$WORK/venv/bin/python" "$WORK/seen.py" "$1" 2>/dev/null; }
expect "creations that reach a server which does not answer in time" 6 "$(arrived silent)"
expect "creations that reach one that is away (503)" 1 "$(arrived away)"
expect "creations on a connection that is cut" 1 "$(arrived cut)"
verdict
