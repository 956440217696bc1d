"""What is known of each release of Ceph that a lab can run, a row each.

A release behaves otherwise than the one before it in places that a design, its files or a check rely on; each
such place reads it here, so that another release is another row. What was run on 30 November 2026: Debian's
18.2.7+ds-1 (trixie) and 20.2.4+ds-2 (forky), side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

ReleaseName = Literal["20", "18"]
KeyType = Literal["aes", "aes256k"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """A release of Ceph.

    `line` is the version line that is installed, whatever its last number; `code_name` what Ceph's tools
    call it. `suite` is the suite of Debian that has it, `beside` another one, from which comes what `suite`
    no longer has, and all of the source packages `from_beside`; empty where that is nothing.

    `users` are made with these numbers (of user and group) and homes before their packages would make them
    with others: volumes and servers' disks outlive an image, and what they hold is to be the same user's in
    the next one.

    `key_type` is that of the cephx keys that its monitors take for secure. `unused_modules` of ceph-mgr are
    not loaded (decision 0006). With `own_bcrypt` its managers load a bcrypt of ours, as Debian's does not
    work there (decision 0005). `on_the_way` are the beginnings of health codes that a cluster has while it is
    upgraded to this release. `cautions` and `s3_cautions` are what its users, and those of its gateways,
    should know, a sentence each.
    """

    name: ReleaseName
    line: str
    code_name: str
    suite: str
    beside: str = ""
    from_beside: tuple[str, ...] = ()
    users: tuple[tuple[str, int, int, str], ...] = ()
    key_type: KeyType
    unused_modules: tuple[str, ...]
    own_bcrypt: bool
    on_the_way: tuple[str, ...] = ()
    cautions: tuple[str, ...] = ()
    s3_cautions: tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Its name as people write it: `Ceph 20.2 (Tentacle)`."""
        return f"Ceph {self.line} ({self.code_name.capitalize()})"


# Modules that a demo has no use for. Every manager loads every module when it starts, also those that are not
# enabled: 0.1 to 0.2 s of CPU each. The others stay available to `ceph mgr module enable`.
_UNUSED = (
    "alerts",
    "influx",
    "insights",
    "localpool",
    "mirroring",
    "osd_support",
    "selftest",
    "telegraf",
    "test_orchestrator",
)

# The numbers that these users have in the image of the first release, as its packages happen to make them.
_FIRST_USERS = (
    ("etcd", 101, 104, "/var/lib/etcd"),
    ("haproxy", 102, 105, "/var/lib/haproxy"),
    ("postgres", 103, 106, "/var/lib/postgresql"),
)

# Sources. Key types: CryptoKey in Ceph's src/auth/Crypto.h, and `ceph mon dump` of a new cluster of 20.2.4
# (auth_allowed_ciphers aes256k; creating an aes key is refused). Modules: `ceph mgr module ls`; restful and
# zabbix are gone in 20.2. Python: decision 0005; ceph pull request 62951 is in 20.2. S3: requests against
# the gateways of each (expiration with NewerNoncurrentVersions, CompleteMultipartUpload with IfNoneMatch,
# writes to a cluster at its full ratio).
RELEASES: Mapping[str, Release] = {
    "20": Release(
        name="20",
        line="20.2",
        code_name="tentacle",
        suite="forky",
        beside="trixie",
        # Its storage daemon of 11.1 writes 64 KiB at a time, one after the other, where 10.0 writes 512: a
        # volume took 7 MB/s instead of 80 (findings/qemu-fuse-export-in-small-pieces.sh).
        from_beside=("qemu",),
        users=_FIRST_USERS,
        key_type="aes256k",
        unused_modules=_UNUSED,
        own_bcrypt=False,
        on_the_way=("AUTH_INSECURE_", "OSD_UPGRADE_FINISHED"),
        cautions=(
            "Its keys (aes256k) are read by tools of 20.2 and newer only; older ones end with an I/O error.",
        ),
        s3_cautions=(
            "A full cluster answers S3 writes with 507 and takes deletions; radosgw-admin gives no answer.",
        ),
    ),
    "18": Release(
        name="18",
        line="18.2",
        code_name="reef",
        suite="trixie",
        key_type="aes",
        unused_modules=tuple(sorted((*_UNUSED, "restful", "zabbix"))),
        own_bcrypt=True,
        s3_cautions=(
            "A lifecycle rule with NewerNoncurrentVersions keeps no noncurrent version at all.",
            "Conditional completions of multipart uploads (If-None-Match) overwrite what is there.",
            "A full cluster gives S3 writes no answer.",
        ),
    ),
}

DEFAULT_RELEASE: ReleaseName = "20"
"""What a new lab runs where its spec does not say."""

FIRST_RELEASE: ReleaseName = "18"
"""What labs run of which no release was noted: there was no other then."""
