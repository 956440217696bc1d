"""How much of a database's volume its write-ahead log may take: its limits follow the volume's size.

Data, log and what vacuum has not given back share one volume. A full one ends PostgreSQL with a PANIC, and
the log is what grows by itself: between checkpoints, and for a replica that is away.
"""

from __future__ import annotations

from rookery.units import MIB

_MOST = 1024  # MiB; enough for checkpoints every 15 minutes under the load that the designs are for
# The default of Patroni; CloudNativePG's own would be 512MB, half of the least volume.
KEPT = "128MB"


def log_share(volume: int) -> int:
    """Return the MiB of a volume of so many bytes that its log may take: a quarter.

    PostgreSQL needs two segments of 16 MiB at least; the least volume, 1 GB, leaves 238.
    https://www.postgresql.org/docs/17/runtime-config-wal.html
    """
    return volume // 4 // MIB


def log_settings(volume: int) -> dict[str, object]:
    """Return the settings for a volume of so many bytes.

    `max_wal_size` is what a checkpoint is begun for, not a hard limit. `max_slot_wal_keep_size` is one: a
    replica that is away for longer than that lasts is copied anew, and the primary goes on.
    """
    share = log_share(volume)
    return {"max_wal_size": f"{min(share, _MOST)}MB", "max_slot_wal_keep_size": f"{share}MB"}
