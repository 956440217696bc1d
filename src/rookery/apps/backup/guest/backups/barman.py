"""What barman-cloud is told: nothing here loads more than the archiver of each segment needs."""

from __future__ import annotations

from .told import Place


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
