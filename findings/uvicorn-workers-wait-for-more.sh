#!/usr/bin/env bash
# uvicorn with two workers answers each request of a kept connection 40 ms later than with one.
#
# Versions: uvicorn 0.54.0, h11 0.16.0 (PyPI), on the Python that is here (3.11 was).
# Seen:     With `--workers 2` (and with `--reload`) uvicorn makes its listening socket itself, by `socket.socket(family)`.
#           Such a socket's protocol number is 0, connections inherit it, and asyncio sets TCP_NODELAY only where that
#           number says TCP. uvicorn sends an answer's head and its body in two writes: the second waits until the client
#           has confirmed the first, which Linux' clients put off for 40 ms.
# Expected: that a second worker makes nothing slower.
# Output:   one worker: 0 to 5 ms in the median; two workers: 38 to 60 ms; with a socket that says TCP: 0 to 5 ms
# Means:    A service that gets workers because it is slow gets slower; so does whoever hands asyncio a socket of their own,
#           without a word from anybody. rookery's own listening sockets are made with IPPROTO_TCP
#           (clouds/hetzner/fake/serve.py), and no service of its has more than one worker.
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"

pypi uvicorn==0.54.0 h11==0.16.0

cat >"$WORK/app.py" <<'PYTHON'
import asyncio
import socket
import sys


async def app(scope, receive, send):
    if scope["type"] != "http":
        return
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"2")]})
    await send({"type": "http.response.body", "body": b"ok"})


if __name__ == "__main__":
    import uvicorn

    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.bind(("127.0.0.1", int(sys.argv[1])))
    config = uvicorn.Config(app, http="h11", log_level="error", lifespan="off")
    asyncio.run(uvicorn.Server(config).serve(sockets=[listener]))
PYTHON

median() { # median PORT COMMAND...: of 40 requests on one connection, in ms; the command serves meanwhile
    local port=$1 pid
    shift
    (cd "$WORK" && exec timeout 60 "$@" >/dev/null 2>&1) &
    pid=$!
    timeout 50 "$WORK/venv/bin/python" - "$port" <<'PYTHON'
import http.client
import statistics
import sys
import time

for _ in range(200):
    try:
        connection = http.client.HTTPConnection("127.0.0.1", int(sys.argv[1]), timeout=10)
        connection.connect()
        break
    except OSError:
        time.sleep(0.1)
times = []
for _ in range(40):
    began = time.perf_counter()
    connection.request("POST", "/", body=b"x" * 10)
    connection.getresponse().read()
    times.append((time.perf_counter() - began) * 1000)
print(f"{statistics.median(times):.2f}")
PYTHON
    kill "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
}
free() {
    "$WORK/venv/bin/python" -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}
serve=("$WORK/venv/bin/python" -m uvicorn app:app --http h11 --log-level error --lifespan off)
port=$(free)
expect_within "one worker, ms" 0 5 "$(median "$port" "${serve[@]}" --port "$port")"
port=$(free)
expect_within "two workers, ms" 38 60 "$(median "$port" "${serve[@]}" --port "$port" --workers 2)"
port=$(free)
expect_within "a socket that says TCP, ms" 0 5 "$(median "$port" "$WORK/venv/bin/python" app.py "$port")"
verdict
