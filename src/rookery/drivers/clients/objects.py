"""Objects of one bucket, read and written whole, with what goes wrong in words."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from rookery.errors import RookeryError

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_GONE = ("NoSuchKey", "404", "NotFound")
# What an answer of S3 means.
_MEANT = {
    "AccessDenied": "it refuses these keys (403)",
    "403": "it refuses these keys (403)",
    "QuotaExceeded": "its quota is used up (403)",
    "InsufficientCapacity": "it is full (507)",
    "NoSuchBucket": "there is no such bucket",
    "InvalidAccessKeyId": "it does not know this access key",
    "SignatureDoesNotMatch": "the secret key is wrong",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Objects:
    """The objects of a bucket below a prefix, which is empty or ends in a slash. All methods raise
    RookeryError where the service does not do what is asked."""

    client: S3Client
    bucket: str
    prefix: str = ""

    def get(self, key: str) -> bytes | None:
        """Return what an object holds, None where there is none."""
        with self._asked():
            return self.client.get_object(Bucket=self.bucket, Key=self.prefix + key)["Body"].read()
        return None

    def get_json(self, key: str) -> Mapping[str, Any]:
        """Return what a JSON object says, nothing where there is none."""
        content = self.get(key)
        try:
            found = {} if content is None else json.loads(content)
        except ValueError:
            raise RookeryError(f"{key} in {self} is no JSON") from None
        return dict(found)

    def has(self, key: str) -> bool:
        """Tell whether there is an object of that key."""
        with self._asked():
            self.client.head_object(Bucket=self.bucket, Key=self.prefix + key)
            return True
        return False

    def put(self, key: str, content: bytes, *, metadata: Mapping[str, str] | None = None) -> None:
        """Write an object whole."""
        with self._asked():
            self.client.put_object(
                Bucket=self.bucket, Key=self.prefix + key, Body=content, Metadata=dict(metadata or {})
            )

    def keys(self, below: str = "") -> tuple[str, ...]:
        """Return the keys below a prefix, sorted."""
        found = []
        with self._asked():
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix + below):
                found += [item["Key"].removeprefix(self.prefix) for item in page.get("Contents", ())]
        return tuple(sorted(found))

    def folders(self) -> tuple[str, ...]:
        """Return what stands before the first slash of the keys, each once."""
        found = []
        with self._asked():
            pages = self.client.get_paginator("list_objects_v2")
            for page in pages.paginate(Bucket=self.bucket, Prefix=self.prefix, Delimiter="/"):
                found += [
                    item["Prefix"].removeprefix(self.prefix).rstrip("/")
                    for item in page.get("CommonPrefixes", ())
                ]
        return tuple(dict.fromkeys(found))

    def __str__(self) -> str:
        return f"bucket {self.bucket} at {self.client.meta.endpoint_url}"

    @contextlib.contextmanager
    def _asked(self) -> Iterator[None]:
        """Ask the service something: an object that is not there ends the block, all else raises."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = error.response.get("Error", {}).get("Code", "")
            if code not in _GONE:
                what = f"{self}: {_MEANT.get(code, code)}"
                raise RookeryError(what, details=(str(error),)) from None
        except BotoCoreError as error:
            raise RookeryError(f"{self} does not answer", details=(str(error),)) from None
