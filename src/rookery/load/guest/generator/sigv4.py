"""Requests to S3 signed by AWS's Signature Version 4, for path-style URLs over TLS.

https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html. The body is not signed: TLS
protects it, and hashing it again would cost as much as sending it.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import quote

UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """An S3 user's keys; what they are shows in no representation."""

    access: str
    secret: str = field(repr=False)
    region: str = "default"


def encoded_query(query: Mapping[str, str]) -> str:
    """Return a query as it is both signed and sent."""
    return "&".join(f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}" for k, v in sorted(query.items()))


def signed_headers(
    keys: Keys, *, method: str, host: str, path: str, query: Mapping[str, str], at: str
) -> dict[str, str]:
    """Return the headers that sign a request made at `at` (UTC, `20260102T030405Z`); `path` is encoded."""
    headers = {"host": host, "x-amz-content-sha256": UNSIGNED, "x-amz-date": at}
    names = ";".join(sorted(headers))
    lines = "".join(f"{name}:{headers[name]}\n" for name in sorted(headers))
    request = "\n".join((method, path, encoded_query(query), lines, names, UNSIGNED))
    scope = f"{at[:8]}/{keys.region}/s3/aws4_request"
    digest = hashlib.sha256(request.encode()).hexdigest()
    text = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{digest}"
    signature = hmac.new(_signing_key(keys, at[:8]), text.encode(), hashlib.sha256).hexdigest()
    del headers["host"]  # every client sends it by itself
    headers["Authorization"] = (
        f"AWS4-HMAC-SHA256 Credential={keys.access}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
    return headers


def _signing_key(keys: Keys, day: str) -> bytes:
    key = f"AWS4{keys.secret}".encode()
    for part in (day, keys.region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return key
