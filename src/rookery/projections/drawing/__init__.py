"""A design as a drawing: an SVG that draw.io opens for editing, or the mxGraph source alone.

`layout` makes a `Picture` of a design, `svg` and `mxgraph` write it. A drawing is made anew from the design
rather than edited: what should look otherwise starts as a change of the spec.
"""

from rookery.projections.drawing.picture import Mark, MarkKind
from rookery.projections.drawing.render import render_drawing, render_picture_source, render_plain

__all__ = ["Mark", "MarkKind", "render_drawing", "render_picture_source", "render_plain"]
