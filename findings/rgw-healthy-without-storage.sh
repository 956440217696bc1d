#!/usr/bin/env bash
# RGW answers 200 to both usual health checks while no OSD answers and no object can be read.
#
# Versions: Ceph 18.2.7 (Debian trixie).
# Seen:     with every OSD stopped, `GET /` without credentials (what most load balancers are told to ask) and
#           `GET /swift/healthcheck` (made for them) answer 200 at once: neither asks RADOS.
#           A `GET` of an object has no answer at all.
# Expected: a health check fails when the service cannot do what it is for; Ceph's documentation offers the second
#           path as the one for load balancers.
# Output:   / 200, /swift/healthcheck 200, /media/film no answer within 8 s
# Means:    a load balancer finds a gateway that has died or hangs, never one that lost its storage, and clients
#           wait for their own limits. The lab's balancer asks /swift/healthcheck (design/build.py), so it says
#           "the process is there" and no more: that S3 works is verified by writing and reading an object
#           (run/verify/storage.py), and every reader of S3 (edges, publishers, load) has a time limit of its own.
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"
source "$FINDINGS/lib/ceph.sh"

debian trixie ceph-mon ceph-mgr ceph-osd ceph-common radosgw python3-boto3 curl iproute2
version radosgw 18.2.7

inside <<'INSIDE'
ceph_begin
ceph_manager
ceph_osds 3
ceph_gateway 7480
radosgw-admin user create --uid u --display-name u --access-key AK --secret-key SK >/dev/null 2>&1
python3 - <<'PYTHON'
import boto3
from botocore.config import Config

s3 = boto3.client("s3", endpoint_url="http://127.0.0.1:7480", aws_access_key_id="AK", aws_secret_access_key="SK",
                  region_name="us-east-1", config=Config(s3={"addressing_style": "path"}))
s3.create_bucket(Bucket="media", ACL="public-read")
s3.put_object(Bucket="media", Key="film", Body=b"x", ACL="public-read")
PYTHON
asked() { # asked PATH: the status, 000 where there is no answer within 8 s
    curl -s -o /dev/null -m 8 -w '%{http_code}' "http://127.0.0.1:7480$1" || true
}
expect "the object, with storage" 200 "$(asked /media/film)"
for number in 0 1 2; do kill -STOP "$(ceph_id "osd.$number")"; done
sleep 1
expect "GET /" 200 "$(asked /)"
expect "GET /swift/healthcheck" 200 "$(asked /swift/healthcheck)"
expect "the object, without storage" 000 "$(asked /media/film)"
expect "GET /swift/healthcheck, with that request still waiting" 200 "$(asked /swift/healthcheck)"
for number in 0 1 2; do kill -CONT "$(ceph_id "osd.$number")"; done
eventually 60 curl -sf -o /dev/null -m 5 http://127.0.0.1:7480/media/film
verdict
INSIDE
