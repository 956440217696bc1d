"""What a spec can say about backups."""

from __future__ import annotations

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from rookery.spec.model import AppSettings, Folder, Model, Name

MINUTE, HOUR, DAY = 60, 3600, 86400
_UNITS = {"min": MINUTE, "h": HOUR, "d": DAY}
_FORM = r"^[1-9][0-9]{0,4}(min|h|d)$"

Period = Annotated[str, StringConstraints(pattern=_FORM)]
"""A span of time as people write it: `30min`, `6h`, `7d`."""

Days = Annotated[str, StringConstraints(pattern=r"^[1-9][0-9]{0,4}d$")]
# An age recipient (X25519): bech32 of 32 bytes behind `age1` (https://age-encryption.org/v1).
Recipient = Annotated[str, StringConstraints(pattern=r"^age1[02-9ac-hj-np-z]{58}$")]


def seconds(period: str) -> int:
    """Return the seconds of a period."""
    number = period.rstrip("minhd")
    return int(number) * _UNITS[period[len(number) :]]


def days(period: str) -> int:
    """Return the days of a period that is written in days."""
    return seconds(period) // DAY


class Schedules(Model):
    """How often something is done; the first time, soon after the system is up."""

    sets: Period = Field("6h", description="A set of every kind, at one moment.")
    base: Period = Field("1d", description="A base backup of the database; sets between need its logs only.")
    check: Period = Field(
        "1d", description="On servers: a look whether all that is stored is there and fits together."
    )


class Retention(Model):
    """How long sets are kept."""

    sets: Period = Field("7d", description="For how long a set is kept.")
    least: int = Field(2, ge=1, le=1000, description="Sets that are kept however old they are.")


class Copy(Model):
    """An S3 service outside of the system that gets a copy of every set. Its keys are in no spec: they come
    from ROOKERY_COPY_NAME_ACCESS_KEY and ROOKERY_COPY_NAME_SECRET_KEY, or from the file that is named."""

    name: Name = Field(description="What it is called.")
    endpoint: Annotated[str, StringConstraints(pattern=r"^https?://[^/\s]+$")] = Field(
        description="Its address, such as https://s3.example.org."
    )
    bucket: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]$")] = Field(
        description="A bucket that is there; what it holds already is left alone."
    )
    region: str = Field("default", description="Its region.")
    authority: Folder | None = Field(
        None, description="File with the certificate of who signs its TLS, relative to the spec."
    )
    credentials: Folder | None = Field(
        None, description="File with its keys as AWS' tools keep them, section NAME or `default`."
    )


class Encryption(Model):
    """Who can read what is encrypted: the backup of the system itself."""

    recipients: tuple[Recipient, ...] = Field(
        (),
        max_length=20,
        description="age recipients (`age-keygen -y`); by default a key that is made with the system, which"
        " `rookery backup key` shows.",
    )


class BackupSettings(AppSettings):
    """Backup of everything that the system keeps: database, objects, files, block volumes, itself."""

    schedules: Schedules = Field(Schedules(), description="When.")
    retention: Retention = Field(Retention(), description="For how long.")
    lock: Days | None = Field(
        "1d",
        description="For how long nobody can delete what was written, by S3 object lock in compliance mode;"
        " null for no lock.",
    )
    copies: tuple[Copy, ...] = Field((), max_length=8, description="Where else each set goes.")
    encryption: Encryption = Field(Encryption(), description="Who can read what is encrypted.")

    @model_validator(mode="after")
    def _names_differ(self) -> Self:
        names = [one.name for one in self.copies]
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            raise ValueError(f"has copies named {', '.join(twice)} more than once; rename one")
        return self
