"""What barman-cloud is told, and where it keeps what: nothing here loads more than the archiver of each
segment needs.

The layout is barman-cloud's own, of Barman 3 (`barman/cloud.py`, classes `CloudBackupUploader`,
`CloudWalUploader` and `CloudBackupCatalog`), which CloudNativePG's plugin runs too. PREFIX is the path of the
URL that both are given, SERVER the plugin's `serverName`:

    PREFIX/SERVER/base/ID/backup.info               written last, `key=value` in lines; ID is a time in UTC
    PREFIX/SERVER/base/ID/data.tar.gz               PGDATA; data_0001.tar.gz follows where one grows too long
    PREFIX/SERVER/base/ID/OID.tar.gz                each tablespace
    PREFIX/SERVER/wals/TTTTTTTTLLLLLLLL/SEGMENT.gz  a segment, in a folder of its timeline and log
    PREFIX/SERVER/wals/TTTTTTTT.history.gz          where a timeline left another
"""

from __future__ import annotations

from .told import Place

_BASE_BACKUP = (
    "import sys; from multiprocessing import util; util.get_temp_dir();"
    " from barman.clients.cloud_backup import main; sys.exit(main())"
)
BASE_BACKUP = ("python3", "-c", _BASE_BACKUP)
"""barman-cloud-backup, so that one sees why it fails: it removes its folder for temporary files before Python
removes that of its processes, which lies in it unless it was there first, and the last words are of that."""


def environment(place: Place) -> dict[str, str]:
    """Return by what barman-cloud proves who it is, and how it reaches the store."""
    return {
        "AWS_ACCESS_KEY_ID": place.access,
        "AWS_SECRET_ACCESS_KEY": place.secret,
        "AWS_DEFAULT_REGION": place.region,
        **({"AWS_CA_BUNDLE": place.authority} if place.authority else {}),
        # As everywhere here: gateways know nothing of newer checksums.
        "AWS_REQUEST_CHECKSUM_CALCULATION": "when_required",
        "AWS_RESPONSE_CHECKSUM_VALIDATION": "when_required",
        "HOME": "/var/lib/postgresql",
    }


def url(place: Place, prefix: str) -> str:
    """Return where barman-cloud keeps a server's backups, as it is told."""
    return f"s3://{place.bucket}/{prefix}"
