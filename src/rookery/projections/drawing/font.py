"""How wide a text is: the advance widths of the drawing's own typeface, read from its file.

Boxes are as large as their text needs, so guessing is no option. The typeface is Inter (SIL Open Font
License, `fonts/inter.LICENSE`), cut down to Latin, Greek and Cyrillic and to plain advance widths (no
kerning), so that a text is as wide as the sum of its characters with every renderer. A viewer that refuses
embedded fonts falls back to Helvetica or Arial: mostly narrower, digits up to 8% wider, which the room around
texts bears (decision 0017).
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Mapping
from functools import cache
from pathlib import Path

FAMILY = "Inter"
FALLBACK = "Helvetica,Arial,sans-serif"
_FOLDER = Path(__file__).parent / "fonts"
# What the typeface lacks is drawn by another: an em is as wide as any of its characters gets.
_UNKNOWN = 1.0


def font_file(*, bold: bool) -> Path:
    """Return the TrueType file, for rasterisers."""
    return _FOLDER / f"inter-{'semibold' if bold else 'regular'}.ttf"


@cache
def embedded_font(*, bold: bool) -> str:
    """Return the WOFF2 file in base64, for a style sheet."""
    data = (_FOLDER / f"inter-{'semibold' if bold else 'regular'}.woff2").read_bytes()
    return base64.b64encode(data).decode()


def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """Return the width of one line in pixels; `size` is the em in pixels."""
    advances = _advances(bold=bold)
    return size * sum(advances.get(ord(character), _UNKNOWN) for character in text)


def fit_text(text: str, width: float, size: float, *, bold: bool = False) -> str:
    """Return the text, shortened with an ellipsis where it is wider than `width`."""
    if text_width(text, size, bold=bold) <= width:
        return text
    while text and text_width(f"{text}…", size, bold=bold) > width:
        text = text[:-1].rstrip()
    return f"{text}…" if text else ""


def wrap_text(text: str, width: float, size: float, *, bold: bool = False) -> tuple[str, ...]:
    """Return the lines of a text that is broken between words; a word too long for a line is shortened."""
    lines: list[str] = []
    for word in text.split():
        joined = f"{lines[-1]} {word}" if lines else word
        if lines and text_width(joined, size, bold=bold) <= width:
            lines[-1] = joined
        else:
            lines.append(fit_text(word, width, size, bold=bold))
    return tuple(lines)


@cache
def _advances(*, bold: bool) -> Mapping[int, float]:
    """Return the advance width of each character in em, from the OpenType tables head, hhea, hmtx, cmap."""
    data = font_file(bold=bold).read_bytes()
    (count,) = struct.unpack_from(">H", data, 4)
    records = (struct.unpack_from(">4s4xII", data, 12 + 16 * index) for index in range(count))
    tables = {tag.decode(): offset for tag, offset, _ in records}
    (em,) = struct.unpack_from(">H", data, tables["head"] + 18)
    (measured,) = struct.unpack_from(">H", data, tables["hhea"] + 34)
    widths = struct.unpack_from(">" + "H2x" * measured, data, tables["hmtx"])
    return {
        character: widths[min(glyph, measured - 1)] / em
        for character, glyph in _glyphs(data, tables["cmap"]).items()
    }


def _glyphs(data: bytes, cmap: int) -> dict[int, int]:
    """Return the glyph of each character from the cmap's subtable of format 4."""
    (count,) = struct.unpack_from(">H", data, cmap + 2)
    offsets = (struct.unpack_from(">I", data, cmap + 8 + 8 * index)[0] for index in range(count))
    table = next(cmap + at for at in offsets if struct.unpack_from(">H", data, cmap + at)[0] == 4)
    (double,) = struct.unpack_from(">H", data, table + 6)
    segments = double // 2
    ends = struct.unpack_from(f">{segments}H", data, table + 14)
    starts = struct.unpack_from(f">{segments}H", data, table + 16 + double)
    deltas = struct.unpack_from(f">{segments}H", data, table + 16 + 2 * double)
    ranges_at = table + 16 + 3 * double
    ranges = struct.unpack_from(f">{segments}H", data, ranges_at)
    glyphs = {}
    for index, (start, end) in enumerate(zip(starts, ends, strict=True)):
        for character in range(start, min(end, 0xFFFE) + 1):
            glyph = character
            if ranges[index]:
                place = ranges_at + 2 * index + ranges[index] + 2 * (character - start)
                (glyph,) = struct.unpack_from(">H", data, place)
            glyphs[character] = (glyph + deltas[index]) % 65536
    return glyphs
