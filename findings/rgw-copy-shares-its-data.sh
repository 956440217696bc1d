#!/usr/bin/env bash
# RGW: a copy of an object in another bucket has no data of its own behind the first 4 MiB: it is its source's.
#
# Versions: Ceph 20.2.4, boto3 1.40.72 (Debian forky).
# Seen:     An object of 16 MiB is 4 RADOS objects of 4 MiB. CopyObject into another bucket adds one of them: the rest
#           of the copy is the 3 of the source, which count who uses them. Both buckets count 16 MiB. Once one of the 3
#           is lost, neither object can be read to its end; HEAD of the copy still has its size and ETag.
#           The same copy as the one part of a multipart upload (UploadPartCopy) has all 16 MiB anew, and survives.
# Expected: a copy is a second one of the data, whichever request made it.
# Output:   RADOS objects, MiB: 4 16, after CopyObject 5 20, after UploadPartCopy 10 36; without one of them only the
#           last is whole
# Means:    Such a copy costs next to nothing and helps against deleting and overwriting, not against damage: one bad
#           RADOS object is one of the object and of all its copies in the cluster. Backups of objects say so, read
#           each copy to its end when they are checked deeply, and have copies outside of Ceph (backups/objects.py,
#           docs/decisions/0063-copies-outside.md).
source "$(dirname "$(readlink -f "$0")")/lib/root.sh"
source "$FINDINGS/lib/ceph.sh"

debian forky ceph-mon ceph-mgr ceph-osd ceph-common radosgw python3-rados python3-boto3 curl iproute2
version radosgw 20.2.4
version python3-boto3 1.40.72

inside <<'INSIDE'
ceph_begin
ceph_manager
ceph_osds 3
ceph_gateway 7480
radosgw-admin user create --uid u --display-name u --access-key AK --secret-key SK >/dev/null 2>&1
cat >/objects.py <<'PYTHON'
import sys

import boto3
import rados
from botocore.config import Config

MIB = 1 << 20
config = Config(read_timeout=20, retries={"total_max_attempts": 1}, s3={"addressing_style": "path"})
s3 = boto3.client("s3", endpoint_url="http://127.0.0.1:7480", aws_access_key_id="AK", aws_secret_access_key="SK",
                  region_name="us-east-1", config=config)
source = {"Bucket": "media", "Key": "film"}
content = b"".join(bytes([number]) * MIB for number in range(16))


def whole(bucket, key):
    try:
        return "whole" if s3.get_object(Bucket=bucket, Key=key)["Body"].read() == content else "other content"
    except Exception as error:
        print(f"{bucket}/{key}: {type(error).__name__}: {error}", file=sys.stderr)
        return "not whole"


with rados.Rados(conffile="/etc/ceph/ceph.conf") as cluster:
    match sys.argv[1]:
        case "put":
            s3.create_bucket(Bucket="media")
            s3.create_bucket(Bucket="backups")
            s3.put_object(**source, Body=content)
        case "copy":
            s3.copy_object(Bucket="backups", Key="film", CopySource=source)
        case "parts":
            here = {"Bucket": "backups", "Key": "parts"}
            here["UploadId"] = s3.create_multipart_upload(**here)["UploadId"]
            part = s3.upload_part_copy(**here, PartNumber=1, CopySource=source)
            parts = [{"PartNumber": 1, "ETag": part["CopyPartResult"]["ETag"]}]
            s3.complete_multipart_upload(**here, MultipartUpload={"Parts": parts})
        case "lose":
            with cluster.open_ioctx("default.rgw.buckets.data") as pool:
                names = sorted(one.key for one in pool.list_objects() if "__shadow_." in one.key)
                pool.remove_object(names[-1])
                print(len(names))
        case "count":
            with cluster.open_ioctx("default.rgw.buckets.data") as pool:
                sizes = [pool.stat(one.key)[0] for one in pool.list_objects()]
            print(len(sizes), sum(sizes) // MIB)
        case "read":
            print(whole(*sys.argv[2].split("/")))
        case "head":
            bucket, key = sys.argv[2].split("/")
            told = s3.head_object(Bucket=bucket, Key=key)
            print(told["ResponseMetadata"]["HTTPStatusCode"], told["ContentLength"] // MIB, told["ETag"])
PYTHON
objects() { timeout 60 python3 /objects.py "$@"; }
used() { radosgw-admin bucket stats --bucket "$1" 2>/dev/null | python3 -c 'import json, sys
print(json.load(sys.stdin)["usage"]["rgw.main"]["size_actual"] >> 20)'; }
objects put
expect "RADOS objects and MiB of an object of 16 MiB" "4 16" "$(objects count)"
objects copy
expect "with a copy by CopyObject" "5 20" "$(objects count)"
expect "MiB that the buckets count" "16 16" "$(used media) $(used backups)"
objects parts
expect "with one by UploadPartCopy too" "10 36" "$(objects count)"
for name in media/film backups/film backups/parts; do expect "$name" whole "$(objects read "$name")"; done
etag=$(objects head media/film)
expect "RADOS objects that the source and its copy share" 3 "$(objects lose)"
expect "media/film, without one of them" "not whole" "$(objects read media/film)"
expect "backups/film" "not whole" "$(objects read backups/film)"
expect "HEAD of it" "$etag" "$(objects head backups/film)"
expect "backups/parts" whole "$(objects read backups/parts)"
verdict
INSIDE
