"""Writes a picture as an mxfile, the format of draw.io: shapes that can be edited, not a picture of them.

Boxes lie in the boxes around them, so that a host moves with what is in it; arrows are bound to their ends.
The typeface is draw.io's own, Helvetica; texts fit their boxes with it too (decision 0017). Attributes
are in single quotes, because all of it is escaped once more where it is put into an SVG.
"""

from __future__ import annotations

from collections.abc import Iterable
from xml.sax.saxutils import escape

from rookery.projections.drawing.palette import STYLES, Shade, colour
from rookery.projections.drawing.picture import Arrow, Box, Line, Picture, Point, Ring, Text

_LAYER = "1"
_SHAPES = {
    "drive": "shape=cylinder3;size=5;boundedLbl=1;",
    "pill": "rounded=1;absoluteArcSize=1;arcSize=18;",
    "bare": "text;spacing=0;verticalAlign=middle;fillColor=none;strokeColor=none;",
}
_ALIGN = {"start": "align=left;", "middle": "align=center;", "end": "align=right;"}


def render_mxfile(picture: Picture, *, shade: Shade) -> str:
    """Return the file's text."""
    places = {box.id: box for box in picture.boxes}
    # What stands on a line of its own is painted after the lines.
    free = [box for box in picture.boxes if box.leaf and not box.parent and box.shape != "bare"]
    bound = [box for box in picture.boxes if box not in free]
    cells = [
        "<mxCell id='0'/><mxCell id='1' parent='0'/>",
        *(_box(box, places, shade) for box in bound),
        *(_line(line, shade) for line in picture.lines),
        *(_box(box, places, shade) for box in free),
        *(_arrow(arrow, places, shade) for arrow in picture.arrows),
        *(_dot(number, place, tone, shade) for number, (place, tone) in enumerate(picture.dots)),
        *(_ring(ring, places[ring.box], shade) for ring in picture.rings),
    ]
    return (
        f"<mxfile host='rookery'><diagram id='design' name={_quoted(picture.title)}>"
        f"<mxGraphModel grid='0' page='1' pageWidth='{picture.width:g}' pageHeight='{picture.height:g}' "
        f"background='{colour('paper', shade)}'><root>{''.join(cells)}</root></mxGraphModel>"
        "</diagram></mxfile>"
    )


def _quoted(text: str) -> str:
    return f"'{escape(text, {chr(39): '&apos;'})}'"


def _box(box: Box, places: dict[str, Box], shade: Shade) -> str:
    """Return a box's cell, those of the sheets behind it before, those of its further texts after it."""
    parent, look = box.parent or _LAYER, _look(box, shade)
    origin = _origin(box.parent, places)
    sheets = (
        _vertex(f"{box.id}/sheet-{number}", "", look, parent, _shifted(box, origin, 4.0 * number))
        for number in range(box.sheets, 0, -1)
    )
    value, label, rest = _label(box, shade)
    style = f"{look}{label}" + ("" if box.leaf else "container=1;collapsible=0;")
    texts = (
        _vertex(f"{box.id}/{number}", text.text, _text_style(text, shade), box.id, _text_place(text, box))
        for number, text in enumerate(rest, start=2)
    )
    return "".join((*sheets, _vertex(box.id, value, style, parent, _shifted(box, origin, 0)), *texts))


def _origin(parent: str, places: dict[str, Box]) -> Point:
    return (places[parent].x, places[parent].y) if parent else (0.0, 0.0)


def _shifted(box: Box, origin: Point, by: float) -> tuple[float, float, float, float]:
    return box.x - origin[0] + by, box.y - origin[1] + by, box.width, box.height


def _vertex(name: str, value: str, style: str, parent: str, place: tuple[float, float, float, float]) -> str:
    x, y, width, height = (round(number, 1) for number in place)
    label = f" value={_quoted(value)}" if value else ""
    return (
        f"<mxCell id={_quoted(name)}{label} style='{style}' vertex='1' parent={_quoted(parent)}>"
        f"<mxGeometry x='{x:g}' y='{y:g}' width='{width:g}' height='{height:g}' as='geometry'/></mxCell>"
    )


def _look(box: Box, shade: Shade) -> str:
    if box.shape == "bare":
        return _SHAPES["bare"]
    style = STYLES[box.style]
    fill = colour(style.fill, shade) if style.fill else "none"
    stroke = colour(style.stroke, shade) if style.stroke else "none"
    shape = _SHAPES.get(box.shape, f"rounded=1;absoluteArcSize=1;arcSize={2 * style.radius:g};")
    return f"{shape}fillColor={fill};strokeColor={stroke};"


