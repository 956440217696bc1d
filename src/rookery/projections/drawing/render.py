"""The entry to drawings: a design in, the text of a file out."""

from __future__ import annotations

from collections.abc import Mapping

from rookery.design.model import Design
from rookery.projections.drawing.layout import build_picture
from rookery.projections.drawing.mxgraph import render_mxfile
from rookery.projections.drawing.palette import Shade, Theme
from rookery.projections.drawing.picture import Mark
from rookery.projections.drawing.svg import render_svg

_NO_MARKS: Mapping[str, Mark] = {}


def render_drawing(design: Design, *, theme: Theme = "auto", marks: Mapping[str, Mark] = _NO_MARKS) -> str:
    """Return an SVG that browsers show and draw.io edits.

    `marks` name what differs in the running system: a host (`storage-k`), a daemon (`osd.3`), an instance
    (`worker-a/cdn-edge`) or a drive (`storage-k/vdb`). What the design does not have is listed at its host.
    """
    picture = build_picture(design, marks)
    source = render_mxfile(picture, shade=_shade(theme))
    return render_svg(picture, theme=theme, source=source)


def render_picture_source(
    design: Design, *, theme: Theme = "auto", marks: Mapping[str, Mark] = _NO_MARKS
) -> str:
    """Return draw.io's own file (`.drawio`)."""
    return render_mxfile(build_picture(design, marks), shade=_shade(theme))


def render_plain(
    design: Design,
    *,
    theme: Theme = "auto",
    marks: Mapping[str, Mark] = _NO_MARKS,
    embed_font: bool = True,
) -> str:
    """Return the SVG without draw.io's source.

    Without `embed_font` the typeface is only named, for a rasteriser that is given it.
    """
    return render_svg(build_picture(design, marks), theme=theme, embed_font=embed_font)


def _shade(theme: Theme) -> Shade:
    return "dark" if theme == "dark" else "light"
