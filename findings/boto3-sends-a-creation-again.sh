#!/usr/bin/env bash
# boto3 sends a creation again whose answer did not come in time: what has no client token is made several times.
#
# Versions: boto3 1.44.5, botocore 1.44.5 (PyPI).
# Seen:     `create_vpc` with a read timeout of 1 s reaches a server that never answers three times by default, without a
#           word, each time with nothing by which two could be told to be one. `run_instances` has a client token that
#           botocore makes up, the same in all three, and another in the next call of the program.
#           With `retries={"total_max_attempts": 1}` both reach it once.
# Expected: a call that changes something, and may have taken effect, is not sent again unasked where it has no token.
# Output:   create_vpc: 3 requests, 0 tokens; run_instances: 3 requests, 1 token; with one attempt: 1 request
# Means:    a slow network makes VPCs, gateways and addresses twice, which cost money and limits until somebody looks.
#           rookery gives each call one attempt, looks for what has its tags, and only then asks again (clouds/aws).
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

pypi boto3==1.44.5 botocore==1.44.5

cat >"$WORK/call.py" <<'PYTHON'
import http.server
import sys
import threading
import time
from urllib.parse import parse_qs

import boto3
from botocore.config import Config

tokens, requests = set(), []


class Silent(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
        requests.append(body)
        tokens.update(parse_qs(body).get("ClientToken", ()))
        time.sleep(3)

    def log_message(self, *_):
        pass


server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Silent)
server.daemon_threads = True
threading.Thread(target=server.serve_forever, daemon=True).start()
retries = {"retries": {"total_max_attempts": 1}} if "once" in sys.argv else {}
client = boto3.client(
    "ec2",
    region_name="eu-central-1",
    endpoint_url=f"http://127.0.0.1:{server.server_port}",
    aws_access_key_id="a",
    aws_secret_access_key="b",
    config=Config(read_timeout=1, connect_timeout=1, **retries),
)
asked = {
    "create_vpc": {"CidrBlock": "10.0.0.0/24"},
    "run_instances": {"ImageId": "ami-1", "MinCount": 1, "MaxCount": 1},
}
try:
    getattr(client, sys.argv[1])(**asked[sys.argv[1]])
except Exception as error:
    print(f"{type(error).__name__}, {len(requests)} requests, {len(tokens)} tokens")
PYTHON
call() { timeout 120 "$WORK/venv/bin/python" "$WORK/call.py" "$@"; }
expect "create_vpc" "ReadTimeoutError, 3 requests, 0 tokens" "$(call create_vpc)"
expect "run_instances" "ReadTimeoutError, 3 requests, 1 tokens" "$(call run_instances)"
expect "create_vpc with one attempt" "ReadTimeoutError, 1 requests, 0 tokens" "$(call create_vpc once)"
verdict
