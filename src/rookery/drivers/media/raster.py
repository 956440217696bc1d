"""SVG to PNG, by resvg: one wheel without system libraries, and fonts that it is given as files.

It needs no font on the machine, and takes none from it: the same drawing gives the same picture everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from rookery.errors import RookeryError


def render_png(svg: str, *, fonts: Sequence[Path], zoom: float = 2.0) -> bytes:
    """Return the picture as PNG, `zoom` pixels for each of the SVG's; raises RookeryError."""
    import resvg_py

    try:
        return bytes(
            resvg_py.svg_to_bytes(
                svg_string=svg, skip_system_fonts=True, font_files=[str(font) for font in fonts], zoom=zoom
            )
        )
    except ValueError as error:
        raise RookeryError(
            f"the drawing cannot be made a PNG: {error}", hint="Write an .svg instead."
        ) from None
