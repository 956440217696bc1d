"""Sizes and times as people write them.

Memory is counted in powers of two (GiB), drives in powers of ten (GB), as their makers do; in the program
both are plain bytes.
"""

from __future__ import annotations

KIB = 1024
MIB = 1024 * KIB
GIB = 1024 * MIB
MB = 1000**2
GB = 1000**3
TB = 1000**4

_UNITS = (
    ("TiB", 1024**4),
    ("TB", TB),
    ("GiB", GIB),
    ("GB", GB),
    ("MiB", MIB),
    ("MB", 1000**2),
    ("KiB", KIB),
    ("kB", 1000),
)


def format_size(size: int) -> str:
    """Write `size` bytes exactly where one decimal of a unit does it, else rounded to three digits."""
    for unit, factor in _UNITS:
        if size >= factor and size * 10 % factor == 0 and size < 10_000 * factor:
            return f"{size / factor:g} {unit}"
    for unit, factor in _UNITS:
        if unit.endswith("iB") and size >= factor:
            return f"{size / factor:.3g} {unit}"
    return f"{size} B"


def format_amount(size: int) -> str:
    """Write `size` bytes as downloads are counted: `34.1 MB`, `1.25 GB`."""
    return f"{size / GB:.2f} GB" if size >= GB else f"{size / MB:.1f} MB"


def format_seconds(seconds: float) -> str:
    """Write a duration for people: `0.4 s`, `12.3 s`, `2 min 5 s`."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s"


def format_period(seconds: float) -> str:
    """Write a longer span for people, to its second unit: `42 s`, `12 min`, `5 h 20 min`, `3 d 4 h`."""
    minutes = round(seconds / 60)
    if minutes < 2:
        return f"{seconds:.0f} s"
    if minutes < 60:
        return f"{minutes} min"
    if minutes < 24 * 60:
        return _pair(minutes, 60, "h", "min")
    return _pair(minutes // 60, 24, "d", "h")


def _pair(count: int, size: int, large: str, small: str) -> str:
    whole, rest = divmod(count, size)
    return f"{whole} {large} {rest} {small}" if rest else f"{whole} {large}"
