#!/usr/bin/env bash
# RGW: while one gateway hangs, the first change of a bucket through another waits for it, half a minute.
#
# Versions: Ceph 18.2.7 (Debian trixie), boto3 1.37.9 (Debian).
# Seen:     gateways keep users and buckets in memory and tell each other of changes by watch and notify. With
#           one gateway stopped (SIGSTOP: a host that swaps, a stuck disk), puts and gets through the other are
#           as fast as ever, and a change of the bucket (versioning, policy, lifecycle) takes 10 to 30 s once,
#           until the OSD has given the silent watcher up. The answer is 200.
# Expected: gateways are stateless; one that hangs concerns those whose requests it has.
# Output:   put 0.0 s, get 0.0 s, versioning 27.5 s, the next change 0.0 s
# Means:    a load balancer that takes the hung gateway out does not help whoever changes a bucket: a client
#           that gives a change 30 s is at the edge. drivers/clients/s3.py waits 30 s and asks up to four times, so `up`
#           gets through: changes of buckets are such that saying them twice does no harm. A time out there is
#           no sign that the gateway asked is ill.
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"
source "$FINDINGS/lib/ceph.sh"

debian trixie ceph-mon ceph-mgr ceph-osd ceph-common radosgw python3-boto3 curl iproute2
version radosgw 18.2.7
version python3-boto3 1.37.9

inside <<'INSIDE'
ceph_begin
ceph_manager
ceph_osds 3
ceph_gateway 7480
ceph_gateway 7481
radosgw-admin user create --uid u --display-name u --access-key AK --secret-key SK >/dev/null 2>&1
cat >/change.py <<'PYTHON'
import os
import signal
import time

import boto3
from botocore.config import Config

config = Config(read_timeout=90, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
s3 = boto3.client("s3", endpoint_url="http://127.0.0.1:7480", aws_access_key_id="AK", aws_secret_access_key="SK",
                  region_name="us-east-1", config=config)


def timed(name, operation, **arguments):
    began = time.monotonic()
    status = operation(**arguments)["ResponseMetadata"]["HTTPStatusCode"]
    print(f"{name}: {status} {time.monotonic() - began:.1f}", flush=True)


def change(status):
    return {"Bucket": "media", "VersioningConfiguration": {"Status": status}}


s3.create_bucket(Bucket="media")
s3.put_object(Bucket="media", Key="film", Body=b"x")
timed("change before", s3.put_bucket_versioning, **change("Enabled"))
other = int(open("/run/ceph/rgw.7481.id").read())
os.kill(other, signal.SIGSTOP)
timed("put", s3.put_object, Bucket="media", Key="film", Body=b"x")
timed("get", s3.get_object, Bucket="media", Key="film")
timed("change", s3.put_bucket_versioning, **change("Suspended"))
timed("next change", s3.put_bucket_versioning, **change("Enabled"))
os.kill(other, signal.SIGCONT)
PYTHON
said=$(timeout 200 python3 /change.py)
of() { sed -n "s/^$1: //p" <<<"$said"; }
for name in 'change before' put get change 'next change'; do
    read -r status seconds <<<"$(of "$name")"
    least=0 most=5
    [ "$name" != change ] || { least=8 most=45; }
    expect "$name: status" 200 "$status"
    expect_within "$name: seconds" "$least" "$most" "$seconds"
done
verdict
INSIDE