def _label(box: Box, shade: Shade) -> tuple[str, str, tuple[Text, ...]]:
    """Return a box's label, its style, and the texts that need cells of their own.

    Lines under each other in the middle are one label; else the first text is.
    """
    if not box.texts:
        return "", "", ()
    first, *rest = box.texts
    if rest and all(text.anchor == "middle" for text in box.texts):
        lines = [f"<b>{escape(first.text)}</b>", *(escape(text.text) for text in rest)]
        return "<br>".join(lines), f"html=1;{_font(rest[0], shade)}", ()
    if box.shape == "bare":
        return first.text, f"{_font(first, shade)}{_ALIGN[first.anchor]}", tuple(rest)
    style = _font(first, shade)
    if first.anchor == "start":
        style += f"align=left;spacingLeft={first.x - box.x - 2:g};"
    if not box.leaf or len(box.texts) > 2:
        style += f"verticalAlign=top;spacingTop={first.y - box.y - first.size - 3:g};"
    return first.text, style, tuple(rest)


def _font(text: Text, shade: Shade) -> str:
    bold = "fontStyle=1;" if text.bold else ""
    return f"fontSize={text.size:g};fontColor={colour(text.tone, shade)};{bold}"


def _text_style(text: Text, shade: Shade) -> str:
    return f"{_SHAPES['bare']}{_ALIGN[text.anchor]}{_font(text, shade)}"


def _text_place(text: Text, box: Box) -> tuple[float, float, float, float]:
    return text.left - box.x, text.y - text.size - box.y, text.width, text.size * 1.3


def _line(line: Line, shade: Shade) -> str:
    dots = "dashed=1;dashPattern=1 3;" if line.dotted else ""
    style = f"endArrow=none;strokeWidth={line.width:g};strokeColor={colour(line.tone, shade)};{dots}"
    (x1, y1), (x2, y2) = line.points
    return (
        f"<mxCell id={_quoted(line.id)} style='{style}' edge='1' parent='1'>"
        f"<mxGeometry relative='1' as='geometry'><mxPoint x='{x1:g}' y='{y1:g}' as='sourcePoint'/>"
        f"<mxPoint x='{x2:g}' y='{y2:g}' as='targetPoint'/>"
        "</mxGeometry></mxCell>"
    )


def _arrow(arrow: Arrow, places: dict[str, Box], shade: Shade) -> str:
    """Return an edge that is bound to its boxes, at the points where it leaves and enters them."""
    ends = (("exit", arrow.source, arrow.points[0]), ("entry", arrow.target, arrow.points[-1]))
    fixed = "".join(_fixed(name, places[box], point) for name, box, point in ends)
    style = (
        "edgeStyle=orthogonalEdgeStyle;rounded=1;arcSize=10;endArrow=block;endSize=4;strokeWidth=1.5;"
        f"strokeColor={colour(arrow.tone, shade)};{fixed}"
    )
    between = _points(arrow.points[1:-1])
    return (
        f"<mxCell id={_quoted(arrow.id)} style='{style}' edge='1' parent='1' source={_quoted(arrow.source)} "
        f"target={_quoted(arrow.target)}>"
        f"<mxGeometry relative='1' as='geometry'>{between}</mxGeometry></mxCell>"
    )


def _fixed(name: str, box: Box, point: Point) -> str:
    x, y = (point[0] - box.x) / box.width, (point[1] - box.y) / box.height
    return f"{name}X={x:.3g};{name}Y={y:.4g};"


def _points(points: Iterable[Point]) -> str:
    words = "".join(f"<mxPoint x='{x:g}' y='{y:g}'/>" for x, y in points)
    return f"<Array as='points'>{words}</Array>" if words else ""


def _dot(number: int, place: Point, tone: str, shade: Shade) -> str:
    style = f"ellipse;strokeColor=none;fillColor={colour(tone, shade)};connectable=0;"
    return _vertex(f"branch-{number}", "", style, _LAYER, (place[0] - 2.6, place[1] - 2.6, 5.2, 5.2))


def _ring(ring: Ring, box: Box, shade: Shade) -> str:
    """Return the outline around a marked box, and the number at its corner."""
    mark = colour("mark", shade)
    rounding = "rounded=1;absoluteArcSize=1;arcSize=16;"
    outline = f"{rounding}fillColor=none;strokeWidth=2.5;strokeColor={mark};pointerEvents=0;"
    digits = f"fontSize=10;fontStyle=1;fontColor={colour('on-mark', shade)};"
    badge = f"ellipse;fillColor={mark};strokeColor=none;{digits}"
    around = (box.x - 3, box.y - 3, box.width + 6, box.height + 6)
    corner = (box.right - 8, box.y - 8, 16.0, 16.0)
    return _vertex(f"ring-{ring.number}", "", outline, _LAYER, around) + _vertex(
        f"badge-{ring.number}", str(ring.number), badge, _LAYER, corner
    )
