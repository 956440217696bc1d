#!/usr/bin/env bash
# In Google's SDK for Compute Engine `timeout=` limits one try: the retries of a call go on past it.
#
# Versions: google-cloud-compute 1.57.0, google-api-core 2.44.0 (PyPI).
# Seen:     `get(..., timeout=1)` of a server that answers 503 at once is still trying after 6 s; its default retry goes on
#           for 10 minutes. With `retry=None` it ends with the first answer. `insert` has no retry at all by default, whatever
#           the answer, and a pair of limits as `requests` has it (to connect, to read) is a TypeError.
# Expected: a call with a limit of one second ends after about one second.
# Output:   get(timeout=1): still trying after 6 s; get(timeout=1, retry=None): 1 request; insert(timeout=1): 1 request
# Means:    a limit on a call does not limit the call, and one loop around both kinds of methods tries them differently often.
#           rookery gives `retry=None` and a timeout with every call, and tries again in one place (clouds/patience.py).
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

pypi google-cloud-compute==1.57.0 google-api-core==2.44.0

cat >"$WORK/call.py" <<'PYTHON'
import http.server
import sys
import threading

from google.auth.credentials import AnonymousCredentials
from google.cloud import compute_v1

requests = []


class Away(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        requests.append(self.path)
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b'{"error": {"code": 503, "message": "away"}}'
        self.send_response(503)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Away)
threading.Thread(target=server.serve_forever, daemon=True).start()
client = compute_v1.NetworksClient(
    credentials=AnonymousCredentials(),
    transport="rest",
    client_options={"api_endpoint": f"http://127.0.0.1:{server.server_port}"},
)
method, options = sys.argv[1], {"timeout": 1, **({"retry": None} if "no-retry" in sys.argv else {})}
more = {"network": "n"} if method == "get" else {"network_resource": {"name": "n"}}
if "pair" in sys.argv:
    options["timeout"] = (1, 1)
ended = []


def call():
    try:
        getattr(client, {"insert": "insert_unary"}.get(method, method))(project="p", **more, **options)
    except Exception as error:
        ended.append(type(error).__name__)


thread = threading.Thread(target=call, daemon=True)
thread.start()
thread.join(6)
print(f"{ended[0]}, {len(requests)} requests" if ended else f"still trying, more than one request: {len(requests) > 1}")
PYTHON
call() { timeout 120 "$WORK/venv/bin/python" "$WORK/call.py" "$@"; }
expect "get(timeout=1) after 6 s" "still trying, more than one request: True" "$(call get)"
expect "get(timeout=1, retry=None)" "ServiceUnavailable, 1 requests" "$(call get no-retry)"
expect "insert(timeout=1)" "ServiceUnavailable, 1 requests" "$(call insert)"
expect "get(timeout=(1, 1), retry=None)" "TypeError, 0 requests" "$(call get no-retry pair)"
verdict
