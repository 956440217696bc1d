"""The lease of a system: until when it is wanted, as a label of everything that was made for it."""

from __future__ import annotations

from datetime import UTC, datetime

_FORM = "%Y%m%dt%H%M%Sz"


def lease_text(end: datetime) -> str:
    """Write the end of a lease as every cloud's labels can hold it: `20261130t203000z`, in UTC."""
    return end.astimezone(UTC).strftime(_FORM)


def lease_end(text: str) -> datetime | None:
    """Return the end of a lease; None where there is no lease, or a text that is none of ours."""
    try:
        return datetime.strptime(text, _FORM).replace(tzinfo=UTC)
    except ValueError:
        return None
